/** To come. */
export default function YamlView({ flow }: { flow: string }) {
  return <p>{flow}</p>;
}
