/** What is worth knowing of a point at a glance, and filtering points by it. Pure. */
import { proofHolds } from "../../parts/drills";
import type { Point } from "./figures";

export type Mark = "suspect" | "held" | "proven" | "doubted" | "locked" | "expiring" | "tagged" | "warnings" | "foreign";

export const MARKS: readonly { value: Mark; label: string }[] = [
  { value: "suspect", label: "suspect" },
  { value: "held", label: "held by an anomaly" },
  { value: "proven", label: "proven restorable" },
  { value: "doubted", label: "not proven" },
  { value: "locked", label: "locked" },
  { value: "expiring", label: "told to expire" },
  { value: "tagged", label: "tagged" },
  { value: "warnings", label: "with warnings" },
  { value: "foreign", label: "of another program" },
];

export function isLocked(point: Pick<Point, "locked_until">, nowMs: number): boolean {
  return point.locked_until !== null && Date.parse(point.locked_until) > nowMs;
}

export function marksOf(point: Point, nowMs: number): Set<Mark> {
  const marks = new Set<Mark>();
  if (point.suspect) marks.add("suspect");
  if (point.held_until) marks.add("held");
  const proof = proofHolds(point.proof);
  if (proof !== null) marks.add(proof ? "proven" : "doubted");
  if (isLocked(point, nowMs)) marks.add("locked");
  if (point.expires_at) marks.add("expiring");
  if (point.tags.length > 0) marks.add("tagged");
  if (point.warnings > 0) marks.add("warnings");
  if (point.foreign) marks.add("foreign");
  return marks;
}

export interface PointFilter {
  dataset: string;
  operation: string;
  mark: string;
  tag: string;
}

/** Newest first. */
export function chosenPoints(points: readonly Point[], filter: PointFilter, nowMs: number): Point[] {
  return points
    .filter(
      (point) =>
        (!filter.dataset || point.dataset === filter.dataset) &&
        (!filter.operation || point.operation === filter.operation) &&
        (!filter.tag || point.tags.includes(filter.tag) || point.inherited.includes(filter.tag)) &&
        (!filter.mark || marksOf(point, nowMs).has(filter.mark as Mark)),
    )
    .sort((a, b) => (a.time < b.time ? 1 : a.time > b.time ? -1 : 0));
}

/** One row of the table: an id alone may stand in several datasets. */
export const rowKeyOf = (point: Pick<Point, "id" | "dataset_id" | "operation">): string => `${point.id}/${point.dataset_id}/${point.operation}`;
