/** What the cells of the tables write into the document. Pure. */
import { type Edit, isMapping, remove, rename, set, type Step, type Value } from "../../../draft/edits";
import type { Change } from "../changes";
import type { DrawnVertex, VertexKind } from "../drawing";

const OF_SOURCES = new Set<VertexKind>(["node", "group"]);
const ON_NODES = new Set<VertexKind>(["node", "mirror", "relay"]);

/** Another kind in the old one's place; what the new kind cannot have goes, and what it stands for stays where that is possible. */
export function changeKind(flow: string, vertex: DrawnVertex, kind: VertexKind): Change {
  const path = (...rest: Step[]): Step[] => ["flows", flow, "vertices", vertex.name, ...rest];
  const keepsSubject = ON_NODES.has(vertex.kind) && ON_NODES.has(kind);
  const edits: Edit[] = vertex.kind in vertex.fields ? [rename(path(vertex.kind), kind)] : [set(path(kind), vertex.subject)];
  if (!keepsSubject) edits.push(set(path(kind), ""));
  if ("policies" in vertex.fields && !OF_SOURCES.has(kind)) edits.push(remove(path("policies")));
  if ("path" in vertex.fields && kind !== "mirror") edits.push(remove(path("path")));
  if (kind === "mirror" && !("path" in vertex.fields)) edits.push(set(path("path"), ""));
  return { edits, label: `Make ${vertex.name} a ${kind}` };
}

/** From one list of names to another, item by item, so that what stands beside the others stays. `before` null = no list is written. */
export function listEdits(before: readonly string[] | null, after: readonly string[], path: readonly Step[]): Edit[] {
  if (before === null) return after.length > 0 ? [set([...path], [...after])] : [];
  const kept = before.filter((item) => after.includes(item));
  const gone = before.flatMap((item, index) => (after.includes(item) ? [] : [remove([...path, index])])).reverse();
  const fresh = after.filter((item) => !before.includes(item));
  return [...gone, ...fresh.map((item, index) => set([...path, kept.length + index], item))];
}

const RULES = ["last", "hourly", "daily", "weekly", "monthly", "yearly"];

/** `{daily: 7, within: 30d}` -> `daily 7, within 30d`. */
export function keepText(keep: Value | undefined): string {
  if (!isMapping(keep)) return "";
  return Object.entries(keep)
    .map(([rule, value]) => `${rule} ${String(value)}`)
    .join(", ");
}

/** The other way; null = empty. What is not understood is written as it is, and the Master says what is wrong with it. */
export function keepValue(text: string): Value {
  const rules = text
    .split(",")
    .map((part) => part.trim())
    .filter(Boolean)
    .map((part) => /^(\S+?)[:\s]\s*(.*)$/.exec(part) ?? [part, part, ""]);
  if (rules.length === 0) return null;
  return Object.fromEntries(
    rules.map(([, rule, value = ""]) => [rule!, RULES.includes(rule!) && /^\d{1,9}$/.test(value) ? Number(value) : value]),
  );
}
