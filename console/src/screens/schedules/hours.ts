/** What the Master says of hours to come (runs, open spans, trigger times), put into the hours and days of a calendar. Pure. */
import type { Schemas } from "../../api/client";
import { counted } from "../../parts/format";
import { knownZone, plusDays, plusMonths, weekdayOf } from "../policies/calendar";
import { listed } from "../policies/words";

export type View = "week" | "month";
export type Run = Schemas["CalendarRun"];
export type Span = Schemas["OpenSpan"];

export interface Hour {
  runs: readonly Run[];
  openMinutes: number;
  /** Trigger times, as `14:05`. */
  starts: readonly string[];
}

export interface Filling {
  /** By `2026-11-25 14`. */
  hours: ReadonlyMap<string, Hour>;
  /** Whether it tells when runs may start. */
  isPainted: boolean;
  /** The first hour of which not everything is told; null = all that is asked for is told. */
  toldUntil: string | null;
}

export interface Told {
  tone: "plain" | "some" | "open" | "part" | "closed" | "unknown";
  text: string;
  words: string;
}

const DAY_MS = 86_400_000;
/** Every zone is a multiple of it away from UTC. */
const QUARTER_MS = 900_000;
const NOTHING: Hour = { runs: [], openMinutes: 0, starts: [] };
const HOURS_OF_DAY = Array.from({ length: 24 }, (_, hour) => hour);

/** `2026-11-25 14:05`, by the clocks of a zone; of this browser's without one. */
export function clockIn(zone?: string): (moment: string | number) => string {
  const format = new Intl.DateTimeFormat("sv-SE", {
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
    ...(zone === undefined ? {} : { timeZone: knownZone(zone) }),
  });
  return (moment) => format.format(new Date(moment));
}

const mondayOf = (date: string): string => plusDays(date, -weekdayOf(date));

/** The days that a view of this day shows: its week, or the whole weeks that hold its month; Monday first. */
export function daysOf(view: View, date: string): string[] {
  if (view === "week") return Array.from({ length: 7 }, (_, day) => plusDays(mondayOf(date), day));
  const first = mondayOf(`${date.slice(0, 7)}-01`);
  const last = plusDays(plusMonths(date, 1), -1);
  const days = Math.round((Date.parse(last) - Date.parse(first)) / DAY_MS) + 1;
  return Array.from({ length: Math.ceil(days / 7) * 7 }, (_, day) => plusDays(first, day));
}

export const turned = (view: View, date: string, pages: number): string => (view === "week" ? plusDays(date, 7 * pages) : plusMonths(date, pages));

/** `isWhole`: after these runs there are no more. */
export function runFilling(runs: readonly Run[], isWhole: boolean, clock: (moment: string | number) => string): Filling {
  const hours = new Map<string, Hour>();
  for (const run of runs) {
    const key = clock(run.at).slice(0, 13);
    const there = hours.get(key) ?? NOTHING;
    hours.set(key, { ...there, runs: [...there.runs, run] });
  }
  const last = runs.at(-1);
  return { hours, isPainted: false, toldUntil: isWhole || !last ? null : clock(last.at).slice(0, 13) };
}

export function paintFilling(spans: readonly Span[], triggers: readonly string[], clock: (moment: string | number) => string): Filling {
  const hours = new Map<string, Hour>();
  const put = (key: string, more: (there: Hour) => Partial<Hour>) => {
    const there = hours.get(key) ?? NOTHING;
    hours.set(key, { ...there, ...more(there) });
  };
  for (const span of spans) {
    const end = Date.parse(span.end);
    for (let at = Date.parse(span.begin); at < end; ) {
      const next = Math.min(end, (Math.floor(at / QUARTER_MS) + 1) * QUARTER_MS);
      const minutes = (next - at) / 60_000;
      put(clock(at).slice(0, 13), (there) => ({ openMinutes: there.openMinutes + minutes }));
      at = next;
    }
  }
  for (const trigger of triggers) {
    const local = clock(trigger);
    put(local.slice(0, 13), (there) => ({ starts: [...there.starts, local.slice(11)] }));
  }
  return { hours, isPainted: true, toldUntil: null };
}

export const keyOf = (date: string, hour: number): string => `${date} ${String(hour).padStart(2, "0")}`;
export const hourOf = (filling: Filling, key: string): Hour => filling.hours.get(key) ?? NOTHING;

/** All of a day. */
export function dayOf(filling: Filling, date: string): Hour {
  const hours = HOURS_OF_DAY.map((hour) => hourOf(filling, keyOf(date, hour)));
  return {
    runs: hours.flatMap((hour) => hour.runs),
    openMinutes: hours.reduce((sum, hour) => sum + hour.openMinutes, 0),
    starts: hours.flatMap((hour) => hour.starts),
  };
}

export function tellHour(filling: Filling, key: string): Told {
  const hour = hourOf(filling, key);
  return filling.isPainted ? painted(hour, 60) : ran(hour, isUnknown(filling, key));
}

export function tellDay(filling: Filling, date: string): Told {
  const day = dayOf(filling, date);
  // The day on which the clock is set on has 23 hours.
  return filling.isPainted ? painted(day, 23 * 60) : ran(day, isUnknown(filling, keyOf(date, 23)));
}

const isUnknown = ({ toldUntil }: Filling, key: string): boolean => toldUntil !== null && key >= toldUntil;

function ran({ runs }: Hour, isCut: boolean): Told {
  const text = runs.length === 0 ? "" : String(runs.length);
  if (isCut) return { tone: "unknown", text: `${text}…`, words: runs.length === 0 ? "not told so far ahead" : `${counted(runs.length, "run")}, or more` };
  return { tone: runs.length > 0 ? "some" : "plain", text, words: runs.length === 0 ? "no run to come" : counted(runs.length, "run") };
}

function painted({ openMinutes, starts }: Hour, wholeMinutes: number): Told {
  const minutes = Math.round(openMinutes);
  const tone = minutes >= wholeMinutes ? "open" : minutes > 0 ? "part" : "closed";
  const words = { open: "open", part: `open for ${lengthOf(minutes)}`, closed: "closed" }[tone];
  const mark = starts.length > 0 ? "●" : { open: "", part: lengthOf(minutes).replaceAll(" ", ""), closed: "×" }[tone];
  return { tone, text: mark, words: starts.length === 0 ? words : `${words}, starts at ${listed(starts)}` };
}

function lengthOf(minutes: number): string {
  if (minutes < 60) return `${minutes} min`;
  return minutes % 60 === 0 ? `${minutes / 60} h` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** `20:00 to 24:00`: the open spans of one day. */
export function spansOn(spans: readonly Span[], date: string, clock: (moment: string | number) => string): string[] {
  return spans.flatMap((span) => {
    const begin = clock(span.begin);
    const end = clock(span.end);
    if (begin.slice(0, 10) > date || end <= `${date} 00:00`) return [];
    const to = end.slice(0, 10) > date ? "24:00" : end.slice(11);
    return [`${begin.slice(0, 10) < date ? "00:00" : begin.slice(11)} to ${to}`];
  });
}
