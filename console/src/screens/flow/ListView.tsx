/** To come. */
export default function ListView({ flow }: { flow: string }) {
  return <p>{flow}</p>;
}
