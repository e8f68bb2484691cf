/** What is shown of the log: filters as the Master takes them, and its newest lines laid over what was read before. Pure. */
import type { Schemas } from "../../api/client";
import { shellWord } from "../../parts/format";

export type LogLine = Schemas["LogLine"];
export type LogPage = Schemas["LogLines"];

export const NAMES = ["severity", "node", "flow", "dataset", "job", "tag", "code", "text", "session", "since", "until", "acknowledged"] as const;
/** Empty = not set. `acknowledged`: `true` or `false`. */
export type LogFilter = Record<(typeof NAMES)[number], string>;

export const SEVERITIES = ["info", "warning", "error"] as const;
type Severity = (typeof SEVERITIES)[number];

/** What is set, as the parameters of the call. An address may hold any word: one that is no severity is left to the Master to refuse. */
export function queryOf(filter: LogFilter) {
  const { severity, acknowledged, ...words } = filter;
  const set = Object.fromEntries(Object.entries(words).filter(([, value]) => value)) as Partial<typeof words>;
  return {
    ...set,
    ...(severity && { severity: severity as Severity }),
    ...(acknowledged && { acknowledged: acknowledged === "true" }),
  };
}

const parametersOf = (filter: LogFilter): string => {
  const set = Object.entries(queryOf(filter)).map(([name, value]) => [name, String(value)]);
  return new URLSearchParams(set).toString();
};

export const callOf = (filter: LogFilter): string => {
  const query = parametersOf(filter);
  return `GET /api/v1/logs${query && `?${query}`}`;
};

/** All that is chosen, as a file. */
export function exportOf(filter: LogFilter, format: "csv" | "jsonl"): string {
  const query = parametersOf(filter);
  return `/api/v1/logs/export?${query && `${query}&`}format=${format}`;
}

/** The command that shows the same lines. */
export function commandOf(filter: LogFilter): string {
  const { acknowledged, ...words } = filter;
  const options = Object.entries(words).filter(([, value]) => value).map(([name, value]) => ` --${name} ${shellWord(value)}`);
  const seen = acknowledged && (acknowledged === "true" ? " --acknowledged" : " --open");
  return `holdfast logs${options.join("")}${seen}`;
}

export interface Pages {
  pages: LogPage[];
  pageParams: number[];
}

/**
 * The newest page laid over what was read: what it covers is as it says, what lies below stays. Where it does not reach down to what was
 * read, lines in between are not known: then it is all that there is, and one reads on from it.
 */
export function withNewest(before: Pages, newest: LogPage): Pages {
  const end = newest.next === null ? 0 : (newest.events.at(-1)?.number ?? 0);
  const top = before.pages[0]?.events[0]?.number ?? 0;
  const [first, ...others] = before.pages;
  if (!first || end === 0 || top < end) return { pages: [newest], pageParams: [0] };
  const below = (page: LogPage) => page.events.filter((line) => line.number < end);
  const kept = others.map((page) => ({ ...page, events: below(page) }));
  return { pages: [{ events: [...newest.events, ...below(first)], next: first.next }, ...kept], pageParams: before.pageParams };
}

/** The chosen lines that nobody has acknowledged yet. */
export const openOf = (lines: readonly LogLine[], ticked: ReadonlySet<number>): number[] =>
  lines.filter((line) => ticked.has(line.number) && line.acknowledged_at === null).map((line) => line.number);

/** The first line of a session: one life of an agent or the Master. */
export const beginsSession = (line: LogLine): boolean => line.code === "session-began";

/** So that a line is known by its facts where it names them: a job, a dataset. Those that the page shows by themselves are left out. */
export const factsOf = (line: LogLine): [string, string][] => Object.entries(line.facts).filter(([name]) => name !== "hint");
