import { Page } from "../../parts/Page";

export default function JobScreen({ id }: { id: string }) {
  return <Page title={id}>…</Page>;
}
