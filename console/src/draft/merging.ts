/** Choosing sides, conflict by conflict, after a merge that preferred mine: their values as edits on top. Pure. */
import type { Schemas } from "../api/client";
import { applyEdits, type Edit, remove, set, type Step, type Value, type Values, valueAt } from "./edits";

export type Conflict = Schemas["MergeConflict"];
export type Side = "mine" | "theirs";

/** What makes the merged values have theirs where that was chosen. `values`: those of the merge, with mine everywhere. */
export function editsForTheirs(conflicts: readonly Conflict[], chosen: ReadonlyMap<number, Side>, values: Values): Edit[] {
  const edits: Edit[] = [];
  let now = values;
  conflicts.forEach((conflict, index) => {
    if (chosen.get(index) !== "theirs") return;
    const path = pathIn(now, conflict.path as Step[]);
    const theirs = (conflict.theirs ?? null) as Value;
    if (theirs === null && valueAt(now, path) === undefined) return;
    const edit = theirs === null ? remove(path) : set(path, theirs);
    edits.push(edit);
    now = applyEdits(now, [edit]);
  });
  return edits;
}

/** Conflicts name movers `from->to`; edits want their place in the list. One that is not there is put behind the end. */
function pathIn(values: Values, path: readonly Step[]): Step[] {
  const [flows, flow, movers, name, ...rest] = path;
  if (flows !== "flows" || movers !== "movers" || flow === undefined || typeof name !== "string") return [...path];
  const listed = valueAt(values, [flows, flow, movers]);
  const names = namesOf(Array.isArray(listed) ? listed : []);
  const index = names.indexOf(name);
  return [flows, flow, movers, index < 0 ? names.length : index, ...rest];
}

/** As the merge names them: a second mover between the same two is `from->to (2)`. */
function namesOf(movers: readonly Value[]): string[] {
  const counts = new Map<string, number>();
  return movers.map((mover) => {
    const name = `${String(valueAt(mover, ["from"]))}->${String(valueAt(mover, ["to"]))}`;
    const count = (counts.get(name) ?? 0) + 1;
    counts.set(name, count);
    return count > 1 ? `${name} (${count})` : name;
  });
}

/** A value in one line, as people read it. */
export function shownValue(value: unknown): string {
  if (value === null || value === undefined) return "nothing";
  if (Array.isArray(value)) return `[${value.map(shownValue).join(", ")}]`;
  if (typeof value !== "object") return String(value);
  return `{${Object.entries(value)
    .map(([key, each]) => `${key}: ${shownValue(each)}`)
    .join(", ")}}`;
}
