/** How a flow stands: what is drawn, what is saved and what is in force are three things, always told apart. */
import { Tooltip } from "@mantine/core";
import { useLive } from "../../live/store";
import { State, type StateName } from "../../parts/State";

const WORDS: Record<string, [StateName, string, string]> = {
  active: ["ok", "active", "What is saved is in force on the nodes."],
  changed: ["warning", "changed, not active", "An earlier state is in force on the nodes. Compile and activate to bring this one there."],
  draft: ["off", "draft", "Nothing of it is in force yet. Compile and activate it."],
  removed: ["warning", "removed, still active", "It is no longer in the document, but its rules are still in force. Deactivate it."],
};

export function FlowState({ flow }: { flow: string }) {
  const known = useLive((live) => live.flows.find((each) => each.name === flow)?.state ?? "draft");
  const [state, label, why] = WORDS[known] ?? WORDS.draft!;
  return (
    <Tooltip label={why} multiline maw={300}>
      <span>
        <State state={state} label={label} />
      </span>
    </Tooltip>
  );
}
