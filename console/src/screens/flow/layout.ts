/** Where vertices stand: where they were put, and otherwise from left to right as the data runs. The same drawing gives the same places. Pure. */
import { Graph, layout } from "@dagrejs/dagre";
import type { Drawing, DrawnVertex } from "./drawing";

export type Place = readonly [number, number];

export const WIDTH = 190;
export const GRID = 10;
/** The widest label of a mover has room between them, with some of its line. */
const BETWEEN_COLUMNS = 190;
const BETWEEN_ROWS = 36;

/** What a vertex takes up, in pixels; true enough to arrange them. */
export const heightOf = (vertex: Pick<DrawnVertex, "policies">): number => 66 + (vertex.policies.length > 0 ? 30 : 0);

export const onGrid = (value: number): number => Math.round(value / GRID) * GRID || 0;

/** A place for every vertex, by name. */
export function placesOf(drawing: Drawing): ReadonlyMap<string, Place> {
  const placed = drawing.vertices.filter((vertex) => vertex.place !== null);
  const places = new Map<string, Place>(placed.map((vertex) => [vertex.name, vertex.place!]));
  if (placed.length === drawing.vertices.length) return places;
  const tidy = arranged(drawing);
  const first = placed[0];
  const anchor = first ? tidy.get(first.name)! : ([0, 0] as const);
  const [dx, dy] = first ? [first.place![0] - anchor[0], first.place![1] - anchor[1]] : [0, 0];
  for (const vertex of drawing.vertices) {
    if (places.has(vertex.name)) continue;
    const [x, y] = tidy.get(vertex.name)!;
    places.set(vertex.name, freePlace([x + dx, y + dy], places.values()));
  }
  return places;
}

function arranged(drawing: Drawing): ReadonlyMap<string, Place> {
  const graph = new Graph();
  graph.setGraph({ rankdir: "LR", ranksep: BETWEEN_COLUMNS, nodesep: BETWEEN_ROWS, marginx: 0, marginy: 0 });
  graph.setDefaultEdgeLabel(() => ({}));
  // By number: a name may be one that objects treat in their own way.
  const numbers = new Map(drawing.vertices.map((vertex, index) => [vertex.name, String(index)]));
  for (const vertex of drawing.vertices) graph.setNode(numbers.get(vertex.name)!, { width: WIDTH, height: heightOf(vertex) });
  for (const mover of drawing.movers) {
    const [from, to] = [numbers.get(mover.from), numbers.get(mover.to)];
    if (from !== undefined && to !== undefined && from !== to) graph.setEdge(from, to);
  }
  layout(graph);
  return new Map(
    drawing.vertices.map((vertex) => {
      const { x, y } = graph.node(numbers.get(vertex.name)!) as { x: number; y: number };
      return [vertex.name, [onGrid(x - WIDTH / 2), onGrid(y - heightOf(vertex) / 2)]];
    }),
  );
}

/** `wanted`, or the next place below it where nothing stands. */
export function freePlace(wanted: Place, taken: Iterable<Place>): Place {
  const others = [...taken];
  const [x, start] = [onGrid(wanted[0]), onGrid(wanted[1])];
  for (let y = start; ; y += 40) if (!others.some(([ox, oy]) => Math.abs(ox - x) < WIDTH + 20 && Math.abs(oy - y) < 110)) return [x, y];
}

/** From left to right, then down: as one reads. */
export function inReadingOrder(vertices: readonly DrawnVertex[], places: ReadonlyMap<string, Place>): DrawnVertex[] {
  return [...vertices].sort((one, other) => {
    const [a, b] = [places.get(one.name)!, places.get(other.name)!];
    return a[0] - b[0] || a[1] - b[1];
  });
}
