/** Versions of files over all time, and by what each can be had. Pure. */
import type { Stand } from "./moments";
import { encodedPath, type Row } from "./paths";

/** A version that lies in several repositories is one version. */
export function distinctVersions(rows: readonly Row[]): Row[] {
  const seen = new Map<string, Row>();
  for (const row of rows) {
    const key = `${row.dataset}|${encodedPath(row)}|${row.valid_from}|${row.mtime_ns}|${row.size_bytes}`;
    const other = seen.get(key);
    // The one that a point holds can be had by that.
    if (!other || (!other.point && row.point)) seen.set(key, row);
  }
  return [...seen.values()];
}

export const newestFirst = (rows: readonly Row[]): Row[] => [...rows].sort((a, b) => Date.parse(b.valid_from ?? "") - Date.parse(a.valid_from ?? ""));

/** What to restore a version from: the point that holds it; of one that no point holds the moment at which it began. `paths`: the roots. */
export function standOf(row: Row, paths: readonly string[]): Stand {
  const time = row.valid_from ?? "";
  return { id: row.point || `${row.dataset}@${time}`, dataset: row.dataset, time, paths };
}
