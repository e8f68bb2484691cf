/** What is done on the canvas, as edits of the document: each is one step of the history. Pure. */
import { type Edit, freeName, mappingAt, remove, rename, set, type Step, type Value, type Values, valueAt } from "../../draft/edits";
import { obvious } from "./connecting";
import { type Drawing, type DrawnMover, type DrawnVertex, moverKey, type VertexKind } from "./drawing";
import type { Place } from "./layout";
import { moverOfThing, type ThingId, vertexOfThing } from "./things";

/** Edits with what the step is called. */
export interface Change {
  edits: Edit[];
  label: string;
}

/** Something to be added: a kind of vertex, and the node, group or repository it stands for when that is known. */
export interface NewThing {
  kind: VertexKind;
  subject: string;
  /** Drawn with a mover that leads there. A vault dials: its machine opens no port. */
  template?: "vault";
}

const FIRST_NAMES: Record<VertexKind, string> = { node: "source", group: "group", repository: "store", mirror: "copy", relay: "relay" };
const VAULT = "vault";
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

/** Why this cannot be a name; null = it can. */
export function nameProblem(name: string, taken: readonly string[]): string | null {
  if (!NAME.test(name)) return "Letters, digits, “.”, “_” and “-”, at most 63; the first is a letter or digit";
  return taken.includes(name) ? "There is one of that name" : null;
}

const vertexPath = (flow: string, name: string, ...rest: Step[]): Step[] => ["flows", flow, "vertices", name, ...rest];
export const moverPath = (flow: string, index: number, ...rest: Step[]): Step[] => ["flows", flow, "movers", index, ...rest];

/** `place` null = wherever the drawing is tidy. */
export function addVertex(values: Values, drawing: Drawing, { kind, subject, template }: NewThing, place: Place | null): Change & { name: string } {
  const wanted = template === "vault" ? VAULT : kind !== "mirror" && NAME.test(subject) ? subject : FIRST_NAMES[kind];
  const name = freeName(wanted, drawing.vertices.map((vertex) => vertex.name));
  const fields: { [key: string]: Value } = { [kind]: subject };
  if (kind === "node" || kind === "group") {
    // With one policy there is nothing to choose.
    const policies = Object.keys(mappingAt(values, ["policies"]));
    fields.policies = policies.length === 1 ? policies : [];
  }
  if (kind === "mirror") fields.path = "";
  if (place) fields.place = [...place];
  const edits = [...knownNode(values, kind, subject), set(vertexPath(drawing.flow, name), fields)];
  if (template === "vault") edits.push(...pulledBy(values, drawing, name));
  return { edits, label: `Add ${name}`, name };
}

/** What the first repository of the drawing holds goes on to the new one, which dials. */
function pulledBy(values: Values, drawing: Drawing, name: string): Edit[] {
  const from = drawing.vertices.find((vertex) => vertex.kind === "repository")?.name;
  if (from === undefined) return [];
  const end: DrawnVertex = { name, kind: "repository", subject: "", about: "", isRemote: false, policies: [], place: null, fields: {} };
  const { edits } = connect(values, { ...drawing, vertices: [...drawing.vertices, end] }, from, name);
  return edits.map((edit) => (edit.op === "set" ? set(edit.path, dialled(edit.value)) : edit));
}

const dialled = (written: Value | undefined): Value =>
  Array.isArray(written) ? written.map(dialled) : { ...(written as { [key: string]: Value }), dial: "to" };

/** A node that has joined and is not in the document comes into it. */
export function knownNode(values: Values, kind: VertexKind, subject: string): Edit[] {
  const isNode = kind === "node" || kind === "mirror" || kind === "relay";
  return isNode && subject !== "" && !Object.hasOwn(mappingAt(values, ["nodes"]), subject) ? [set(["nodes", subject], {})] : [];
}

export function renameVertex(drawing: Drawing, name: string, next: string): Change {
  const ends = drawing.movers.flatMap((mover) =>
    (["from", "to"] as const).filter((end) => mover[end] === name).map((end) => set(moverPath(drawing.flow, mover.index, end), next)),
  );
  return { edits: [rename(vertexPath(drawing.flow, name), next), ...ends], label: `Rename ${name} to ${next}` };
}

/** With the movers that lead there; the last first, so that places in the list stay true. */
export function removeThings(drawing: Drawing, things: readonly ThingId[]): Change {
  const vertices = things.flatMap((thing) => vertexOfThing(drawing, thing) ?? []);
  const gone = new Set(vertices.map((vertex) => vertex.name));
  const named = new Set(things.flatMap((thing) => moverOfThing(drawing, thing) ?? []));
  const movers = drawing.movers.filter((mover) => named.has(mover) || gone.has(mover.from) || gone.has(mover.to));
  const edits = [
    ...[...movers].reverse().map((mover) => remove(moverPath(drawing.flow, mover.index))),
    ...vertices.map((vertex) => remove(vertexPath(drawing.flow, vertex.name))),
  ];
  const first = vertices[0]?.name ?? (movers[0] ? moverName(movers[0]) : "");
  const count = vertices.length || movers.length;
  return { edits, label: count === 1 ? `Remove ${first}` : `Remove ${count} things` };
}

export const moverName = (mover: Pick<DrawnMover, "from" | "to">): string => `${mover.from} to ${mover.to}`;

export function connect(values: Values, drawing: Drawing, from: string, to: string): Change & { carries: string[]; thing: ThingId } {
  const carries = obvious(values, drawing, from, to);
  const mover = { from, to, carries };
  const movers: Step[] = ["flows", drawing.flow, "movers"];
  const hasList = Array.isArray(valueAt(values, movers));
  const edits = [hasList ? set([...movers, drawing.movers.length], mover) : set(movers, [mover])];
  return { edits, label: `Connect ${from} to ${to}`, carries, thing: `mover:${moverKey(mover)}` };
}

/** Once one vertex was put somewhere by hand, the others stay where they are seen, too. */
export function placeVertices(drawing: Drawing, moved: readonly string[], places: ReadonlyMap<string, Place>): Change {
  const names = new Set(moved);
  const edits = drawing.vertices.flatMap((vertex) => {
    const place = places.get(vertex.name);
    return place && (vertex.place === null || names.has(vertex.name)) ? [set(vertexPath(drawing.flow, vertex.name, "place"), [...place])] : [];
  });
  return { edits, label: moved.length === 1 ? `Move ${moved[0]}` : `Move ${moved.length} vertices` };
}

/** All go back to where the drawing is tidy by itself. */
export function tidy(drawing: Drawing): Change {
  const placed = drawing.vertices.filter((vertex) => "place" in vertex.fields);
  return { edits: placed.map((vertex) => remove(vertexPath(drawing.flow, vertex.name, "place"))), label: "Tidy" };
}

export function setVertex(flow: string, name: string, key: string, value: Value): Change {
  return { edits: [set(vertexPath(flow, name, key), value)], label: `Change ${key} of ${name}` };
}

/** Sets an option of a mover; null takes it out. */
export function setMover(flow: string, mover: DrawnMover, key: string, value: Value): Change {
  const label = `Change ${key} of ${moverName(mover)}`;
  if (value !== null) return { edits: [set(moverPath(flow, mover.index, key), value)], label };
  return { edits: key in mover.fields ? [remove(moverPath(flow, mover.index, key))] : [], label };
}

/** One item more or less in a list of names; what stands beside it keeps its comments. */
export function toggle(list: readonly string[] | null, path: Step[], item: string, label: string): Change {
  if (list === null) return { edits: [set(path, [item])], label };
  const at = list.indexOf(item);
  return { edits: [at < 0 ? set([...path, list.length], item) : remove([...path, at])], label };
}
