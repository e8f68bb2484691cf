/** Points as moments: the copies of one point in several repositories are one thing to restore from. Pure. */
import type { Schemas } from "../../api/client";

export type Point = Schemas["Point"];

export interface Moment {
  id: string;
  /** The point, as the first repository has it. */
  point: Point;
  repositories: readonly string[];
}

/** Newest first. */
export function momentsOf(points: readonly Point[]): Moment[] {
  const byId = new Map<string, Point[]>();
  for (const point of points) byId.set(point.id, [...(byId.get(point.id) ?? []), point]);
  return [...byId.entries()]
    .map(([id, copies]) => ({ id, point: copies[0]!, repositories: [...new Set(copies.map((copy) => copy.repository))].sort() }))
    .sort((a, b) => b.point.time.localeCompare(a.point.time) || b.point.seq - a.point.seq);
}

/** Labels, in order. */
export function datasetsOf(points: readonly Point[]): string[] {
  return [...new Set(points.map((point) => point.dataset))].sort((a, b) => a.localeCompare(b));
}

/** The newest moment at or before a time; null when all are later. */
export function momentAt(moments: readonly Moment[], time: string): Moment | null {
  const at = Date.parse(time);
  return moments.find((moment) => Date.parse(moment.point.time) <= at) ?? null;
}
