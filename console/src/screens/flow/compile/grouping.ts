/** The compiler's report as rows for people: machines that do the same are told once, with how many they are. Pure. */
import type { Schemas } from "../../../api/client";

export type Verb = Schemas["SummaryLine"]["verb"];
export type ChangeKind = "starts" | "changes" | "stops";

/** `nodes`: all that do this; the first stands for them. `first`: the first row of these nodes. */
interface Row {
  key: string;
  nodes: readonly string[];
  first: boolean;
}

export interface WorkRow extends Row {
  verb: Verb;
  dataset: string;
  operations: string;
  detail: string;
}

export interface ChangeRow extends Row {
  kind: ChangeKind;
  line: string;
}

/** What each node will do. */
export function workRows(nodes: readonly Schemas["NodeSummary"][]): WorkRow[] {
  const groups = alike(nodes, (node) => node.node, (node) => node.lines.map((line) => [line.verb, ownless(line.dataset, node.node), line.operations, line.peer, line.target]));
  return groups.flatMap(({ one, names }) =>
    one.lines.map((line, index) => ({
      key: `${one.node} ${index}`,
      nodes: names,
      first: index === 0,
      verb: line.verb,
      dataset: names.length > 1 ? ownless(line.dataset, one.node) : line.dataset,
      operations: (line.operations ?? []).join(", "),
      detail: detailOf(line),
    })),
  );
}

/** What begins, differs and ends on which node. */
export function changeRows(changes: readonly Schemas["RulesChange"][]): ChangeRow[] {
  const linesOf = (change: Schemas["RulesChange"]) =>
    (["starts", "changes", "stops"] as const).flatMap((kind) => (change[kind] ?? []).map((line) => ({ kind, line })));
  const shape = (change: Schemas["RulesChange"]) => linesOf(change).map(({ kind, line }) => [kind, ownless(line, change.node_name)]);
  return alike(changes, (change) => change.node_name, shape).flatMap(({ one, names }) =>
    linesOf(one).map(({ kind, line }, index) => ({
      key: `${one.node} ${index}`,
      nodes: names,
      first: index === 0,
      kind,
      line: names.length > 1 ? ownless(line, one.node_name) : line,
    })),
  );
}

function alike<T>(items: readonly T[], nameOf: (item: T) => string, shapeOf: (item: T) => unknown): { one: T; names: string[] }[] {
  const groups = new Map<string, { one: T; names: string[] }>();
  for (const one of items) {
    const shape = JSON.stringify(shapeOf(one));
    const group = groups.get(shape);
    if (group) group.names.push(nameOf(one));
    else groups.set(shape, { one, names: [nameOf(one)] });
  }
  return [...groups.values()];
}

/** A dataset of the node itself without the node's name: `files1/documents` -> `…/documents`. */
const ownless = (text: string, node: string): string =>
  text
    .split(" ")
    .map((word) => (word.startsWith(`${node}/`) ? `…${word.slice(node.length)}` : word))
    .join(" ");

function detailOf(line: Schemas["SummaryLine"]): string {
  const way = line.peer && `${line.verb === "receives" ? "from" : "to"} ${line.peer}`;
  return [way, line.target, line.times].filter(Boolean).join(", ");
}

/** `captures 3 · sends 2`: how many of each. */
export function countVerbs(nodes: readonly Schemas["NodeSummary"][]): ReadonlyMap<Verb, number> {
  const counts = new Map<Verb, number>();
  for (const node of nodes) for (const line of node.lines) counts.set(line.verb, (counts.get(line.verb) ?? 0) + 1);
  return counts;
}
