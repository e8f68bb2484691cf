/** Schedules of the working copy: which there are, what uses them, and the edits that concern more than one place. Pure. */
import type { Schemas } from "../../api/client";
import { type Edit, isMapping, mappingAt, remove, rename, set, type Value, type Values } from "../../draft/edits";
import { formatDuration } from "../../parts/format";
import { textOf, textsOf } from "../policies/policy";
import { listed } from "../policies/words";
import { daysWords } from "../flow/week";

export interface Schedule {
  name: string;
  fields: { [key: string]: Value };
  usedIn: readonly Use[];
}

export interface Use {
  policy: string;
  operation: string;
}

export const nameOfUse = ({ policy, operation }: Use): string => `${policy}/${operation}`;

export function schedulesOf(values: Values): Schedule[] {
  const uses = scheduledBy(values);
  return Object.entries(mappingAt(values, ["schedules"])).map(([name, value]) => ({
    name,
    fields: isMapping(value) ? value : {},
    usedIn: uses.filter((use) => use.schedule === name).map(({ policy, operation }) => ({ policy, operation })),
  }));
}

export interface OwnSchedule {
  use: Use;
  fields: { [key: string]: Value };
}

/** Operations that have a schedule of their own. */
export function ownSchedulesOf(values: Values): OwnSchedule[] {
  return scheduledBy(values).flatMap(({ policy, operation, schedule }) => (isMapping(schedule) ? [{ use: { policy, operation }, fields: schedule }] : []));
}

/** Those that the Master tells of: of the saved document, for who has no working copy. */
export function savedSchedules(rows: readonly Schemas["ScheduleRow"][]): { named: Schedule[]; own: OwnSchedule[] } {
  const found = rows.map((row) => ({
    name: row.name,
    fields: {
      ...Object.fromEntries((["windows", "exclude", "at"] as const).flatMap((key) => (row[key].length > 0 ? [[key, row[key]]] : []))),
      zone: row.zone,
      missed: row.missed,
      ...(row.jitter_s > 0 ? { jitter: `${row.jitter_s}s` } : {}),
    },
    usedIn: row.used_in.map(useOf),
  }));
  return {
    named: found.filter(({ name }) => name !== ""),
    own: found.flatMap(({ name, fields, usedIn: [use] }) => (name === "" && use ? [{ use, fields }] : [])),
  };
}

function useOf(text: string): Use {
  const [policy = "", operation = ""] = text.split("/");
  return { policy, operation };
}

function scheduledBy(values: Values): (Use & { schedule: Value | undefined })[] {
  return Object.keys(mappingAt(values, ["policies"])).flatMap((policy) =>
    Object.entries(mappingAt(values, ["policies", policy, "operations"])).map(([operation, fields]) => ({
      policy,
      operation,
      schedule: isMapping(fields) ? fields.schedule : undefined,
    })),
  );
}

export const newSchedule = (name: string, zone: string): Edit[] => [set(["schedules", name], { windows: ["20:00-06:00"], zone })];

/** With all that names it. */
export function renameSchedule(values: Values, from: string, to: string): Edit[] {
  const uses = scheduledBy(values).filter((use) => use.schedule === from);
  return [rename(["schedules", from], to), ...uses.map(({ policy, operation }) => set(["policies", policy, "operations", operation, "schedule"], to))];
}

export function removeSchedule(values: Values, name: string): Edit[] {
  const isLast = Object.keys(mappingAt(values, ["schedules"])).length === 1;
  return [remove(isLast ? ["schedules"] : ["schedules", name])];
}

/** In a few lines, as it is written. */
export function scheduleLines(fields: { [key: string]: Value }): string[] {
  const lines = (["windows", "exclude", "at"] as const).map((key): [string, string] => [LINES[key], listed(textsOf(fields[key]))]);
  const found = lines.flatMap(([word, text]) => (text ? [`${word} ${text}`] : []));
  const begin = fields.windows === undefined ? ["at any time"] : [];
  const more = [textOf(fields.missed) === "skip" ? "missed times are left out" : "", textOf(fields.jitter) && `spread over ${textOf(fields.jitter)}`];
  return [...begin, ...found, ...more.filter(Boolean), `zone ${textOf(fields.zone) || "UTC"}`];
}

const LINES = { windows: "in", exclude: "never in", at: "starts at" };

const REASONS: Record<string, string> = {
  window: "no window was open then",
  exclusion: "an exclusion forbade it then",
  mover: "its mover was closed then",
  never: "it never arrives there",
};

/** `every 4 h, but 20 h pass, no window was open then`. */
export function unmetWords(unmet: { every_s: number; longest_s: number; times: number; reason: string }): string {
  const times = unmet.times === 1 ? "once" : `${unmet.times} times`;
  return `Promised every ${formatDuration(unmet.every_s)}, but up to ${formatDuration(unmet.longest_s)} pass (${times} too long): ${REASONS[unmet.reason] ?? unmet.reason}.`;
}

/* Items as people choose them. */

export const WEEKS = ["first", "second", "third", "fourth", "last"] as const;
export type ListKey = "windows" | "exclude" | "at";

export interface Item {
  days: "every" | "week" | "month";
  /** Of the month; none = all. */
  weeks: readonly string[];
  /** Monday is 0. */
  weekdays: readonly number[];
  /** As typed: `1, 15, last`. */
  monthdays: string;
  begin: string;
  /** Empty with `begin` = the whole day. Unused for trigger times. */
  end: string;
}

const TIME = /^([01]\d|2[0-3]):[0-5]\d$/;

/** What is wrong with an item, by its field; nothing when it can be written. */
export function itemProblems(item: Item, key: ListKey): { days?: string; monthdays?: string; begin?: string; end?: string } {
  const found: ReturnType<typeof itemProblems> = {};
  if (item.days === "week" && item.weeks.length + item.weekdays.length === 0) found.days = "Choose a week or a day.";
  if (item.days === "month" && monthdaysOf(item.monthdays) === null) found.monthdays = "Days from 1 to 31, or last, with commas between.";
  if (key === "at") {
    if (!TIME.test(item.begin)) found.begin = "A time, like 02:30.";
    return found;
  }
  const isWholeDay = item.begin === "" && item.end === "";
  if (isWholeDay && item.days === "every") found.begin = "Every day and all day is always: name a time.";
  if (!isWholeDay && !TIME.test(item.begin)) found.begin = "A time, like 20:00.";
  if (!isWholeDay && item.end !== "24:00" && !TIME.test(item.end)) found.end = "A time up to 24:00.";
  else if (!isWholeDay && item.begin === item.end) found.end = "Another time than the first.";
  return found;
}

function monthdaysOf(typed: string): string[] | null {
  const days = typed.split(",").map((day) => day.trim().toLowerCase());
  const isDay = (day: string) => day === "last" || (/^[1-9]\d?$/.test(day) && Number(day) <= 31);
  return days.every(isDay) ? days : null;
}

/** As it stands in the document: `first sat 01:00-05:00`, `day 1,last 23:00`. */
export function itemText(item: Item, key: ListKey): string {
  const time = key === "at" ? item.begin : item.begin && `${item.begin}-${item.end}`;
  const week = [WEEKS.filter((name) => item.weeks.includes(name)).join(","), daysWords([...item.weekdays].sort((a, b) => a - b))];
  const days = { every: [], week, month: [`day ${(monthdaysOf(item.monthdays) ?? []).join(",")}`] }[item.days];
  return [...days, time].filter(Boolean).join(" ");
}
