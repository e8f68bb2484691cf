/** What a running job's newest figures say. Pure. */
import type { Schemas } from "../api/client";
import { counted, formatBytes, formatDuration, formatRate } from "./format";

type Figures = Pick<Schemas["Progress"], "phase" | "done_files" | "done_bytes" | "total_bytes" | "rate_bytes_s">;

const PHASES: Record<string, string> = {
  "": "working",
  scan: "scanning",
  read: "reading",
  index: "reading the index",
  trees: "looking at the folders",
  packs: "looking at the packs",
  data: "reading every byte",
  waiting: "waiting until others are done",
  affected: "looking which points are concerned",
  repack: "copying together what is needed",
  repair: "putting in order",
  heal: "asking other copies",
};

/** A check counts what the repository is made of, not files. */
const PHASES_OF_CHECK = new Set(["index", "trees", "packs", "data", "waiting", "affected", "repack", "repair", "heal"]);

export const phaseWord = (phase: string): string => PHASES[phase] ?? phase;

const PLACES: Record<string, string> = { source: "the source", cpu: "the processor", network: "the network", store: "the store", limit: "its limit", mover: "a slower mover" };

/** Where a delivery was held up, in a word; a dash where nothing was, or nobody knows. */
export const placeWord = (bottleneck: Schemas["Bottleneck"] | null | undefined): string => PLACES[bottleneck?.place ?? ""] ?? "–";

/** 0 to 100; null while the total is not known. */
export function percentOf({ done_bytes: done, total_bytes: total }: Pick<Figures, "done_bytes" | "total_bytes">): number | null {
  return total > 0 ? Math.min(100, (100 * done) / total) : null;
}

/** Seconds left at the rate of the last seconds; null when nobody can know. */
export function secondsLeft({ done_bytes: done, total_bytes: total, rate_bytes_s: rate }: Omit<Figures, "phase" | "done_files">): number | null {
  return total > done && rate > 0 ? (total - done) / rate : null;
}

/** `12 MB of 30 MB, 61 files, 4 MB/s, 5 s left`; before the total is known, what was looked at. */
export function figuresText(figures: Figures): string {
  const { done_bytes: done, total_bytes: total, done_files: files, rate_bytes_s: rate } = figures;
  const left = secondsLeft(figures);
  const parts = [
    total > 0 ? `${formatBytes(done)} of ${formatBytes(total)}` : done > 0 ? formatBytes(done) : "",
    files > 0 && !PHASES_OF_CHECK.has(figures.phase) ? counted(files, "file") : "",
    rate > 0 ? formatRate(rate) : "",
    left === null ? "" : `${formatDuration(left)} left`,
  ];
  return parts.filter(Boolean).join(", ");
}
