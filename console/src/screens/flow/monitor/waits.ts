/** Why a hop stands still, in words. Pure. */
import type { Schemas } from "../../../api/client";
import { counted, formatTime, visible } from "../../../parts/format";

type Wait = Schemas["Wait"] | Schemas["Waiting"];

const since = (wait: Wait): string => (wait.since ? ` since ${formatTime(wait.since)}` : "");
const until = (wait: Wait): string => (wait.until ? ` until ${formatTime(wait.until)}` : "");

/** For a line of the drawing. */
export function shortWait(wait: Wait): string {
  const what = visible(wait.what ?? "");
  switch (wait.reason) {
    case "receiver":
      return `${what || "receiver"} away${since(wait)}`;
    case "not-called":
      return `${what || "receiver"} has not called`;
    case "job":
      return "behind another job";
    case "paused":
      return `${what || "repository"} paused${until(wait)}`;
    case "low-disk":
      return "no room at the source";
    case "limit":
      return `waits for a place at ${what}`;
    case "upstream":
      return what ? `waits for ${what}` : "waits for a first point";
    case "window":
      return `waits for its window${until(wait)}`;
  }
}

/** As one sentence without a full stop. */
export function longWait(wait: Wait): string {
  const what = visible(wait.what ?? "");
  const of = "datasets" in wait && wait.datasets > 1 ? `, ${counted(wait.datasets, "dataset")}` : "";
  return words(wait, what) + of;
}

function words(wait: Wait, what: string): string {
  switch (wait.reason) {
    case "receiver":
      return `${what || "The receiver"} is away${since(wait)}`;
    case "not-called":
      return `${what || "The receiver"} has to call here and has not${since(wait)}`;
    case "job":
      return `Another job goes first: ${what}`;
    case "paused":
      return `Repository ${what} is paused${until(wait) || since(wait)}`;
    case "low-disk":
      return "The disk of the sending node's home has no room, so that nothing is captured";
    case "limit":
      return `Waits for a place at ${what}${wait.why ? `: ${visible(wait.why)}` : ""}`;
    case "upstream":
      return what ? `Waits for ${what}${wait.why ? `: ${visible(wait.why)}` : ""}${wait.since ? `; the last good is of ${formatTime(wait.since)}` : ""}` : "Waits for a first point to come here";
    case "window":
      return `Waits for its window${until(wait) || ", which does not open"}`;
  }
}
