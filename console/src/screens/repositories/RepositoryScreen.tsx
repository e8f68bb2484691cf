import { Page } from "../../parts/Page";

export default function RepositoryScreen({ name }: { name: string }) {
  return <Page title={name}>…</Page>;
}
