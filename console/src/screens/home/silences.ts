/** A node that does not answer is said once, with all that is not known because of it. Pure. */
import type { Status, Trouble } from "./overview";

/** The code under which the Master tells of it among the findings. */
export const NODE_SILENT = "node-silent";

export interface Silence {
  node: string;
  /** What may help. */
  hint: string;
  /** Labels of the datasets whose state is not known. */
  datasets: readonly string[];
  repositories: readonly string[];
}

/** Names of the nodes that do not answer, though they may be online. */
export function silentNodes(status: Pick<Status, "nodes" | "unreachable" | "findings">): ReadonlySet<string> {
  return new Set([
    ...status.nodes.filter((node) => node.state !== "online").map((node) => node.name),
    ...status.unreachable.map((each) => each.node),
    ...status.findings.filter((each) => each.code === NODE_SILENT).map((each) => each.node),
  ]);
}

/** One for each node whose silence is felt; `troubles` of others are not theirs. */
export function silencesOf(status: Pick<Status, "unreachable" | "findings">, troubles: readonly Trouble[]): Silence[] {
  const felt = status.findings.filter((each) => each.code === NODE_SILENT).map((each) => each.node);
  const names = new Set([...felt, ...status.unreachable.map((each) => each.node), ...troubles.flatMap((each) => each.silent ?? [])]);
  return [...names].map((node) => {
    const own = status.unreachable.filter((each) => each.node === node);
    const told = status.findings.find((each) => each.code === NODE_SILENT && each.node === node);
    return {
      node,
      hint: told?.hint || own.find((each) => each.error.hint)?.error.hint || "",
      datasets: troubles.filter((each) => each.silent === node).map((each) => each.label),
      repositories: own.flatMap((each) => each.repository || []),
    };
  });
}
