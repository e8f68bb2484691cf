/** Paths of files: shown as text, sent as percent-encoded bytes, because a name need not be Unicode. Pure. */
import type { Schemas } from "../../api/client";
import { visible } from "../../parts/format";

export type Row = Schemas["Listing"];

/** As the API takes it. The escaping of the query itself comes on top. */
export function encodedPath(row: Pick<Row, "path" | "path_raw">): string {
  if (!row.path_raw) return encodeText(row.path);
  return [...atob(row.path_raw)].map((sign) => (/[A-Za-z0-9/._~-]/.test(sign) ? sign : `%${hex(sign.charCodeAt(0))}`)).join("");
}

export const encodeText = (path: string): string => path.split("/").map(encodeURIComponent).join("/");

/** A percent-encoded path as text; bytes that are no Unicode become visible signs. */
export function decodedPath(encoded: string): string {
  const bytes: number[] = [];
  for (const piece of encoded.match(/%[0-9A-Fa-f]{2}|[^%]|%/gu) ?? []) {
    if (piece.length === 3 && piece.startsWith("%")) bytes.push(parseInt(piece.slice(1), 16));
    else bytes.push(...new TextEncoder().encode(piece));
  }
  return new TextDecoder().decode(new Uint8Array(bytes));
}

/** Bytes in base64, as the API gives paths that are no rows. */
export const textOfBytes = (bytes: string): string => new TextDecoder().decode(Uint8Array.from(atob(bytes), (sign) => sign.charCodeAt(0)));

const hex = (value: number): string => value.toString(16).toUpperCase().padStart(2, "0");

export function nameOf(path: string): string {
  return visible(path.slice(path.lastIndexOf("/") + 1) || path);
}

export interface Crumb {
  title: string;
  /** Encoded; empty = the roots. */
  path: string;
}

/** The way from the roots of a point to a folder. Folders above a root hold nothing and are not offered. */
export function crumbs(roots: readonly string[], path: string): Crumb[] {
  const found: Crumb[] = roots.length === 1 ? [] : [{ title: "All folders", path: "" }];
  if (!path) return found;
  const root = roots.map(encodeText).find((each) => path === each || path.startsWith(each.endsWith("/") ? each : `${each}/`));
  if (root === undefined) return [...found, { title: visible(decodedPath(path)), path }];
  found.push({ title: visible(decodedPath(root)), path: root });
  let at = root;
  for (const part of path.slice(root.length).split("/").filter(Boolean)) {
    at = at.endsWith("/") ? at + part : `${at}/${part}`;
    found.push({ title: visible(decodedPath(part)), path: at });
  }
  return found;
}

/** Where a file comes to lie: below `target`, with its whole path. */
export function landing(target: string, path: string): string {
  const folder = target.replace(/\/+$/, "");
  return visible(`${folder}${path.startsWith("/") ? "" : "/"}${path}`);
}
