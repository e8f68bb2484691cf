/** Changing points: what is wished, how it is asked, and what came of it in words. */
import { client, type Schemas, take } from "../../api/client";
import { counted, shellWord } from "../../parts/format";
import type { Point } from "./figures";

export type ChangeKind = "tag" | "lock" | "expire" | "forget";

export interface Wish {
  add: readonly string[];
  remove: readonly string[];
  /** Local times as a field gives them, `2027-01-01T00:00`. */
  until: string;
  expiry: "now" | "at" | "never";
  at: string;
  newest: boolean;
}

export const EMPTY_WISH: Wish = { add: [], remove: [], until: "", expiry: "now", at: "", newest: false };
export const TITLES: Record<ChangeKind, string> = { tag: "Tag", lock: "Lock", expire: "Expire", forget: "Forget" };

/** What is still missing; empty = it can be asked. */
export function wishProblem(kind: ChangeKind, wish: Wish): string {
  if (kind === "tag" && wish.add.length + wish.remove.length === 0) return "Name a tag.";
  if (kind === "lock" && !wish.until) return "Say until when.";
  if (kind === "expire" && wish.expiry === "at" && !wish.at) return "Say when.";
  return "";
}

const isoOf = (local: string): string => (local ? new Date(local).toISOString() : "");
const expiryOf = (wish: Wish): string => (wish.expiry === "now" ? "now" : wish.expiry === "never" ? "" : isoOf(wish.at));

export function askChange(kind: ChangeKind, wish: Wish, points: readonly string[], repository: string, dry_run: boolean): Promise<Schemas["ChangedPoints"]> {
  const named = { points: [...points], repository, dry_run };
  switch (kind) {
    case "tag":
      return take(client.POST("/api/v1/points/tag", { body: { ...named, add: [...wish.add], remove: [...wish.remove] } }));
    case "lock":
      return take(client.POST("/api/v1/points/lock", { body: { ...named, until: isoOf(wish.until), duration: "" } }));
    case "expire":
      return take(client.POST("/api/v1/points/expire", { body: { ...named, at: expiryOf(wish) } }));
    case "forget":
      return take(client.POST("/api/v1/points/forget", { body: { ...named, newest: wish.newest } }));
  }
}

export interface Counts {
  changed: number;
  forgotten: number;
  unchanged: number;
  stays: number;
}

export function outcomeCounts(changes: readonly Pick<Schemas["ChangedPoint"], "outcome">[]): Counts {
  const counts: Counts = { changed: 0, forgotten: 0, unchanged: 0, stays: 0 };
  for (const { outcome } of changes) counts[outcome] += 1;
  return counts;
}

const DONE: Record<ChangeKind, string> = { tag: "tagged", lock: "locked", expire: "told when to expire", forget: "forgotten for ever" };

/** `2 points would be locked. 1 point stays, so nothing would be done.` */
export function planWords(kind: ChangeKind, counts: Counts, isDone: boolean): string {
  const does = counts.changed + counts.forgotten;
  const was = isDone ? (does === 1 ? "was" : "were") : "would be";
  const sentences = [`${counted(does, "point")} ${was} ${DONE[kind]}.`];
  if (counts.unchanged > 0) sentences.push(`${counted(counts.unchanged, "point")} ${isDone ? "stayed" : "would stay"} as ${counts.unchanged === 1 ? "it is" : "they are"}.`);
  if (counts.stays > 0) sentences.push(`${counted(counts.stays, "point")} ${counts.stays === 1 ? "stays" : "stay"}: all go or none, so leave ${counts.stays === 1 ? "it" : "them"} out to go on.`);
  return sentences.join(" ");
}

const SHOWN_IDS = 5;

/** The same on the command line; of many points the first few. */
export function cliOf(kind: ChangeKind, wish: Wish, points: readonly Pick<Point, "id">[], repository: string): string {
  const ids = points.slice(0, SHOWN_IDS).map((point) => point.id.slice(0, 8));
  const more = points.length > SHOWN_IDS ? " ..." : "";
  return `holdfast points ${kind} ${ids.join(" ")}${more}${flagsOf(kind, wish)} --repository ${shellWord(repository)}`;
}

function flagsOf(kind: ChangeKind, wish: Wish): string {
  switch (kind) {
    case "tag":
      return [...wish.add.map((tag) => ` --add ${shellWord(tag)}`), ...wish.remove.map((tag) => ` --remove ${shellWord(tag)}`)].join("");
    case "lock":
      return ` --until ${isoOf(wish.until) || "TIME"}`;
    case "expire":
      return wish.expiry === "at" ? ` --at ${isoOf(wish.at) || "TIME"}` : ` --${wish.expiry}`;
    case "forget":
      return wish.newest ? " --yes" : "";
  }
}
