/** What can be joined to what, and what can then flow, as the compiler sees it. Pure. */
import { mappingAt, type Values } from "../../draft/edits";
import { type DrawnMover, type DrawnVertex, type Drawing, drawingOf, kindOf } from "./drawing";

/** Which kind of vertex takes an operation kind; kinds that are not here work on the source itself. */
const RECEIVERS: Record<string, "repository" | "mirror"> = {
  backup: "repository",
  live: "repository",
  cdp: "repository",
  version: "repository",
  archive: "repository",
  replicate: "mirror",
};

const receiverOf = (values: Values, label: string) => RECEIVERS[kindOf(values, label)];

const named = (drawing: Drawing, name: string): DrawnVertex | undefined => drawing.vertices.find((vertex) => vertex.name === name);

export const isSource = (vertex: DrawnVertex): boolean => vertex.kind === "node" || vertex.kind === "group";

/** A repository is one place, however often it is drawn. */
const placeKey = (vertex: DrawnVertex): string =>
  vertex.kind === "repository" && vertex.subject !== "" ? `repository ${vertex.subject}` : `vertex ${vertex.name}`;

/** Why no mover can be drawn from one vertex to another; null = it can. */
export function whyNot(drawing: Drawing, from: string, to: string): string | null {
  const [start, end] = [named(drawing, from), named(drawing, to)];
  if (!start || !end) return "there is no such vertex";
  if (start.kind === "mirror") return "a mirror sends nothing on";
  if (isSource(end)) return "a source takes nothing in";
  if (placeKey(start) === placeKey(end)) return from === to ? "it leads to itself" : "both are the same repository";
  if (drawing.movers.some((mover) => mover.from === from && mover.to === to)) return "they are connected already";
  return reaches(drawing, end, start) ? "data would run in a circle" : null;
}

function reaches(drawing: Drawing, start: DrawnVertex, end: DrawnVertex): boolean {
  const keys = new Map(drawing.vertices.map((vertex) => [vertex.name, placeKey(vertex)]));
  const seen = new Set([placeKey(start)]);
  const waiting = [...seen];
  for (let here = waiting.pop(); here !== undefined; here = waiting.pop()) {
    if (here === placeKey(end)) return true;
    for (const mover of drawing.movers) {
      const next = keys.get(mover.to);
      if (keys.get(mover.from) !== here || next === undefined || seen.has(next)) continue;
      seen.add(next);
      waiting.push(next);
    }
  }
  return false;
}

/** The operations, as `POLICY/OPERATION`, that there are at a vertex to be carried on. */
export function available(values: Values, drawing: Drawing, from: string): string[] {
  const start = named(drawing, from);
  if (!start) return [];
  if (isSource(start)) return start.policies.flatMap((policy) => operationsOf(values, policy)).filter((label) => receiverOf(values, label));
  if (start.kind === "relay") return unique(drawing.movers.filter((mover) => mover.to === from).flatMap((mover) => mover.carries));
  if (start.kind !== "repository") return [];
  const arrived = unique(everywhere(values, drawing).flatMap(({ vertices, movers }) => arrivingAt(start, vertices, movers)));
  const policies = unique(arrived.map((label) => label.split("/")[0] ?? ""));
  const mirrored = policies.flatMap((policy) => operationsOf(values, policy)).filter((label) => receiverOf(values, label) === "mirror");
  return unique([...arrived, ...mirrored]);
}

/** All flows: a repository is filled from any of them. */
const everywhere = (values: Values, drawing: Drawing): Drawing[] =>
  Object.keys(mappingAt(values, ["flows"])).map((flow) => (flow === drawing.flow ? drawing : drawingOf(values, flow)));

function arrivingAt(repository: DrawnVertex, vertices: readonly DrawnVertex[], movers: readonly DrawnMover[]): string[] {
  const here = new Set(vertices.filter((vertex) => placeKey(vertex) === placeKey(repository)).map((vertex) => vertex.name));
  return movers.filter((mover) => here.has(mover.to)).flatMap((mover) => mover.carries);
}

/** Those of them that the other end can take. */
export function fitting(values: Values, drawing: Drawing, from: string, to: string): string[] {
  const end = named(drawing, to);
  if (!end) return [];
  return available(values, drawing, from).filter((label) => {
    const receiver = receiverOf(values, label);
    return receiver !== undefined && (end.kind === "relay" || end.kind === receiver);
  });
}

/** What a new mover carries: all that fits and does not leave its start yet; all that fits when everything does. */
export function obvious(values: Values, drawing: Drawing, from: string, to: string): string[] {
  const fit = fitting(values, drawing, from, to);
  const leaving = new Set(drawing.movers.filter((mover) => mover.from === from).flatMap((mover) => mover.carries));
  const rest = fit.filter((label) => !leaving.has(label));
  return rest.length > 0 ? rest : fit;
}

const operationsOf = (values: Values, policy: string): string[] =>
  Object.keys(mappingAt(values, ["policies", policy, "operations"])).map((operation) => `${policy}/${operation}`);

const unique = (items: readonly string[]): string[] => [...new Set(items)];
