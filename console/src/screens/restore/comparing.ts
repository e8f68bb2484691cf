/** What differs between two moments, in words. Pure. */
import type { Schemas } from "../../api/client";
import { counted, formatBytes, visible } from "../../parts/format";
import { encodedPath } from "./paths";

export type Difference = Schemas["Difference"];

const FOLDERS = new Set(["dir", "folder"]);

const CHANGES: Record<Difference["change"], string> = {
  added: "new",
  removed: "removed",
  changed: "changed",
  moved: "moved",
  inside: "changed inside",
  unknown: "not compared",
};

export const changeWord = (change: Difference["change"]): string => CHANGES[change] ?? change;

const FACTS: Record<string, string> = {
  type: "what it is",
  content: "content",
  target: "where the link leads",
  device: "device",
  mode: "permissions",
  owner: "owner",
  mtime: "time",
  xattrs: "attributes",
};

/** What of a path is another, and where it was before it moved. Empty for what is new or removed. */
export function factWords(row: Difference): string {
  const facts = row.facts.map((fact) => FACTS[fact] ?? fact).join(", ");
  const from = row.change === "moved" && row.before ? `was ${visible(row.before.path)}` : "";
  return [from, facts, row.inside ? totalsWords(row.inside) : ""].filter(Boolean).join("; ");
}

/** `2 new, 1 removed`; empty when nothing differs. */
export function totalsWords(totals: Schemas["Totals"]): string {
  const parts = [
    totals.added > 0 ? `${counted(totals.added, "new", "new")}` : "",
    totals.removed > 0 ? `${counted(totals.removed, "removed", "removed")}` : "",
    totals.changed > 0 ? `${counted(totals.changed, "changed", "changed")}` : "",
    totals.moved > 0 ? `${counted(totals.moved, "moved", "moved")}` : "",
  ];
  return parts.filter(Boolean).join(", ");
}

type By = Schemas["FoundDifferences"]["by"];
const HOW: Record<Exclude<By, "trees">, string> = {
  content: "by recorded hashes of what is in files",
  metadata: "by recorded hashes where both have them, else by type, size, time, mode and owner alone",
};

/** What is to be known of a comparison of two owners' listings; nothing of two trees of one. Each page says by what, the weakest is true. */
export function byListings(pages: readonly { by: By }[]): string {
  const by = (["metadata", "content"] as const).find((each) => pages.some((page) => page.by === each));
  return by ? `They lie with two owners and were compared ${HOW[by]}; what moved is shown as removed and new.` : "";
}

/** Of all that differs below the folder that is shown; null = too many to count. */
export function totalsSentence(totals: Schemas["Totals"] | null): string {
  if (totals === null) return "Too much differs to be counted; what moved is shown as removed and new.";
  const words = totalsWords(totals);
  if (!words) return "Nothing differs here.";
  const { before_bytes: before, after_bytes: after } = totals;
  return `${words}; the files among them had ${formatBytes(before)} and have ${formatBytes(after)}.`;
}

/** `3 KiB → 4 KiB`, of a file; what is not there has a dash. */
export function sizeWords(row: Difference): string {
  const sizes = [row.before, row.after].map((side) => (side ? (side.kind === "file" ? formatBytes(side.size_bytes) : "") : "–"));
  if (sizes.every((size) => size === "" || size === "–")) return "";
  const [before, after] = sizes;
  return before === after ? before! : `${before} → ${after}`;
}

/** The folder that can be gone into; null for what is none on both sides. */
export function folderOf(row: Difference): string | null {
  const isFolder = row.change === "inside" || [row.after, row.before].some((side) => side && FOLDERS.has(side.kind));
  return isFolder && row.change !== "moved" ? encodedPath(row) : null;
}
