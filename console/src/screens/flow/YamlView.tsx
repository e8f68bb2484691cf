/** The flow as text. It is a part of the document, so the whole document is here, begun at the flow. */
import { TextPane } from "../../draft/editor/TextPane";

export default function YamlView({ flow }: { flow: string }) {
  return <TextPane flow={flow} />;
}
