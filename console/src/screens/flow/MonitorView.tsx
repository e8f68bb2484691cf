/** To come. */
export default function MonitorView({ flow }: { flow: string }) {
  return <p>{flow}</p>;
}
