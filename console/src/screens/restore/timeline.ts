/** A dataset over time: the states that can be chosen, the band in which any moment can be, and the gaps. Pure. */
import type { Schemas } from "../../api/client";
import type { GapReason } from "../../parts/following";
import { textOfBytes } from "./paths";

export type State = Schemas["Moment"];

/** Milliseconds since 1970, both ends with it. */
export interface View {
  fromMs: number;
  toMs: number;
}

/** A state that can be chosen: a point, or a moment between points. */
export interface Stop {
  id: string;
  atMs: number;
  kind: "point" | "moment";
}

export interface Gap {
  path: string;
  since: string;
  until: string;
  reason: GapReason;
}

const HOUR_S = 3_600;
const DAY_S = 24 * HOUR_S;

/** How much of the time is shown, the finest first; what the address calls it, and people. */
export const SPANS = [
  { name: "5m", title: "5 minutes", seconds: 300 },
  { name: "1h", title: "Hour", seconds: HOUR_S },
  { name: "6h", title: "6 hours", seconds: 6 * HOUR_S },
  { name: "1d", title: "Day", seconds: DAY_S },
  { name: "7d", title: "Week", seconds: 7 * DAY_S },
  { name: "30d", title: "30 days", seconds: 30 * DAY_S },
  { name: "1y", title: "Year", seconds: 365 * DAY_S },
  { name: "10y", title: "10 years", seconds: 3_650 * DAY_S },
] as const;
export type SpanName = (typeof SPANS)[number]["name"];

/** The finest span, of a day at least, that holds the newest few states. */
export function usualSpan(stops: readonly Stop[], nowMs: number): SpanName {
  const [newest, ...more] = [...stops].sort((a, b) => b.atMs - a.atMs).slice(0, 3);
  const oldest = more.at(-1) ?? newest;
  const age = oldest ? (nowMs - oldest.atMs) / 1000 : 0;
  return SPANS.find((span) => span.seconds >= DAY_S && span.seconds >= age)?.name ?? "10y";
}

export const spanOf = (name: string) => SPANS.find((span) => span.name === name) ?? null;

/** One step finer (-1) or coarser (1); the same at the ends. */
export function zoomed(name: SpanName, step: -1 | 1): SpanName {
  const index = SPANS.findIndex((span) => span.name === name) + step;
  return SPANS[Math.max(0, Math.min(SPANS.length - 1, index))]!.name;
}

/** `until` empty or not a time = up to now. */
export function viewOf(name: SpanName, until: string, nowMs: number): View {
  const end = Date.parse(until);
  const toMs = Number.isNaN(end) ? nowMs : Math.min(end, nowMs);
  return { fromMs: toMs - spanOf(name)!.seconds * 1000, toMs };
}

/** Where the view ends after a step of half its width; empty = at now. */
export function panned(view: View, step: -1 | 1, nowMs: number): string {
  const toMs = view.toMs + (step * (view.toMs - view.fromMs)) / 2;
  return toMs >= nowMs ? "" : new Date(toMs).toISOString();
}

/** Where the view ends after a zoom that keeps what is chosen in its middle; empty = at now. */
export function endAround(atMs: number | null, name: SpanName, view: View, nowMs: number): string {
  const middle = atMs !== null && atMs >= view.fromMs && atMs <= view.toMs ? atMs : null;
  const toMs = middle === null ? view.toMs : middle + (spanOf(name)!.seconds * 1000) / 2;
  return toMs >= nowMs ? "" : new Date(toMs).toISOString();
}

/** In percent of the view; may lie outside of it. */
export const shareOf = (atMs: number, view: View): number => (100 * (atMs - view.fromMs)) / (view.toMs - view.fromMs);

/** A span cut to the view, in percent; null when it has no part in it. A short one is still wide enough to be seen. */
export function pieceOf(sinceMs: number, untilMs: number, view: View): { left: number; width: number } | null {
  if (untilMs < view.fromMs || sinceMs > view.toMs) return null;
  const left = Math.max(0, shareOf(sinceMs, view));
  const width = Math.max(0.4, Math.min(100, shareOf(untilMs, view)) - left);
  return { left: Math.min(left, 100 - width), width };
}

/** Points and moments as stops, oldest first. A moment that is a point is that point. */
export function stopsOf(points: readonly { id: string; time: string }[], moments: readonly State[]): Stop[] {
  const known = new Set(points.map((point) => point.id));
  const between = moments.filter((moment) => !moment.points.some((id) => known.has(id)));
  return [
    ...points.map(({ id, time }): Stop => ({ id, atMs: Date.parse(time), kind: "point" })),
    ...between.map(({ address, time }): Stop => ({ id: address, atMs: Date.parse(time), kind: "moment" })),
  ].sort((a, b) => a.atMs - b.atMs);
}

/** Marks that would lie on each other are drawn once: points before moments. */
export function marksOf(stops: readonly Stop[], view: View): { kind: Stop["kind"]; left: number; count: number }[] {
  const found = new Map<string, { kind: Stop["kind"]; left: number; count: number }>();
  for (const { atMs, kind } of stops) {
    const left = shareOf(atMs, view);
    if (left < 0 || left > 100) continue;
    const key = `${kind} ${Math.round(left * 4)}`;
    const mark = found.get(key);
    if (mark) mark.count += 1;
    else found.set(key, { kind, left, count: 1 });
  }
  return [...found.values()];
}

/** The name of a dataset's state at a time. */
export const addressAt = (dataset: string, atMs: number): string => `${dataset}@${new Date(atMs).toISOString()}`;

/** Of an id that is an address its time; null for the id of a point. */
export function timeOfAddress(id: string): number | null {
  const at = id.lastIndexOf("@");
  const atMs = at < 0 ? Number.NaN : Date.parse(id.slice(at + 1));
  return Number.isNaN(atMs) ? null : atMs;
}

/** The newest state at or before a time; null when all are later. `stops` oldest first. */
export const stopAt = (stops: readonly Stop[], atMs: number): Stop | null => stops.findLast((stop) => stop.atMs <= atMs) ?? null;

interface Choice {
  dataset: string;
  /** Oldest first. */
  stops: readonly Stop[];
  /** Where any moment can be chosen. */
  band: View | null;
}

/** What is meant by a place on the timeline: a state that is drawn there, else the moment itself, else the newest state before. */
export function pickedAt(atMs: number, toleranceMs: number, { dataset, stops, band }: Choice): string | null {
  const near = stops.filter((stop) => Math.abs(stop.atMs - atMs) <= toleranceMs);
  const distance = (stop: Stop) => Math.abs(stop.atMs - atMs) - (stop.kind === "point" ? toleranceMs : 0);
  const nearest = near.reduce<Stop | null>((best, stop) => (best === null || distance(stop) < distance(best) ? stop : best), null);
  if (nearest) return nearest.id;
  if (band && atMs >= band.fromMs && atMs <= band.toMs) return addressAt(dataset, atMs);
  return (stopAt(stops, atMs) ?? stops[0])?.id ?? null;
}

/** The state before (-1) or after (1) a time. In the band, where not all states are known, a hundredth of the view. */
export function stepped(atMs: number, step: -1 | 1, view: View, { dataset, stops, band }: Choice): string | null {
  const next = step < 0 ? stops.findLast((stop) => stop.atMs < atMs) : stops.find((stop) => stop.atMs > atMs);
  const bit = (view.toMs - view.fromMs) / 100;
  const target = atMs + step * bit;
  const isFar = !next || Math.abs(next.atMs - atMs) > bit;
  if (isFar && band && target >= band.fromMs && target <= band.toMs) return addressAt(dataset, target);
  return next?.id ?? null;
}

/** As the API tells gaps: their paths are bytes. */
export const gapsOf = (gaps: readonly Schemas["Gap"][]): Gap[] => gaps.map((gap) => ({ ...gap, path: textOfBytes(gap.path) }));

/** The gaps a time lies in. */
export const gapsAt = (gaps: readonly Gap[], atMs: number): Gap[] => gaps.filter((gap) => Date.parse(gap.since) <= atMs && atMs <= Date.parse(gap.until));

const STEPS_S = [60, 300, 600, 900, HOUR_S, 2 * HOUR_S, 4 * HOUR_S, 6 * HOUR_S, DAY_S, 2 * DAY_S, 5 * DAY_S, 7 * DAY_S, 30 * DAY_S, 90 * DAY_S, 365 * DAY_S, 730 * DAY_S];
const MOST_TICKS = 7;
/** In percent: nearer to the ends there is no room for words. */
const EDGE = 4;

/** Round local times to write below the view. */
export function ticksOf(view: View): { atMs: number; left: number; words: string }[] {
  const seconds = (view.toMs - view.fromMs) / 1000;
  const stepS = STEPS_S.find((step) => seconds / step <= MOST_TICKS) ?? STEPS_S.at(-1)!;
  const offsetMs = new Date(view.fromMs).getTimezoneOffset() * 60_000;
  const stepMs = stepS * 1000;
  const first = Math.ceil((view.fromMs - offsetMs) / stepMs) * stepMs + offsetMs;
  const ticks = [];
  for (let atMs = first; atMs <= view.toMs; atMs += stepMs) ticks.push({ atMs, left: shareOf(atMs, view), words: tickWords(atMs, stepS) });
  return ticks.filter((tick) => tick.left >= EDGE && tick.left <= 100 - EDGE);
}

function tickWords(atMs: number, stepS: number): string {
  const date = new Date(atMs);
  if (stepS < DAY_S) return date.toLocaleTimeString("sv-SE", { hour: "2-digit", minute: "2-digit" });
  const day = date.toLocaleDateString("sv-SE");
  return stepS < 30 * DAY_S ? day.slice(5) : day.slice(0, 7);
}
