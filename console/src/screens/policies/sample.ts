/** The rows of a sample in words, and the answer to "why is this path not taken?". Pure. */
import type { Schemas } from "../../api/client";

export type SampleRow = Schemas["SampleRow"];

const REASONS: Record<string, (detail: string) => string> = {
  exclude: (detail) => `left out by the pattern ${detail}`,
  include: () => "no pattern of “Take only” matches it",
  exclude_caches: () => "in a folder that says it is a cache",
  one_file_system: () => "another file system is mounted here",
  holdfast: () => "belongs to Holdfast itself",
  kind: (detail) => detail,
  larger_than: (detail) => `not larger than ${detail}`,
  smaller_than: (detail) => `not smaller than ${detail}`,
  older_than: (detail) => `changed within the last ${detail}`,
  newer_than: (detail) => `unchanged for ${detail}`,
  owners: (detail) => `its owner is none of ${detail}`,
  groups: (detail) => `its group is none of ${detail}`,
  types: (detail) => `does not end in ${detail}`,
};

/** Why a path is left out. A rule that is not known is told as it is. */
export function reasonWords({ rule, detail }: Pick<SampleRow, "rule" | "detail">): string {
  return Object.hasOwn(REASONS, rule) ? REASONS[rule]!(detail) : `${rule} ${detail}`.trim();
}

/** Rows whose path has the text in it; a folder that is left out also answers for all that is in it. */
export function rowsAbout(rows: readonly SampleRow[], asked: string): SampleRow[] {
  const text = asked.trim().toLowerCase();
  if (text === "") return [...rows];
  return rows.filter(({ path, kind }) => {
    const own = path.toLowerCase();
    return own.includes(text) || (kind === "folder" && text.startsWith(`${own}/`));
  });
}

/** Whether a path is one of these or below one. */
export function isBelow(path: string, roots: readonly string[]): boolean {
  return roots.some((root) => path === root || path.startsWith(root.endsWith("/") ? root : `${root}/`));
}

/** The deepest folder that all of these are in or are; empty when that is the top. */
export function commonFolder(paths: readonly string[]): string {
  const [first = "", ...others] = paths;
  let folder = first.replace(/\/$/, "");
  while (folder !== "" && !others.every((path) => isBelow(path, [folder]))) folder = folder.slice(0, folder.lastIndexOf("/"));
  return folder;
}

/** The path without the folder it is below, where that is one and the same for all. */
export function belowRoot(path: string, root: string): string {
  const prefix = root === "" || root.endsWith("/") ? root : `${root}/`;
  return prefix !== "" && path.startsWith(prefix) && path !== prefix ? path.slice(prefix.length) : path;
}
