import { Page } from "../../parts/Page";

export default function Nodes() {
  return <Page title="Nodes">…</Page>;
}
