/** What the figures of a repository say to people: how much it saves, when it was proven, how it grew. Pure. */
import type { Schemas } from "../../api/client";
import { counted, formatBytes, visible } from "../../parts/format";
import type { StateName } from "../../parts/State";

export type Repository = Schemas["RepositoryRow"];
export type Point = Schemas["Point"];

const PARTS = ["", "", "half", "a third", "a quarter", "a fifth", "a sixth", "a seventh", "an eighth", "a ninth", "a tenth"];

/** `a tenth`, `about as much`, `one part in 37`: how much of the whole a part is. */
export function partWord(part: number, whole: number): string {
  if (whole <= 0 || part < 0) return "";
  const share = part / whole;
  if (share > 1.15) return "more than it";
  if (share > 0.85) return "about as much";
  if (share > 0.58) return "two thirds";
  const times = whole / Math.max(part, 1);
  return PARTS[Math.round(times)] ?? `one part in ${Math.round(times).toLocaleString("en")}`;
}

const percent = (share: number): string => `${Math.round(100 * share)} %`;

export interface Savings {
  short: string;
  /** By deduplication and by compression; empty while the share is not known. */
  by: string;
}

/** What is saved, and by what; null while there is nothing to speak of. */
export function savings(row: Pick<Repository, "points_bytes" | "unique_bytes" | "stored_bytes">): Savings | null {
  const { points_bytes: points, unique_bytes: unique, stored_bytes: stored } = row;
  if (points <= 0 || stored <= 0) return null;
  const by = unique > 0 ? `${percent(Math.min(1, unique / points))} of that is different data, which is compressed to ${percent(stored / unique)}` : "";
  return { short: `stored in ${partWord(stored, points)}`, by };
}

export interface Proof {
  state: StateName;
  word: string;
  text: string;
  at: string | null;
}

/** Whether it was last found restorable, and how thoroughly that was looked at. */
export function proofOf(row: Pick<Repository, "checked_at" | "checked_ok" | "checked_data" | "proven_at">): Proof {
  if (row.proven_at && (!row.checked_at || Date.parse(row.proven_at) > Date.parse(row.checked_at)))
    return { state: "ok", word: "proven", text: "Every byte was read, part by part, and is right.", at: row.proven_at };
  if (!row.checked_at || row.checked_ok === null) return { state: "unknown", word: "not proven yet", text: "It was never checked.", at: null };
  if (!row.checked_ok) return { state: "failed", word: "damage found", text: "The last check found something wrong. Its job says what.", at: row.checked_at };
  return row.checked_data
    ? { state: "ok", word: "proven", text: "Every byte was read and is right.", at: row.checked_at }
    : { state: "ok", word: "structure proven", text: "Everything that should be there is there. The data itself was not read.", at: row.checked_at };
}

/** How much room is left where it lies, and when that ends; null in an object store, or where it is not known. */
export function roomOf(row: Pick<Repository, "room">, nowMs: number): { state: StateName; short: string; text: string } | null {
  const room = row.room;
  if (!room) return null;
  const days = room.full_at ? Math.max(0, (Date.parse(room.full_at) - nowMs) / 86_400_000) : null;
  const soon = days === null ? "" : days < 1 ? "full within a day" : `full in about ${counted(Math.round(days), "day")}`;
  const state = room.level === "full" ? "failed" : room.level === "nearly-full" ? "warning" : "ok";
  const free = `${formatBytes(room.free_bytes)} free`;
  const why = soon ? `${soon}, at the rate of the last 14` : "";
  return { state, short: soon || `of ${formatBytes(room.total_bytes)}`, text: [`${free} of ${formatBytes(room.total_bytes)}`, why].filter(Boolean).join("; ") };
}

export interface Growth {
  /** Milliseconds since 1970, and all bytes that the points until then added. Oldest first. */
  steps: readonly { at: number; bytes: number }[];
}

const MOST_STEPS = 400;

/** How the points that are there now have added up. What expired points added is not in it. */
export function growthOf(points: readonly Pick<Point, "time" | "added_bytes">[]): Growth {
  const sorted = points.map((point) => ({ at: Date.parse(point.time), added: point.added_bytes })).sort((a, b) => a.at - b.at);
  let bytes = 0;
  return { steps: thinned(sorted.map(({ at, added }) => ({ at, bytes: (bytes += added) }))) };
}

type Sizes = Schemas["RepositoryGrowth"];

/** What was stored, as it is on record, with what is stored now at the end. */
export function recordedGrowth({ sizes, now }: Pick<Sizes, "sizes" | "now">): Growth {
  const all = [...sizes, ...(now ? [now] : [])].map((size) => ({ at: Date.parse(size.at), bytes: size.stored_bytes }));
  return { steps: thinned(all) };
}

/** How much more there is than so long before the end; null when the record does not go back that far. */
export function grownIn({ steps }: Growth, spanMs: number): number | null {
  const last = steps.at(-1);
  if (!last) return null;
  const before = steps.filter((step) => step.at <= last.at - spanMs).at(-1);
  return before ? last.bytes - before.bytes : null;
}

function thinned<Step>(all: readonly Step[]): Step[] {
  const stride = Math.max(1, Math.ceil(all.length / MOST_STEPS));
  return all.filter((_, index) => index % stride === 0 || index === all.length - 1);
}

/** A stair from left to right in a box of this size, and the area below it. */
export function stairs({ steps }: Growth, width: number, height: number): { line: string; area: string } {
  const first = steps[0];
  const last = steps.at(-1);
  if (!first || !last) return { line: "", area: "" };
  const span = Math.max(1, last.at - first.at);
  const top = Math.max(1, ...steps.map((step) => step.bytes));
  const x = (at: number) => round(((at - first.at) / span) * width);
  const y = (bytes: number) => round(height - (bytes / top) * height);
  let line = `M0 ${y(first.bytes)}`;
  for (const step of steps.slice(1)) line += ` H${x(step.at)} V${y(step.bytes)}`;
  if (steps.length === 1) line += ` H${width}`;
  return { line, area: `${line} V${height} H0 Z` };
}

const round = (value: number): number => Math.round(value * 10) / 10;

export interface KitWords {
  state: StateName;
  word: string;
  text: string;
  /** What is to be done next. */
  command: "make" | "acknowledge" | "";
}

/** Whether somebody can open it when its machine is lost. */
export function kitOf({ kit, node }: Pick<Repository, "kit" | "node">): KitWords {
  switch (kit) {
    case "acknowledged":
      return { state: "ok", word: "recovery kit kept", text: "Somebody keeps a recovery kit, and it still opens the repository.", command: "" };
    case "made":
      return {
        state: "warning",
        word: "kit not acknowledged",
        text: "There is a recovery kit, and nobody has said that it is kept. When it lies where it is safe, say so; it asks for the last group of the code.",
        command: "acknowledge",
      };
    case "never":
      return {
        state: "warning",
        word: "no recovery kit",
        text: `There is no recovery kit: if ${visible(node)} is lost, nobody can read this repository any more, whoever has the disk. Make one today, print it, and keep it in another place.`,
        command: "make",
      };
    default:
      return { state: "unknown", word: "not known", text: "Its place cannot be read at the moment, so it is not known who could open it.", command: "" };
  }
}

export interface PruneSums {
  atOnce: number;
  freed: number;
  unused: number;
}

/** Of a prune's report: what is deleted at once, what is freed with it (at once only where that was asked for), what stays needless. */
export function pruneSums(steps: readonly Schemas["Step"][]): PruneSums {
  const sum = (code: string) => steps.filter((step) => step.code === code).reduce((total, step) => total + step.size_bytes, 0);
  return { atOnce: sum("packs-deleted"), freed: sum("space-freed"), unused: sum("space-unused") };
}

/** What goes, and when. */
export function pruneWords({ atOnce, freed, unused }: PruneSums, isDry: boolean, isInstant: boolean): string {
  if (atOnce + freed === 0) return `There is nothing to give back${unused > 0 ? `; ${formatBytes(unused)} that nothing needs is too little to be worth copying` : ""}.`;
  const does = isDry ? "would go" : "went";
  const parts = [
    atOnce > 0 ? `${formatBytes(atOnce)} ${does} now, whose time has come.` : "",
    freed > 0 ? `${formatBytes(freed)} ${isInstant ? `${does} at once` : `${isDry ? "would go" : "goes"} in 23 hours, with the next prune after that`}.` : "",
    unused > 0 ? `${formatBytes(unused)} that nothing needs ${isDry ? "would stay" : "stays"}.` : "",
  ];
  return parts.filter(Boolean).join(" ");
}
