import { Page } from "../../parts/Page";

export default function DocumentScreen() {
  return <Page title="DocumentScreen">…</Page>;
}
