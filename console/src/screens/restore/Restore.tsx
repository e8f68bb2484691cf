import { Page } from "../../parts/Page";

export default function Restore() {
  return <Page title="Restore">…</Page>;
}
