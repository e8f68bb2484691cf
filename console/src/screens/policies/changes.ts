/** Edits of policies that concern more than one place: a name and all that refers to it change in one step. Pure. */
import { type Edit, isMapping, mappingAt, remove, rename, set, type Value, type Values, valueAt } from "../../draft/edits";
import { type Fields, moversOf, textOf, textsOf } from "./policy";

export type Template = "backup" | "backup-and-mirror" | "mirror";

const BACKUP: Fields = { every: "1h", keep: { hourly: 24, daily: 30, monthly: 12 } };
const MIRROR: Fields = { removed: "keep 30d" };

/** What an operation of each kind begins with. */
const BEGINNINGS: Record<string, Fields> = {
  backup: BACKUP,
  live: { every: "15m", keep: { hourly: 24, daily: 30 } },
  cdp: { within: "24h" },
  version: { last: 20, within: "90d" },
  replicate: { every: "1h", ...MIRROR },
  archive: { when: { older_than: "365d" }, keep: "7y", every: "1d" },
};

export function newPolicy(name: string, path: string, template: Template): Edit[] {
  const operations: Record<Template, Fields> = {
    backup: { backup: BACKUP },
    "backup-and-mirror": { backup: BACKUP, replicate: MIRROR },
    mirror: { replicate: { every: "1h", ...MIRROR } },
  };
  return [set(["policies", name], { classification: { paths: [path] }, operations: operations[template] })];
}

export function newOperation(policy: string, name: string, kind: string): Edit[] {
  const fields = BEGINNINGS[kind] ?? {};
  return [set(["policies", policy, "operations", name], name === kind ? fields : { operation: kind, ...fields })];
}

/**
 * `isKnown`: the old name is in force on nodes. `was` then lets the renamed policy go on with its points instead of beginning anew;
 * one that never was in force keeps the `was` it may have.
 */
export function renamePolicy(values: Values, from: string, to: string, isKnown: boolean): Edit[] {
  const was = textOf(valueAt(values, ["policies", from, "was"]));
  const edits: Edit[] = [rename(["policies", from], to)];
  if (was === to) edits.push(remove(["policies", to, "was"]));
  else if (isKnown || was === "") edits.push(set(["policies", to, "was"], from));
  for (const [flow, vertex] of sources(values)) {
    const path = ["flows", flow, "vertices", vertex, "policies"];
    textsOf(valueAt(values, path)).forEach((name, index) => {
      if (name === from) edits.push(set([...path, index], to));
    });
  }
  const relabel = (label: string) => (label.startsWith(`${from}/`) ? `${to}/${label.slice(from.length + 1)}` : label);
  return [...edits, ...relabelled(values, relabel)];
}

export function renameOperation(values: Values, policy: string, from: string, to: string): Edit[] {
  const path = ["policies", policy, "operations"];
  const edits: Edit[] = [];
  const kind = textOf(valueAt(values, [...path, from, "operation"]));
  // Without the key the name is the kind, so it has to be written down before the name goes.
  if (kind === "") edits.push(set([...path, from, "operation"], from));
  edits.push(rename([...path, from], to));
  if ((kind || from) === to) edits.push(remove([...path, to, "operation"]));
  for (const [name, fields] of Object.entries(mappingAt(values, path))) {
    if (isMapping(fields) && textOf(fields.after) === from) edits.push(set([...path, name === from ? to : name, "after"], to));
  }
  return [...edits, ...relabelled(values, (label) => (label === `${policy}/${from}` ? `${policy}/${to}` : label))];
}

/** Stored points stay; what waited for it runs with the others, and a mover that carried nothing else goes. */
export function removeOperation(values: Values, policy: string, operation: string): Edit[] {
  const path = ["policies", policy, "operations"];
  const waiting = Object.entries(mappingAt(values, path))
    .filter(([name, fields]) => name !== operation && isMapping(fields) && textOf(fields.after) === operation)
    .map(([name]) => remove([...path, name, "after"]));
  return [...waiting, remove([...path, operation]), ...uncarried(values, (label) => label === `${policy}/${operation}`)];
}

export function removePolicy(values: Values, policy: string): Edit[] {
  const edits = [remove(["policies", policy])];
  for (const [flow, vertex] of sources(values)) {
    const path = ["flows", flow, "vertices", vertex, "policies"];
    edits.push(...removedItems(path, textsOf(valueAt(values, path)), (name) => name === policy));
  }
  return [...edits, ...uncarried(values, (label) => label.startsWith(`${policy}/`))];
}

function sources(values: Values): [string, string][] {
  return Object.keys(mappingAt(values, ["flows"])).flatMap((flow) =>
    Object.keys(mappingAt(values, ["flows", flow, "vertices"])).map((vertex): [string, string] => [flow, vertex]),
  );
}

/** Other words for what movers carry and wait for. */
function relabelled(values: Values, relabel: (label: string) => string): Edit[] {
  return eachMover(values, (path, mover) => {
    const edits = textsOf(mover.carries).flatMap((label, index) =>
      relabel(label) === label ? [] : [set([...path, "carries", index], relabel(label))],
    );
    const after = textOf(mover.after);
    return relabel(after) === after ? edits : [...edits, set([...path, "after"], relabel(after))];
  });
}

function uncarried(values: Values, isGone: (label: string) => boolean): Edit[] {
  return eachMover(values, (path, mover) => {
    const carries = textsOf(mover.carries);
    if (carries.length > 0 && carries.every(isGone)) return [remove(path)];
    const edits = removedItems([...path, "carries"], carries, isGone);
    return isGone(textOf(mover.after)) ? [...edits, remove([...path, "after"])] : edits;
  });
}

/** From the last to the first, so that removing a mover moves none that is still to come. */
function eachMover(values: Values, edits: (path: (string | number)[], mover: Fields) => Edit[]): Edit[] {
  return Object.keys(mappingAt(values, ["flows"])).flatMap((flow) =>
    moversOf(values, flow)
      .map((mover, index) => edits(["flows", flow, "movers", index], mover))
      .reverse()
      .flat(),
  );
}

function removedItems(path: (string | number)[], items: readonly string[], isGone: (item: string) => boolean): Edit[] {
  return items.flatMap((item, index) => (isGone(item) ? [remove([...path, index])] : [])).reverse();
}

/** Set a key, or take it out when the value is null. */
export function put(values: Values, path: (string | number)[], value: Value): Edit[] {
  if (value !== null) return [set(path, value)];
  return valueAt(values, path) === undefined ? [] : [remove(path)];
}
