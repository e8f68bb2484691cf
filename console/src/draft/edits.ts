/**
 * Edits of the document's values, as the API knows them (`POST /environment/edit`). The Master makes the text of them; here they are
 * applied to the values alone, so that the drawing follows at once. Pure.
 */

export type Value = null | boolean | number | string | Value[] | { [key: string]: Value };
export type Values = { [key: string]: Value };
export type Step = string | number;

export interface Edit {
  op: "set" | "remove" | "rename";
  path: Step[];
  value?: Value;
}

export const set = (path: Step[], value: Value): Edit => ({ op: "set", path, value });
export const remove = (path: Step[]): Edit => ({ op: "remove", path });
export const rename = (path: Step[], name: string): Edit => ({ op: "rename", path, value: name });

/** The values after all edits, in turn; what is not concerned is the same object as before. */
export function applyEdits(values: Values, edits: readonly Edit[]): Values {
  return edits.reduce<Values>((before, edit) => changed(before, edit.path, edit) as Values, values);
}

function changed(node: Value | undefined, path: readonly Step[], edit: Edit): Value {
  const [step, ...rest] = path as [Step, ...Step[]];
  if (typeof step === "number") {
    const items = Array.isArray(node) ? [...node] : [];
    if (rest.length > 0) items[step] = changed(items[step], rest, edit);
    else if (edit.op === "remove") items.splice(step, 1);
    else items[step] = edit.value ?? null;
    return items;
  }
  const fields = isMapping(node) ? node : {};
  if (rest.length > 0) return { ...fields, [step]: changed(fields[step], rest, edit) };
  if (edit.op === "set") return { ...fields, [step]: edit.value ?? null };
  const entries = Object.entries(fields);
  if (edit.op === "remove") return Object.fromEntries(entries.filter(([key]) => key !== step));
  return Object.fromEntries(entries.map(([key, value]) => [key === step ? String(edit.value) : key, value]));
}

export function isMapping(value: Value | undefined): value is { [key: string]: Value } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** What stands at a path; undefined when nothing does. */
export function valueAt(values: Value | undefined, path: readonly Step[]): Value | undefined {
  let found: Value | undefined = values;
  for (const step of path) {
    if (Array.isArray(found) && typeof step === "number") found = found[step];
    else if (isMapping(found)) found = Object.hasOwn(found, String(step)) ? found[String(step)] : undefined;
    else return undefined;
  }
  return found;
}

/** The mapping at a path; empty when there is none. */
export function mappingAt(values: Value | undefined, path: readonly Step[]): { [key: string]: Value } {
  const found = valueAt(values, path);
  return isMapping(found) ? found : {};
}

/** `name`, or `name-2` and so on when it is taken. */
export function freeName(name: string, taken: Iterable<string>): string {
  const names = new Set(taken);
  if (!names.has(name)) return name;
  for (let number = 2; ; number += 1) if (!names.has(`${name}-${number}`)) return `${name}-${number}`;
}
