import { Page } from "../../parts/Page";

export default function NodeScreen({ name }: { name: string }) {
  return <Page title={name}>…</Page>;
}
