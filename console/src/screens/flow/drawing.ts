/** A flow as it is drawn: vertices and movers out of the document's values, also while these are incomplete or wrong. Pure. */
import { isMapping, mappingAt, type Value, type Values, valueAt } from "../../draft/edits";
import { counted } from "../../parts/format";

export type VertexKind = "node" | "group" | "repository" | "mirror" | "relay";

export interface DrawnVertex {
  name: string;
  kind: VertexKind;
  /** The node, group or repository it stands for; empty while it is not chosen. */
  subject: string;
  /** What that is, in a few words: `main on vault`, `fleet, 2,000 nodes`. */
  about: string;
  /** Kept in an object store. */
  isRemote: boolean;
  policies: readonly string[];
  /** Where it was put; null = wherever the drawing is tidy. */
  place: readonly [number, number] | null;
  /** As it is written. */
  fields: { [key: string]: Value };
}

export interface DrawnMover {
  /** Its name in the drawing: `from->to`, with a number behind it when the same ends are joined more than once. */
  id: string;
  /** Its place in the flow's list of movers. */
  index: number;
  from: string;
  to: string;
  carries: readonly string[];
  mode: "batch" | "continuous";
  fields: { [key: string]: Value };
}

export interface Drawing {
  flow: string;
  vertices: readonly DrawnVertex[];
  movers: readonly DrawnMover[];
}

export const CONTINUOUS_KINDS = new Set(["live", "cdp", "version", "track"]);
const KINDS: readonly VertexKind[] = ["group", "repository", "mirror", "relay", "node"];

const text = (value: Value | undefined): string => (typeof value === "string" || typeof value === "number" ? String(value) : "");
export const texts = (value: Value | undefined): string[] => (Array.isArray(value) ? value.map(text).filter(Boolean) : []);

/** The key by which monitors and diagnostics name a mover. */
export const moverKey = (mover: Pick<DrawnMover, "from" | "to">): string => `${mover.from}->${mover.to}`;

export function drawingOf(values: Values, flow: string): Drawing {
  const vertices = Object.entries(mappingAt(values, ["flows", flow, "vertices"])).map(([name, value]) => vertexOf(values, name, value));
  const listed = valueAt(values, ["flows", flow, "movers"]);
  const seen = new Map<string, number>();
  const movers = (Array.isArray(listed) ? listed : []).map((value, index) => {
    const mover = moverOf(values, index, value);
    const count = (seen.get(mover.id) ?? 0) + 1;
    seen.set(mover.id, count);
    return count > 1 ? { ...mover, id: `${mover.id}#${count}` } : mover;
  });
  return { flow, vertices, movers };
}

function vertexOf(values: Values, name: string, value: Value): DrawnVertex {
  const fields = isMapping(value) ? value : {};
  const kind = KINDS.find((each) => each in fields) ?? "node";
  const place = Array.isArray(fields.place) && fields.place.length === 2 ? fields.place : [];
  const [x, y] = place;
  return {
    name,
    kind,
    subject: text(fields[kind]),
    ...aboutOf(values, kind, fields),
    policies: texts(fields.policies),
    place: typeof x === "number" && typeof y === "number" ? [x, y] : null,
    fields,
  };
}

function aboutOf(values: Values, kind: VertexKind, fields: { [key: string]: Value }): { about: string; isRemote: boolean } {
  const subject = text(fields[kind]);
  const facts = mappingAt(values, ["repositories", subject]);
  const isRemote = kind === "repository" && text(facts.location).startsWith("s3://");
  if (subject === "") return { about: `no ${kind === "mirror" || kind === "relay" ? "node" : kind} chosen yet`, isRemote };
  if (kind === "group") return { about: `${subject}, ${counted(membersOf(values, subject).length, "node")}`, isRemote };
  if (kind === "repository") return { about: text(facts.node) ? `${subject} on ${text(facts.node)}` : subject, isRemote };
  if (kind === "mirror") return { about: `on ${subject}${text(fields.path) && `, ${text(fields.path)}`}`, isRemote };
  return { about: kind === "relay" ? `through ${subject}` : subject, isRemote };
}

/** The nodes of a group, by name: those it lists, or all that bear its tags. */
export function membersOf(values: Values, group: string): string[] {
  const facts = mappingAt(values, ["groups", group]);
  const tags = texts(facts.tags);
  const tagged = tags.length === 0 ? [] : Object.entries(mappingAt(values, ["nodes"])).filter(([, node]) => bears(node, tags));
  return [...new Set([...texts(facts.nodes), ...tagged.map(([name]) => name)])];
}

function bears(node: Value, tags: readonly string[]): boolean {
  const own = new Set(texts(isMapping(node) ? node.tags : undefined));
  return tags.every((tag) => own.has(tag));
}

function moverOf(values: Values, index: number, value: Value): DrawnMover {
  const fields = isMapping(value) ? value : {};
  const carries = texts(fields.carries);
  const isContinuous = fields.mode === "continuous" || needsStream(values, carries).length > 0;
  const ends = { from: text(fields.from), to: text(fields.to) };
  return { id: moverKey(ends), index, ...ends, carries, mode: isContinuous ? "continuous" : "batch", fields };
}

/** What a mover carries that needs a continuous stream: with it the mover is continuous, whatever it says. */
export const needsStream = (values: Values, carries: readonly string[]): string[] => carries.filter((carried) => CONTINUOUS_KINDS.has(kindOf(values, carried)));

/** The kind of an operation written `POLICY/OPERATION`: its name, unless it says otherwise. */
export function kindOf(values: Values, carried: string): string {
  const [policy = "", operation = ""] = carried.split("/");
  const kind = valueAt(values, ["policies", policy, "operations", operation, "operation"]);
  return text(kind) || operation;
}
