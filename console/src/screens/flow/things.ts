/** Names of what can be selected in a drawing, as they stand in the address: `vertex:store`, `mover:files->store`. Pure. */
import type { Diagnostic } from "../../draft/draft";
import type { Drawing, DrawnMover, DrawnVertex } from "./drawing";

export type ThingId = string;

export const vertexThing = (name: string): ThingId => `vertex:${name}`;
export const moverThing = (mover: Pick<DrawnMover, "id">): ThingId => `mover:${mover.id}`;

export const vertexOfThing = (drawing: Drawing, thing: ThingId): DrawnVertex | undefined =>
  drawing.vertices.find((vertex) => vertexThing(vertex.name) === thing);
export const moverOfThing = (drawing: Drawing, thing: ThingId): DrawnMover | undefined =>
  drawing.movers.find((mover) => moverThing(mover) === thing);

const MOVER_PATH = /^movers\[(\d+)\]/;

/** The things of the drawing that a diagnostic speaks of; none when it belongs to no drawn thing. */
export function thingsOf(drawing: Drawing, { where }: Pick<Diagnostic, "where">): ThingId[] {
  if (where.flow && where.flow !== drawing.flow) return [];
  const standFor = (isIt: (vertex: DrawnVertex) => boolean) => drawing.vertices.filter(isIt).map((vertex) => vertexThing(vertex.name));
  switch (where.kind) {
    case "vertex":
      return standFor((vertex) => vertex.name === where.name);
    case "mover": {
      const index = MOVER_PATH.exec(where.path.slice(`flows.${drawing.flow}.`.length))?.[1];
      const found = drawing.movers.filter((mover) => (index === undefined ? mover.id === where.name : mover.index === Number(index)));
      return found.map(moverThing);
    }
    case "policy":
    case "operation": {
      const policy = where.kind === "policy" ? where.name : where.name.split("/")[0];
      return standFor((vertex) => policy !== undefined && vertex.policies.includes(policy));
    }
    case "repository":
    case "group":
      return standFor((vertex) => vertex.kind === where.kind && vertex.subject === where.name);
    case "node":
      return standFor((vertex) => vertex.subject === where.name && vertex.kind !== "repository" && vertex.kind !== "group");
    default:
      return [];
  }
}

const RANK = { error: 0, warning: 1, info: 2 } as const;

/** The errors and warnings by thing, worst first. */
export function marksOf(drawing: Drawing, diagnostics: readonly Diagnostic[]): ReadonlyMap<ThingId, readonly Diagnostic[]> {
  const marks = new Map<ThingId, Diagnostic[]>();
  for (const diagnostic of [...diagnostics].sort((a, b) => RANK[a.level] - RANK[b.level])) {
    if (diagnostic.level === "info") continue;
    for (const thing of thingsOf(drawing, diagnostic)) marks.set(thing, [...(marks.get(thing) ?? []), diagnostic]);
  }
  return marks;
}
