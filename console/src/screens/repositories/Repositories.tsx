import { Page } from "../../parts/Page";

export default function Repositories() {
  return <Page title="Repositories">…</Page>;
}
