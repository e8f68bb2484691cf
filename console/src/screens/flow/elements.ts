/** The drawing as React Flow wants it. What did not change stays the same object, so that only what changed is drawn again. Pure. */
import type { Edge, Node } from "@xyflow/react";
import type { Diagnostic } from "../../draft/draft";
import { counted, visible } from "../../parts/format";
import type { Drawing, DrawnMover, DrawnVertex, VertexKind } from "./drawing";
import { moverKey, texts } from "./drawing";
import { heightOf, inReadingOrder, type Place, WIDTH } from "./layout";
import type { MoverOverlay, Overlay, VertexOverlay } from "./overlay";
import { moverThing, type ThingId, vertexThing } from "./things";

export type Marks = readonly Diagnostic[];
export type VertexData = { vertex: DrawnVertex; marks: Marks; overlay: VertexOverlay | null; readOnly: boolean };
const onlyWords = (mover: DrawnMover): string => {
  const only = texts(mover.fields.only);
  return only.length > 0 ? `, only ${only.join(", ")}` : "";
};

/** `words` is what stands on the line: operations, with their policy only where the flow has several. */
export type MoverData = { mover: DrawnMover; words: string; marks: Marks; overlay: MoverOverlay | null; twin: number };
export type VertexElement = Node<VertexData, "vertex">;
export type MoverElement = Edge<MoverData, "mover">;

const MOST_CARRIED = 2;

export interface Shown {
  drawing: Drawing;
  places: ReadonlyMap<string, Place>;
  marks: ReadonlyMap<ThingId, Marks>;
  overlay: Overlay | null;
  readOnly: boolean;
}

export const KIND_WORDS: Record<VertexKind, string> = {
  node: "source",
  group: "group",
  repository: "repository",
  mirror: "mirror",
  relay: "relay",
};

const NONE: Marks = [];

export function vertexElements({ drawing, places, marks, overlay, readOnly }: Shown): VertexElement[] {
  return inReadingOrder(drawing.vertices, places).map((vertex) => {
    const id = vertexThing(vertex.name);
    const [x, y] = places.get(vertex.name)!;
    const data = { vertex, marks: marks.get(id) ?? NONE, overlay: overlay?.vertices.get(vertex.name) ?? null, readOnly };
    return {
      id,
      type: "vertex",
      position: { x, y },
      initialWidth: WIDTH,
      initialHeight: heightOf(vertex),
      ariaLabel: vertexLabel(data),
      domAttributes: { tabIndex: -1, "aria-roledescription": "vertex" },
      data,
    };
  });
}

export function moverElements({ drawing, marks, overlay }: Shown): MoverElement[] {
  const names = new Set(drawing.vertices.map((vertex) => vertex.name));
  const twins = new Map<string, number>();
  const policies = new Set(drawing.movers.flatMap((mover) => mover.carries.map((label) => label.split("/")[0])));
  const elements: MoverElement[] = [];
  for (const mover of drawing.movers) {
    const key = moverKey(mover);
    const twin = twins.get(key) ?? 0;
    twins.set(key, twin + 1);
    if (!names.has(mover.from) || !names.has(mover.to)) continue;
    const id = moverThing(mover);
    const words = carriedWords(mover.carries, policies.size < 2) + onlyWords(mover);
    const data = { mover, words, marks: marks.get(id) ?? NONE, overlay: overlay?.movers.get(mover.id) ?? null, twin };
    elements.push({
      id,
      type: "mover",
      source: vertexThing(mover.from),
      target: vertexThing(mover.to),
      ariaLabel: moverLabel(data),
      domAttributes: { tabIndex: -1, "aria-roledescription": "mover" },
      data,
    });
  }
  return elements;
}

function carriedWords(labels: readonly string[], isOnePolicy: boolean): string {
  if (labels.length === 0) return "carries nothing yet";
  const rest = labels.length - MOST_CARRIED;
  const shown = labels.slice(0, MOST_CARRIED).map((label) => (isOnePolicy ? label.slice(label.indexOf("/") + 1) : label));
  return shown.join(", ") + (rest > 0 ? ` +${rest}` : "");
}

function vertexLabel({ vertex, marks, overlay }: VertexData): string {
  const parts = [`${visible(vertex.name)}, ${KIND_WORDS[vertex.kind]}`, visible(vertex.about)];
  if (vertex.policies.length > 0) parts.push(`policies ${vertex.policies.map(visible).join(", ")}`);
  if (overlay) parts.push(overlay.state, ...overlay.lines);
  return withMarks(parts, marks);
}

function moverLabel({ mover, marks, overlay }: MoverData): string {
  const parts = [`Mover from ${visible(mover.from)} to ${visible(mover.to)}`, mover.mode, `carries ${mover.carries.map(visible).join(", ") || "nothing yet"}`];
  if (overlay) parts.push(overlay.state, overlay.label);
  return withMarks(parts, marks);
}

function withMarks(parts: readonly string[], marks: Marks): string {
  const problems = marks.length > 0 ? [`${counted(marks.length, "problem")}: ${visible(marks[0]!.message)}`] : [];
  return [...parts, ...problems].filter(Boolean).join(", ");
}

/** The new elements with what the canvas knows of the old ones (selection, measures), and the old objects where nothing differs. */
export function taken<E extends { id: string; data?: VertexData | MoverData; selected?: boolean }>(
  before: readonly E[],
  next: readonly E[],
  selected: ReadonlySet<ThingId>,
): E[] {
  const old = new Map(before.map((element) => [element.id, element]));
  return next.map((element) => {
    const was = old.get(element.id);
    const isSelected = selected.has(element.id);
    if (!was) return { ...element, selected: isSelected };
    const data = was.data && element.data && isAlike(was.data, element.data) ? was.data : element.data;
    const now = { ...was, ...element, data, selected: isSelected };
    return isAlike(was, now) ? was : now;
  });
}

const OWN = new Set(["domAttributes"]);

/** Equal to the third level: values of the document keep their identity where nothing was edited. */
function isAlike(one: object, other: object, depth = 2): boolean {
  const [a, b] = [one as Record<string, unknown>, other as Record<string, unknown>];
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return false;
  return keys.every((key) => {
    if (OWN.has(key) || Object.is(a[key], b[key])) return true;
    const [left, right] = [a[key], b[key]];
    return depth > 0 && !!left && !!right && typeof left === "object" && typeof right === "object" && isAlike(left, right, depth - 1);
  });
}
