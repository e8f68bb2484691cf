/** Reports: which there are, and their cells as people read them. Pure. */
import type { Schemas } from "../../api/client";
import { formatBytes, formatCount, formatDuration, formatRate, visible } from "../../parts/format";

export type Report = Schemas["EnvironmentReport"];
export type Kind = Report["kind"];
export type Table = Schemas["Table"];
export type Unit = Schemas["Column"]["unit"];
type Cell = string | number | null;

export const KINDS: readonly { kind: Kind; title: string; lead: string }[] = [
  { kind: "rpo", title: "RPO", lead: "In which part of the time each promise was kept, and each miss with its beginning and end." },
  { kind: "coverage", title: "Coverage", lead: "What nothing protects: machines, policies, flows that are not active, folders that no classification reaches." },
  { kind: "capacity", title: "Capacity", lead: "What each repository holds, how much more a day, and what it will hold." },
  { kind: "transfers", title: "Transfers", lead: "What was read, sent and stored for each dataset and receiver." },
  { kind: "drills", title: "Drills", lead: "When each dataset was last proven restorable." },
];

export const DEFAULT_SINCE = "30d";
const MOST_DAYS = 3_650;

/** What is wrong with how many days a report reaches back; empty = nothing. */
export function complaintOfDays(words: string): string {
  const days = Number(words);
  return words.trim() && days >= 1 && days <= MOST_DAYS ? "" : `A number of days from 1 to ${MOST_DAYS}`;
}

/** An address may hold any word: what is no kind is the first. */
export const kindOf = (word: string): Kind => KINDS.find((each) => each.kind === word)?.kind ?? "rpo";

export const isNumber = (unit: Unit): boolean => unit !== "text" && unit !== "time";

/** Moments are shown by `Moment`, not by this. */
export function cellText(cell: Cell, unit: Unit): string {
  if (cell === null) return "–";
  if (typeof cell === "string") return visible(cell);
  switch (unit) {
    case "bytes":
      return (cell < 0 ? "-" : "") + formatBytes(Math.abs(cell));
    case "rate":
      return formatRate(cell);
    case "duration":
      return formatDuration(cell);
    case "ratio":
      return `${(100 * cell).toFixed(2)} %`;
    default:
      return formatCount(cell);
  }
}

const query = (since: string, more: Record<string, string> = {}): string => new URLSearchParams({ since, ...more }).toString();

export const callOf = (kind: Kind, since: string): string => `GET /api/v1/reports/${kind}?${query(since)}`;
export const fileOf = (kind: Kind, since: string, format: "csv" | "html"): string => `/api/v1/reports/${kind}/file?${query(since, { format })}`;
export const valueOf = (kind: Kind, since: string): string => `/api/v1/reports/${kind}?${query(since)}`;
/** Of the day it tells up to, as the Master names its files. */
export const jsonName = (report: Report): string => `holdfast-${report.kind}-${report.until.slice(0, 10)}.json`;
