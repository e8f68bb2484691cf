/** What came of an activation, kept up to date by what is heard of the nodes since. Pure. */
import type { Schemas } from "../../../api/client";

type Outcome = Schemas["Outcome"];
type HeardNode = Pick<Schemas["NodeView"], "name" | "generation" | "state">;

/** A node that was away has confirmed as soon as its newer rules are in force there. What differs comes first. */
export function outcomesNow(outcomes: readonly Outcome[], nodes: readonly HeardNode[]): Outcome[] {
  const heard = new Map(nodes.map((node) => [node.name, node]));
  const rank = { refused: 0, pending: 1, confirmed: 2, unchanged: 3 };
  return outcomes
    .map((outcome) => {
      const node = heard.get(outcome.node);
      const hasCome = outcome.state === "pending" && node !== undefined && node.generation >= outcome.generation;
      return hasCome ? { ...outcome, state: "confirmed" as const } : outcome;
    })
    .sort((a, b) => rank[a.state] - rank[b.state] || a.node.localeCompare(b.node));
}

/** How many nodes are in which state, in the order of `outcomesNow`. */
export function countStates(outcomes: readonly Outcome[]): ReadonlyMap<Outcome["state"], number> {
  const counts = new Map<Outcome["state"], number>();
  for (const { state } of outcomes) counts.set(state, (counts.get(state) ?? 0) + 1);
  return counts;
}
