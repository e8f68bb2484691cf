import { Page } from "../../parts/Page";

export default function AddNode() {
  return <Page title="AddNode">…</Page>;
}
