/** The rules in force on a node, in sentences. */
import { Loader, Text } from "@mantine/core";
import type { Schemas } from "../../api/client";
import type { Node } from "../../live/store";
import { Card } from "../../parts/Card";
import { counted, visible } from "../../parts/format";
import { State } from "../../parts/State";
import { rulesWord, ruleSentence } from "./nodes";
import classes from "./Nodes.module.css";

const SHOWN = 60;

export function RulesCard({ node, rules }: { node: Node; rules: Schemas["RulesInForce"] | undefined }) {
  const { state, word } = rulesWord(node);
  const lines = rules?.lines ?? [];
  return (
    <Card title="Rules in force" actions={<State state={state} label={word} />}>
      {!rules && <Loader size="sm" aria-label="Reading the rules" />}
      {rules && lines.length === 0 && (
        <Text size="sm" c="dimmed">
          {node.wanted_generation === 0 ? "No active flow has anything for it to do." : "None yet. It gets them when it comes online."}
        </Text>
      )}
      <ul className={classes.rules}>
        {lines.slice(0, SHOWN).map((line, index) => {
          const { verb, rest } = ruleSentence(line);
          return (
            <li key={index}>
              <b>{verb}</b> {visible(rest)}
            </li>
          );
        })}
      </ul>
      {lines.length > SHOWN && <Text size="sm">And {counted(lines.length - SHOWN, "more rule")}.</Text>}
      {rules && rules.generation > 0 && (
        <Text size="sm" c="dimmed" mt="sm">
          Generation {rules.generation}
          {rules.generation !== rules.wanted_generation && `; ${rules.wanted_generation} waits for it`}.
        </Text>
      )}
    </Card>
  );
}
