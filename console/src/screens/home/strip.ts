/** The strip of the last days: which sign each day has, what it says, and the whole in one sentence. Pure. */
import type { Schemas } from "../../api/client";
import { counted } from "../../parts/format";

export type Day = Schemas["DatasetDay"];
export type DayState = Day["state"];

export const DAY_WORDS: Record<DayState, string> = {
  ok: "all well",
  warning: "with warnings",
  failed: "failed",
  overdue: "overdue",
  gap: "gap",
  none: "nothing due",
};

/** In the order of the legend. */
export const DAY_STATES: readonly DayState[] = ["ok", "warning", "failed", "overdue", "gap", "none"];

/** What one day says when pointed at. */
export function dayText(day: Day): string {
  const runs = day.runs > 0 ? `, ${counted(day.runs, "run")}` : "";
  const failed = day.failed > 0 ? `, ${day.failed} failed` : "";
  return `${day.date}: ${DAY_WORDS[day.state]}${runs}${failed}`;
}

/** The strip for those who do not see it: counts, then the days that were not well, newest first. */
export function stripText(days: readonly Day[]): string {
  if (days.length === 0) return "No days on record yet";
  const counts = DAY_STATES.map((state) => [state, days.filter((day) => day.state === state).length] as const);
  const said = counts.filter(([, count]) => count > 0).map(([state, count]) => `${count} ${DAY_WORDS[state]}`);
  const bad = days.filter((day) => day.state !== "ok" && day.state !== "none").reverse();
  const named = bad.slice(0, 3).map((day) => `${day.date} ${DAY_WORDS[day.state]}`);
  const tail = named.length > 0 ? `. Newest: ${named.join(", ")}` : "";
  return `Last ${counted(days.length, "day")}: ${said.join(", ")}${tail}`;
}
