import { Page } from "../../parts/Page";

export default function FlowScreen({ name, view }: { name: string; view: string }) {
  return <Page title={name}>{view}</Page>;
}
