import { Page } from "../../parts/Page";

export default function Flows() {
  return <Page title="Flows">…</Page>;
}
