/** A mover's window as a week of hours, and back: what the table of days and hours can show. Pure. */
import { isMapping, type Value } from "../../draft/edits";

/** `full`, `closed`, or a rate as people write it. */
export type Rate = string;

/** `hours[day][hour]`, Monday first. */
export interface Week {
  zone: string;
  hours: Rate[][];
}

export const DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const;
export const HOURS = 24;
const TIMES = /^([01]\d|2[0-3]):00-((?:[01]\d|2[0-3]):00|24:00)$/;
const BYTES = /^(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?(?:\/s)?$/i;
const POWERS = "kmgt";

export const always = (rate: Rate, zone = "UTC"): Week => ({ zone, hours: DAYS.map(() => Array<Rate>(HOURS).fill(rate)) });

/** What is written as a week; null when it says what a week of hours cannot show: halves of hours, weeks of a month, days of a month. */
export function weekOf(written: Value | undefined): Week | null {
  if (written === undefined || written === null) return always("full");
  const table = typeof written === "string" ? opened([written]) : Array.isArray(written) ? opened(written) : isMapping(written) ? Object.entries(written) : null;
  if (!table || table.some(([, rate]) => typeof rate !== "string" && typeof rate !== "number")) return null;
  const told = new Map(table.map(([key, rate]) => [key, String(rate)]));
  const otherwise = told.get("otherwise") ?? "closed";
  const zone = told.get("zone") ?? "UTC";
  const found: (Rate | null)[][] = DAYS.map(() => Array<Rate | null>(HOURS).fill(null));
  for (const [window, rate] of told) {
    if (window === "zone" || window === "otherwise") continue;
    const held = hoursOf(window);
    if (!held) return null;
    for (const [day, hour] of held) {
      const before = found[day]![hour]!;
      found[day]![hour] = before === null ? rate : stricter(before, rate);
    }
  }
  return { zone, hours: found.map((day) => day.map((rate) => rate ?? otherwise)) };
}

const opened = (windows: readonly Value[]): [string, Value][] => [...windows.map((window): [string, Value] => [String(window), "full"]), ["otherwise", "closed"]];

/** The hours that a window holds, as day and hour; null when it is none of whole hours of weekdays. */
function hoursOf(window: string): [number, number][] | null {
  const words = window.toLowerCase().split(/\s+/).filter(Boolean);
  const times = TIMES.exec(words.at(-1) ?? "");
  const days = daysOf(times ? words.slice(0, -1) : words);
  if (!days || words.length === 0) return null;
  const start = times ? Number(times[1]) : 0;
  const end = times ? Number(times[2]!.slice(0, 2)) : HOURS;
  const length = end > start ? end - start : end - start + HOURS;
  return days.flatMap((day) =>
    Array.from({ length }, (_, step): [number, number] => [(day + Math.floor((start + step) / HOURS)) % DAYS.length, (start + step) % HOURS]),
  );
}

function daysOf(words: readonly string[]): number[] | null {
  if (words.length === 0) return DAYS.map((_, day) => day);
  if (words.length > 1) return null;
  const found: number[] = [];
  for (const part of words[0]!.split(",")) {
    const [from, to = from] = part.split("-");
    const start = DAYS.indexOf(from as (typeof DAYS)[number]);
    const end = DAYS.indexOf(to as (typeof DAYS)[number]);
    if (start < 0 || end < 0) return null;
    for (let day = start; ; day = (day + 1) % DAYS.length) {
      found.push(day);
      if (day === end) break;
    }
  }
  return found;
}

/** Bytes a second; null = not a rate. `full` is Infinity, `closed` 0. */
export function bytesOf(rate: Rate): number | null {
  if (rate === "full") return Infinity;
  if (rate === "closed") return 0;
  const match = BYTES.exec(rate.trim());
  if (!match) return null;
  const bytes = Number(match[1]) * (match[3] ? 1024 : 1000) ** (POWERS.indexOf(match[2]!.toLowerCase()) + 1);
  return bytes > 0 ? bytes : null;
}

const stricter = (one: Rate, other: Rate): Rate => ((bytesOf(other) ?? Infinity) < (bytesOf(one) ?? Infinity) ? other : one);

/** What is to be written: null when it is always open, so that no window is needed. Lines never overlap. */
export function windowOf(week: Week): { [key: string]: Value } | null {
  const counts = new Map<Rate, number>();
  for (const rate of week.hours.flat()) counts.set(rate, (counts.get(rate) ?? 0) + 1);
  const otherwise = [...counts].sort((a, b) => b[1] - a[1])[0]![0];
  if (counts.size === 1 && otherwise === "full") return null;
  return { zone: week.zone, ...Object.fromEntries(linesOf(week, otherwise)), otherwise };
}

/** The windows in which a week is open, for a list of them; null when it always is. */
export function windowsOf(week: Week): string[] | null {
  if (week.hours.flat().every((rate) => rate !== "closed")) return null;
  return linesOf(week, "closed").map(([window]) => window);
}

/** Each window whose rate is another one. */
function linesOf(week: Week, otherwise: Rate): [string, Rate][] {
  const days = new Map<string, number[]>();
  week.hours.forEach((hours, day) => {
    const key = JSON.stringify(hours);
    days.set(key, [...(days.get(key) ?? []), day]);
  });
  return [...days.values()].flatMap((alike) =>
    spansOf(week.hours[alike[0]!]!)
      .filter(({ rate }) => rate !== otherwise)
      .map(({ from, to, rate }): [string, Rate] => {
        const time = from === 0 && to === HOURS ? "" : `${twoDigits(from)}:00-${twoDigits(to)}:00`;
        return [alike.length === DAYS.length && time ? time : [daysWords(alike), time].filter(Boolean).join(" "), rate];
      }),
  );
}

const twoDigits = (hour: number): string => String(hour).padStart(2, "0");

/** `mon-fri`, `sat,sun`, `mon,wed-fri`. */
export function daysWords(days: readonly number[]): string {
  const parts: string[] = [];
  for (let at = 0; at < days.length; ) {
    let end = at;
    while (end + 1 < days.length && days[end + 1] === days[end]! + 1) end += 1;
    parts.push(end - at >= 2 ? `${DAYS[days[at]!]}-${DAYS[days[end]!]}` : days.slice(at, end + 1).map((day) => DAYS[day]).join(","));
    at = end + 1;
  }
  return parts.join(",");
}

export function spansOf(hours: readonly Rate[]): { from: number; to: number; rate: Rate }[] {
  const found: { from: number; to: number; rate: Rate }[] = [];
  hours.forEach((rate, hour) => {
    const last = found.at(-1);
    if (last && last.rate === rate) last.to = hour + 1;
    else found.push({ from: hour, to: hour + 1, rate });
  });
  return found;
}

/** A rectangle of cells, whichever corner it was drawn from. */
export function painted(week: Week, one: readonly [number, number], other: readonly [number, number], rate: Rate): Week {
  const isIn = (at: number, a: number, b: number) => at >= Math.min(a, b) && at <= Math.max(a, b);
  return {
    ...week,
    hours: week.hours.map((hours, day) => hours.map((was, hour) => (isIn(day, one[0], other[0]) && isIn(hour, one[1], other[1]) ? rate : was))),
  };
}

/** In a few words; null when nothing is written. */
export function windowWords(written: Value | undefined): string | null {
  if (written === undefined || written === null) return null;
  if (typeof written === "string") return `open ${written}, otherwise closed (UTC)`;
  if (Array.isArray(written)) return `open ${written.map(String).join(" and ")}, otherwise closed (UTC)`;
  if (!isMapping(written)) return String(written);
  const lines = Object.entries(written).filter(([key]) => key !== "zone" && key !== "otherwise");
  return [...lines, ["otherwise", written.otherwise ?? "?"] as const].map(([window, rate]) => `${window}: ${String(rate)}`).join(", ") + ` (${String(written.zone ?? "UTC")})`;
}
