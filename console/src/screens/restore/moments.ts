/** Points as moments: the copies of one point in several repositories are one thing to restore from. Pure. */
import type { Schemas } from "../../api/client";
import type { Gap, State } from "./timeline";

export type Point = Schemas["Point"];

/** What something is restored from: a point, or a moment by its address. `paths`: the roots of its dataset. */
export interface Stand {
  id: string;
  dataset: string;
  time: string;
  paths: readonly string[];
}

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

/** Labels, in order: of what has points, and of what is followed and may have none. */
export function datasetsOf(points: readonly Pick<Point, "dataset">[], followed: readonly { dataset: string }[] = []): string[] {
  return [...new Set([...points, ...followed].map((each) => each.dataset))].sort((a, b) => a.localeCompare(b));
}

/** One line of the list beside the timeline. */
export type Line = { id: string; time: string } & (
  | { kind: "point"; files: number; bytes: number; operation: string; repositories: readonly string[] }
  | { kind: "moment"; files: number; bytes: number }
  | { kind: "gap"; gap: Gap }
);

/** Newest first. A moment that is a point stands there as that; a gap where it ended. */
export function linesOf(points: readonly Moment[], states: readonly State[], gaps: readonly Gap[]): Line[] {
  const known = new Set(points.map((moment) => moment.id));
  const lines: Line[] = [
    ...points.map(({ id, point, repositories }): Line => {
      const { time, files, bytes, operation } = point;
      return { id, time, kind: "point", files, bytes, operation, repositories };
    }),
    ...states
      .filter((state) => !state.points.some((id) => known.has(id)))
      .map(({ address, time, files, size_bytes: bytes }): Line => ({ id: address, time, kind: "moment", files, bytes })),
    ...gaps.map((gap): Line => ({ id: `gap ${gap.since} ${gap.until} ${gap.path}`, time: gap.until, kind: "gap", gap })),
  ];
  return lines.sort((a, b) => Date.parse(b.time) - Date.parse(a.time));
}
