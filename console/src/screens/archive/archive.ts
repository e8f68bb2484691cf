/** What is shown of archived files: rows told apart, holds put together, what a recall is asked for, as command and call. Pure. */
import type { Schemas } from "../../api/client";
import { counted, formatDuration, shellWord, visible } from "../../parts/format";
import { decodedPath, encodedPath, encodeText } from "../restore/paths";

export type ArchivedDataset = Schemas["ArchivedDataset"];
export type ArchivedFile = Schemas["ArchivedFile"];
export type Plan = Schemas["PlannedArchive"];

/** As many versions as the Master gives at once. */
export const MOST = 10_000;

/** What somebody wants back in its place. `paths` are percent-encoded. */
export interface Recall {
  node: string;
  paths: readonly string[];
  recursive: boolean;
}

/** A legal hold of a dataset, with the repositories that have it. */
export interface Hold {
  name: string;
  since: string;
  /** Percent-encoded. */
  path: string;
  repositories: readonly string[];
}

/** Dataset and repository; no name has a line break in it. */
export const rowKey = (row: Pick<ArchivedDataset, "dataset" | "repository">): string => `${row.dataset}\n${row.repository}`;
export const fileKey = (file: ArchivedFile): string => `${file.archived_at} ${file.repository} ${encodedPath(file)}`;
export const planKey = (plan: Plan): string => `${plan.dataset}\n${plan.operation}`;

/** The machine that a dataset is of: the first part of its label. */
export const nodeOf = (dataset: string): string => dataset.split("/")[0] ?? "";

export function keptFor(row: Pick<ArchivedDataset, "operation" | "keep_s">): string {
  if (!row.operation) return "for ever: no rule archives it any more";
  return row.keep_s === null ? "for ever" : formatDuration(row.keep_s);
}

const LEFT: Readonly<Record<string, string>> = { stub: "a stub", copy: "the file itself", nothing: "nothing" };
export const leftWord = (leave: string): string => (Object.hasOwn(LEFT, leave) ? LEFT[leave]! : visible(leave));

/** One line for each hold, also where several repositories have it. In order of time. */
export function holdsOf(rows: readonly ArchivedDataset[]): Hold[] {
  const found = new Map<string, Hold>();
  for (const { holds, repository } of rows)
    for (const { name, since, ...place } of holds) {
      const path = encodedPath(place);
      const key = `${name}\n${path}`;
      const known = found.get(key);
      found.set(key, {
        name,
        path,
        since: known && known.since < since ? known.since : since,
        repositories: [...(known?.repositories ?? []), repository].sort(),
      });
    }
  return [...found.values()].sort((a, b) => a.since.localeCompare(b.since) || a.name.localeCompare(b.name));
}

/** Versions whose time is over and that this hold alone keeps. */
export function freedBy(hold: string, files: readonly ArchivedFile[], nowMs: number): ArchivedFile[] {
  return files.filter((file) => file.until !== null && Date.parse(file.until) <= nowMs && file.holds.length === 1 && file.holds[0] === hold);
}

/** The deepest folder that all of these lie in, percent-encoded; empty where there are none. */
export function folderOf(files: readonly Pick<ArchivedFile, "path" | "path_raw">[]): string {
  let shared: string[] | null = null;
  for (const file of files) {
    const parts = encodedPath(file).split("/").slice(0, -1);
    const until: number = shared === null ? parts.length : shared.findIndex((part, index) => part !== parts[index]);
    if (shared === null || until >= 0) shared = parts.slice(0, until);
  }
  return shared === null ? "" : shared.join("/") || "/";
}

/** What one types is a path as text; empty means everything. */
export const askedPath = (typed: string): string => encodeText(typed || "/");

const FEW = 3;

/** Paths for a command line: all, or the first few and how many more there are. */
export function recallCommand({ node, paths, recursive }: Recall): string {
  const words = paths.slice(0, FEW).map((path) => shellWord(decodedPath(path)));
  if (paths.length > FEW) words.push("…");
  return ["holdfast recall", ...words, ...(recursive ? ["--recursive"] : []), "--node", shellWord(node)].join(" ");
}

export function recalledThing({ paths, recursive }: Recall): string {
  const [only] = paths;
  if (paths.length === 1 && only !== undefined) return recursive ? `everything below ${visible(decodedPath(only))}` : visible(decodedPath(only));
  return counted(paths.length, "file");
}
