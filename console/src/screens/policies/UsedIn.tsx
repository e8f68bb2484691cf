/** In which flows a policy is used, and on which nodes it is in force. */
import { Anchor, Text } from "@mantine/core";
import { Link } from "wouter";
import { to } from "../../app/places";
import { useDraft } from "../../draft/draft";
import { useLive } from "../../live/store";
import { Card } from "../../parts/Card";
import { visible } from "../../parts/format";
import { State, stateOf } from "../../parts/State";
import classes from "./policies.module.css";
import { type Policy, usesOf } from "./policy";
import { listed } from "./words";

const STATE_WORDS: Record<string, string> = { changed: "changed, not active", draft: "draft" };

export interface InForce {
  nodes: readonly string[];
  /** The name it has there: its own, or the one before while a renaming is not active yet. */
  name: string;
}

/** Where a policy is in force now, in whatever flow. */
export function useInForce({ name, was }: Pick<Policy, "name" | "was">): InForce {
  const flows = useLive((live) => live.flows);
  const datasets = flows.filter((flow) => flow.state !== "draft").flatMap((flow) => flow.datasets);
  const nodesOf = (policy: string) => [
    ...new Set(datasets.filter((label) => label.endsWith(`/${policy}`)).map((label) => label.slice(0, -policy.length - 1))),
  ];
  const nodes = nodesOf(name).sort();
  return nodes.length > 0 || was === "" ? { nodes, name } : { nodes: nodesOf(was).sort(), name: was };
}

export function UsedIn({ policy }: { policy: Policy }) {
  const inForce = useInForce(policy);
  return (
    <Card title="Used in">
      <FlowLinks policy={policy.name} />
      <Text size="sm" mt="sm" className={classes.wrap}>
        {inForceWords(inForce, policy.name)}
      </Text>
    </Card>
  );
}

const MOST_NAMED = 5;

export function inForceWords({ nodes, name }: InForce, policy: string): string {
  if (nodes.length === 0) return "In force on no node.";
  const named = nodes.length > MOST_NAMED ? [...nodes.slice(0, MOST_NAMED), `${nodes.length - MOST_NAMED} more`] : nodes;
  return `In force on ${listed(named.map(visible))}${name === policy ? "" : `, there still as ${visible(name)}`}.`;
}

export function FlowLinks({ policy }: { policy: string }) {
  const { values } = useDraft();
  const flows = useLive((live) => live.flows);
  const uses = usesOf(values, policy);
  if (uses.length === 0)
    return (
      <Text size="sm" c="dimmed">
        In no flow, so it does nothing yet. Open a{" "}
        <Anchor component={Link} href="/flows" underline="always">
          flow
        </Anchor>
        , choose a source and give it this policy.
      </Text>
    );
  return (
    <ul className={classes.plain}>
      {uses.map(({ flow, vertices }) => {
        const state = flows.find((each) => each.name === flow)?.state ?? "draft";
        return (
          <li key={flow} className={classes.wrap}>
            <Anchor component={Link} href={to.flow(flow)} size="sm" underline="always">
              {visible(flow)}
            </Anchor>
            {vertices.length > 0 && (
              <Text size="sm" component="span" c="dimmed">
                {" "}
                on {listed(vertices.map(visible))}
              </Text>
            )}{" "}
            <State state={stateOf(state)} label={STATE_WORDS[state] ?? state} quiet />
          </li>
        );
      })}
    </ul>
  );
}
