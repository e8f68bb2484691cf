/** Schedules and keep rules in words. What is not understood is shown as it is written. Pure. */
import type { Value } from "../../draft/edits";
import { isMapping } from "../../draft/edits";
import { formatCount } from "../../parts/format";
import { type Fields, textOf, textsOf } from "./policy";

const UNITS: Record<string, string> = { s: "second", m: "minute", h: "hour", d: "day", w: "week", y: "year" };
const SECONDS: Record<string, number> = { s: 1, m: 60, h: 3_600, d: 86_400, w: 604_800, y: 31_536_000 };

function partsOf(text: string): [number, string][] | null {
  const compact = text.replaceAll(" ", "");
  const parts = [...compact.matchAll(/(\d+(?:\.\d+)?)(ms|[smhdwy])/g)];
  if (parts.length === 0 || parts.map(([whole]) => whole).join("") !== compact) return null;
  return parts.map(([, number, unit]) => [Number(number), unit!]);
}

/** `1d12h` -> 129600; null when it is no duration. */
export function durationSeconds(text: string): number | null {
  return partsOf(text)?.reduce((sum, [number, unit]) => sum + number * (SECONDS[unit] ?? 0.001), 0) ?? null;
}

/** `90m` -> `90 minutes`, `1d12h` -> `1 day 12 hours`. */
export function durationWords(text: string): string {
  const parts = partsOf(text);
  if (!parts || parts.some(([, unit]) => !(unit in UNITS))) return text;
  return parts.map(([number, unit]) => `${number} ${UNITS[unit]}${number === 1 ? "" : "s"}`).join(" ");
}

/** `1h` -> `every hour`, `15m` -> `every 15 minutes`. */
export function everyWords(text: string): string {
  const words = durationWords(text);
  return `every ${/^1 \w+$/.test(words) ? words.slice(2) : words}`;
}

/** `a`, `a and b`, `a, b and c`. */
export function listed(items: readonly string[]): string {
  return items.length < 2 ? (items[0] ?? "") : `${items.slice(0, -1).join(", ")} and ${items.at(-1)!}`;
}

export type Rhythm = "every" | "at" | "schedule" | "after" | "rides";

/** Which of the ways to be scheduled an operation has; `every` goes before `at` when both are there. */
export function rhythmOf(fields: Fields): Rhythm {
  return (["after", "every", "at", "schedule"] as const).find((key) => fields[key] !== undefined) ?? "rides";
}

/** When an operation runs, without a capital or a full stop. */
export function scheduleWords(fields: Fields): string {
  if (fields.after !== undefined) return `after each ${textOf(fields.after)}`;
  const words = [];
  if (fields.every !== undefined) words.push(everyWords(textOf(fields.every)));
  if (fields.at !== undefined) words.push(atWords(textsOf(fields.at)));
  if (isMapping(fields.schedule)) words.push("by a schedule of its own");
  else if (fields.schedule !== undefined) words.push(`by the schedule ${textOf(fields.schedule)}`);
  return words.join(", ") || "with every other run of this policy";
}

/** Times that have days of their own are not daily. */
const atWords = (at: readonly string[]): string => `${at.some((time) => time.includes(" ")) ? "" : "daily "}at ${listed(at)}`;

/** The rules that count points, finest first. */
export const COUNTED = ["last", "hourly", "daily", "weekly", "monthly", "yearly"] as const;

/** What stays, without a full stop. */
export function keepWords(keep: Value | undefined): string {
  const rules = isMapping(keep) ? keep : {};
  const words = COUNTED.flatMap((rule) => {
    const text = textOf(rules[rule]);
    if (text === "") return [];
    const count = Number.isInteger(Number(text)) ? formatCount(Number(text)) : text;
    return [rule === "last" ? `the newest ${count}` : `${count} ${rule}`];
  });
  if (rules.within !== undefined) words.push(`all of the last ${durationWords(textOf(rules.within))}`);
  return words.length > 0 ? listed(words) : "every point, for ever";
}

/** What a kind that follows every change keeps, without a full stop; null for the other kinds. */
export function lastingWords(kind: string, fields: Fields): string | null {
  const within = textOf(fields.within);
  if (kind === "cdp") return within ? `keeps any moment of the last ${durationWords(within)}` : "keeps any moment, for ever";
  if (kind !== "version") return null;
  const last = textOf(fields.last);
  const count = last === "1" ? "the newest version" : last ? `the newest ${last} versions` : "every version";
  return `keeps ${count} of each file${within ? `, none longer than ${durationWords(within)} after it was replaced` : ""}`;
}

/** What an archive operation takes and how long it keeps it, without a full stop. */
export function archivedWords(fields: Fields): string {
  const when = isMapping(fields.when) ? fields.when : {};
  const [older, larger, keep] = [textOf(when.older_than), textOf(when.larger_than), textOf(fields.keep)];
  const which = [older && `not changed for ${durationWords(older)}`, larger && `larger than ${larger}`].filter(Boolean).join(" and ");
  return `takes files ${which || "of no kind yet"}, kept ${keep ? durationWords(keep) : "for ever"}`;
}

/** What becomes of files at a mirror that the source has removed. */
export function removedWords(removed: Value | undefined): string {
  const text = isMapping(removed) ? `keep ${textOf(removed.keep)}` : textOf(removed) || "keep 7d";
  if (text === "follow") return "removed files go at once";
  if (text.trim() === "keep") return "removed files stay for ever";
  return `removed files stay ${durationWords(text.replace(/^keep\s+/, ""))}`;
}
