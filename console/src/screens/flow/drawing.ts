/** A flow as it is drawn: vertices and movers out of the document's values, also while these are incomplete or wrong. Pure. */
import { isMapping, mappingAt, type Value, type Values, valueAt } from "../../draft/edits";

export type VertexKind = "node" | "group" | "repository" | "mirror" | "relay";

export interface DrawnVertex {
  name: string;
  kind: VertexKind;
  /** The node, group or repository it stands for; empty while it is not chosen. */
  subject: string;
  policies: readonly string[];
  /** Where it was put; null = wherever the drawing is tidy. */
  place: readonly [number, number] | null;
  /** As it is written. */
  fields: { [key: string]: Value };
}

export interface DrawnMover {
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
  const vertices = Object.entries(mappingAt(values, ["flows", flow, "vertices"])).map(([name, value]) => vertexOf(name, value));
  const listed = valueAt(values, ["flows", flow, "movers"]);
  const movers = (Array.isArray(listed) ? listed : []).map((value, index) => moverOf(values, index, value));
  return { flow, vertices, movers };
}

function vertexOf(name: string, value: Value): DrawnVertex {
  const fields = isMapping(value) ? value : {};
  const kind = KINDS.find((each) => each in fields) ?? "node";
  const place = Array.isArray(fields.place) && fields.place.length === 2 ? fields.place : [];
  const [x, y] = place;
  return {
    name,
    kind,
    subject: text(fields[kind]),
    policies: texts(fields.policies),
    place: typeof x === "number" && typeof y === "number" ? [x, y] : null,
    fields,
  };
}

function moverOf(values: Values, index: number, value: Value): DrawnMover {
  const fields = isMapping(value) ? value : {};
  const carries = texts(fields.carries);
  const isContinuous = fields.mode === "continuous" || carries.some((carried) => CONTINUOUS_KINDS.has(kindOf(values, carried)));
  return { index, from: text(fields.from), to: text(fields.to), carries, mode: isContinuous ? "continuous" : "batch", fields };
}

/** The kind of an operation written `POLICY/OPERATION`: its name, unless it says otherwise. */
export function kindOf(values: Values, carried: string): string {
  const [policy = "", operation = ""] = carried.split("/");
  const kind = valueAt(values, ["policies", policy, "operations", operation, "operation"]);
  return text(kind) || operation;
}
