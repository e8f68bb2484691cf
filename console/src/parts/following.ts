/** How datasets are followed, in words: the state of each, how much waits, by what it is watched, its gaps. Pure. */
import type { Schemas } from "../api/client";
import { counted, formatBytes, formatDuration, formatTime, sentence, visible } from "./format";
import type { StateName } from "./State";

export type Followed = Schemas["FollowingRow"];
export type GapReason = Schemas["GapReason"];
type FollowState = Schemas["FollowState"];

const STATES: Record<FollowState, readonly [StateName, string]> = {
  waiting: ["warning", "waiting"],
  "not-watched": ["warning", "not watched"],
  reconciling: ["warning", "in a gap"],
  starting: ["running", "first look"],
  following: ["ok", "following"],
};
const WORST_FIRST = Object.keys(STATES);

export const followState = (row: Followed): { state: StateName; word: string } => {
  // A closed window is drawn so: nobody needs to look.
  if (row.state === "waiting" && !row.error && row.waits_until) return { state: "off", word: "window closed" };
  const [state, word] = row.state === "following" && row.open_gap_since ? STATES.reconciling : STATES[row.state];
  return { state, word };
};

export const worstFirst = (rows: readonly Followed[]): Followed[] =>
  [...rows].sort((a, b) => WORST_FIRST.indexOf(a.state) - WORST_FIRST.indexOf(b.state) || a.dataset.localeCompare(b.dataset));

/** Age of the oldest change that was not delivered, in seconds; 0 = nothing waits, or for less than a second. */
export const lagSeconds = (row: Followed, nowMs: number): number =>
  row.pending_since ? Math.max(0, (nowMs - Date.parse(row.pending_since)) / 1000) : 0;

/** What waits, without a full stop. */
export function waitingWords(row: Followed, nowMs: number): string {
  if (row.state === "starting") return "all of it is looked at once, then every change is delivered as it happens";
  const lag = lagSeconds(row, nowMs);
  if (row.pending === 0 && lag === 0) return row.state === "following" ? "everything is delivered" : "";
  const size = row.pending_bytes > 0 ? ` (${formatBytes(row.pending_bytes)})` : "";
  const where = row.waits_until ? `wait for the window, which opens ${formatTime(row.waits_until)}` : "on the way";
  const what = row.pending > 0 ? `${counted(row.pending, "change")}${size} ${where}` : `changes ${where}`;
  return lag >= 1 ? `${what}, the oldest for ${formatDuration(lag)}` : what;
}

/** What waits in the spool of the source for receivers that are away, one sentence for each. */
export const spooledSentences = (row: Followed, nowMs: number): string[] =>
  row.spooled.map((each) => {
    const age = Math.max(0, (nowMs - Date.parse(each.since)) / 1000);
    const what = `${counted(each.runs, "commit")} (${formatBytes(each.size_bytes)}, the oldest ${formatDuration(age)} old)`;
    return `${what} ${each.runs === 1 ? "waits" : "wait"} in the spool for ${visible(each.receiver)}${each.falls_behind ? ", and it becomes more" : ""}.`;
  });

/** Several datasets in the few words that a line of a drawing has room for. */
export function linkWords(rows: readonly Followed[], nowMs: number): string {
  const [worst] = worstFirst(rows);
  if (!worst) return "";
  const { state, word } = followState(worst);
  const pending = rows.reduce((sum, row) => sum + row.pending, 0);
  const lag = Math.max(...rows.map((row) => lagSeconds(row, nowMs)));
  const waits = [pending > 0 ? counted(pending, "change") : "", lag >= 1 ? `${formatDuration(lag)} behind` : ""].filter(Boolean);
  if (state === "ok") return waits.length > 0 ? waits.join(", ") : "nothing waits";
  return [word, ...waits].join(", ");
}

/** One line over all of them. */
export function summaryWords(rows: readonly Followed[]): string {
  const troubled = rows.filter((row) => followState(row).state === "warning").length;
  const starting = rows.filter((row) => row.state === "starting").length;
  const pending = rows.reduce((sum, row) => sum + row.pending, 0);
  const parts = [
    troubled > 0 ? `${counted(troubled, "needs a look", "need a look")}` : "",
    starting > 0 ? `${counted(starting, "begins", "begin")}` : "",
    pending > 0 ? `${counted(pending, "change")} on the way` : "",
  ].filter(Boolean);
  const all = `${counted(rows.length, "dataset is", "datasets are")} followed`;
  return parts.length > 0 ? `${all}: ${parts.join(", ")}.` : `${all}; everything is delivered.`;
}

const REASONS: Record<GapReason, string> = {
  restart: "nobody watched: the node, its worker or the machine was not running",
  overflow: "more changed than the kernel keeps in its queue",
  mount: "a file system came, went or was exchanged",
  "root-replaced": "the folder is another one now",
  "not-watched": "this machine cannot watch there, so changes are found by looking at all of it",
  thinned: "a receiver was away and the room for waiting changes was full, so states between were left out",
  "source-vanished": "the source looked as if it was gone, and was refused",
  scan: "all of it was looked at meanwhile, and each file is as it was when it was read",
  late: "the node was busy with something else, and of what changed more than once the last state is known",
};

export const reasonOf = (reason: GapReason): string => REASONS[reason] ?? reason;

export interface Span {
  since: string;
  until: string;
  reason: GapReason;
}

/** `from 14:02 to 14:05 below /srv`: when, where and why, as one sentence. */
export function gapSentence(gap: Span & { path: string }): string {
  const seconds = (Date.parse(gap.until) - Date.parse(gap.since)) / 1000;
  const span = `${formatTime(gap.since)}, for ${formatDuration(Math.max(1, seconds))}`;
  if (gap.reason === "thinned") return `From ${span}, not every state below ${visible(gap.path)} was kept: ${reasonOf(gap.reason)}.`;
  if (gap.reason === "source-vanished") return `From ${span}, what was below ${visible(gap.path)} was kept by nobody: ${reasonOf(gap.reason)}.`;
  if (gap.reason === "scan") return `From ${span}, what is shown below ${visible(gap.path)} may be later than asked: ${reasonOf(gap.reason)}.`;
  return `From ${span}, changes below ${visible(gap.path)} may have gone unseen: ${reasonOf(gap.reason)}.`;
}

const MEANS: Record<string, string> = {
  fanotify: "fanotify, for the whole file system",
  inotify: "inotify, folder by folder",
};

export const meansWords = (means: readonly string[]): string => means.map((each) => MEANS[each] ?? each).join(" and ");

/** What the watch does not see, or why no better means is used. Who made a change is nothing that protection needs. */
const SHORTFALLS: Record<string, string> = {
  "not-permitted": "fanotify is not permitted to this node: run it as root",
  "not-supported-here": "this file system or kernel has no fanotify for it",
  "no-queue-left": "the kernel gives no further fanotify queue",
  "not-chosen": "",
  "who-is-not-known": "",
  "writes-through-names-outside-or-gone": "a write through another name of a file, outside the folders, is found by the next full look",
  "changes-by-other-machines": "changes that other machines make there are not seen: have a backup, which looks at everything",
  "folders-that-cannot-be-read": "some folders cannot be read, so nothing below them is watched",
};

export const shortfallSentences = (shortfalls: readonly string[]): string[] =>
  shortfalls.map((each) => SHORTFALLS[each] ?? each).filter(Boolean).map(sentence);
