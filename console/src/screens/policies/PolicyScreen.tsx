import { Page } from "../../parts/Page";

export default function PolicyScreen({ name }: { name: string }) {
  return <Page title={name}>…</Page>;
}
