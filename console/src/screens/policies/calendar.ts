/** Kept points as days of a calendar: weeks beside each other, Monday on top. Pure. */

export interface KeptPoint {
  time: string;
  reasons: readonly string[];
}

export interface Day {
  /** `2026-11-25` in the schedule's zone. */
  date: string;
  points: readonly KeptPoint[];
}

export interface Calendar {
  /** Seven rows, Monday first, each as long as `weeks`; null = before the first day or after the last. */
  rows: readonly (readonly (Day | null)[])[];
  weeks: number;
  /** In which week each month begins, like `Nov 2026`. */
  months: readonly { week: number; title: string }[];
  first: string;
  last: string;
}

const MONTHS = 13;
const DAY_MS = 86_400_000;
const NAMES = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
export const WEEKDAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"] as const;

/** The zone when the browser knows it, else UTC. */
export function knownZone(zone: string): string {
  try {
    new Intl.DateTimeFormat("en", { timeZone: zone });
    return zone;
  } catch {
    return "UTC";
  }
}

/** The 13 months that end with the month of `to`; later days of that month are not in it. */
export function calendarOf(points: readonly KeptPoint[], to: string, zone: string): Calendar {
  const dateOf = dateIn(zone);
  const last = dateOf(to);
  const first = plusMonths(last, 1 - MONTHS);
  const byDate = new Map<string, KeptPoint[]>();
  for (const point of points) {
    const date = dateOf(point.time);
    const there = byDate.get(date);
    if (there) there.push(point);
    else byDate.set(date, [point]);
  }
  const before = weekdayOf(first);
  const days = Math.round((Date.parse(last) - Date.parse(first)) / DAY_MS) + 1;
  const weeks = Math.ceil((before + days) / 7);
  const at = (index: number): Day | null => {
    if (index < 0 || index >= days) return null;
    const date = plusDays(first, index);
    return { date, points: byDate.get(date) ?? [] };
  };
  const rows = WEEKDAYS.map((_, row) => Array.from({ length: weeks }, (_, week) => at(week * 7 + row - before)));
  return { rows, weeks, months: monthsOf(first, days, before), first, last };
}

function monthsOf(first: string, days: number, before: number): { week: number; title: string }[] {
  return Array.from({ length: days }, (_, index) => ({ index, date: plusDays(first, index) }))
    .filter(({ date }) => date.endsWith("-01"))
    .map(({ index, date }) => ({
      week: Math.floor((index + before) / 7),
      title: date.slice(5, 7) === "01" || date === first ? `${NAMES[monthOf(date)]} ${date.slice(0, 4)}` : NAMES[monthOf(date)]!,
    }));
}

/** The day at `date` moved by so many days, within the calendar. */
export function moved(calendar: Calendar, date: string, days: number): string {
  const to = plusDays(date, days);
  return to < calendar.first ? calendar.first : to > calendar.last ? calendar.last : to;
}

/** `Wednesday, 25 November 2026`. */
export const dayTitle = (date: string): string => LONG.format(new Date(`${date}T00:00:00Z`));
const LONG = new Intl.DateTimeFormat("en-GB", { weekday: "long", day: "numeric", month: "long", year: "numeric", timeZone: "UTC" });

/** `14:05`, by the clocks of the zone. */
export function timeIn(zone: string): (time: string) => string {
  const format = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: knownZone(zone) });
  return (time) => format.format(new Date(time));
}

function dateIn(zone: string): (time: string) => string {
  const format = new Intl.DateTimeFormat("sv-SE", { year: "numeric", month: "2-digit", day: "2-digit", timeZone: knownZone(zone) });
  return (time) => format.format(new Date(time));
}

const monthOf = (date: string): number => Number(date.slice(5, 7)) - 1;
/** 0 = Monday. */
export const weekdayOf = (date: string): number => (new Date(`${date}T00:00:00Z`).getUTCDay() + 6) % 7;
export const plusDays = (date: string, days: number): string => new Date(Date.parse(date) + days * DAY_MS).toISOString().slice(0, 10);

/** The first day of the month so many months later. */
export const plusMonths = (date: string, months: number): string =>
  new Date(Date.UTC(Number(date.slice(0, 4)), monthOf(date) + months, 1)).toISOString().slice(0, 10);
