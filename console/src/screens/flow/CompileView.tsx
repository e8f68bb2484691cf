/** To come. */
export default function CompileView({ flow }: { flow: string }) {
  return <p>{flow}</p>;
}
