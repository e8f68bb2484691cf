/** Links to downloads, and what a browser can know of whether it reaches the machine that gives them. */
import { client, type Schemas, take } from "../../../api/client";

export type Link = Schemas["DownloadLink"];
export type Format = Schemas["DownloadWanted"]["format"];

export interface Wanted {
  /** A point, or the address of a moment. */
  point: string;
  /** Percent-encoded. */
  path: string;
  format: Format;
}

/** `certificate`: the Master reaches the port and this browser does not. `refused`: the machine answers and says no, by a code. */
export type Reach = { kind: "ok"; sizeBytes: number | null } | { kind: "certificate" } | { kind: "unreachable" } | { kind: "refused"; code: string };

const PATIENCE_MS = 15_000;

export const linkTo = (wanted: Wanted): Promise<Link> =>
  take(client.POST("/api/v1/downloads", { body: { dataset: "", at: "", repository: "", ...wanted } }));

/** Tries the link without using it up. A page is told that a connection failed, never why; the Master's own attempt says more. */
export async function reach(link: Pick<Link, "url" | "reachable">): Promise<Reach> {
  try {
    const answer = await fetch(link.url, { ...PLAIN, method: "HEAD", signal: AbortSignal.timeout(PATIENCE_MS) });
    if (!answer.ok) return { kind: "refused", code: answer.headers.get("x-holdfast-error") ?? `HTTP ${answer.status}` };
    const length = answer.headers.get("content-length");
    return { kind: "ok", sizeBytes: length === null ? null : Number(length) };
  } catch {
    return { kind: link.reachable ? "certificate" : "unreachable" };
  }
}

/** Neither cookies nor a cache, and nowhere else than said. */
const PLAIN: RequestInit = { credentials: "omit", cache: "no-store", redirect: "error", referrerPolicy: "no-referrer" };

/** Hands the link to the browser, which saves what comes: the page stays. */
export const start = (link: Link): void => save(link.url, "");

/** The certificate of the environment's authority as a file that browsers and systems install. */
export async function saveAuthority(): Promise<void> {
  const { ca_pem } = await take(client.GET("/api/v1/ca"));
  const url = URL.createObjectURL(new Blob([ca_pem], { type: "application/x-pem-file" }));
  save(url, "holdfast-ca.pem");
  URL.revokeObjectURL(url);
}

function save(url: string, name: string): void {
  const anchor = document.createElement("a");
  anchor.href = url;
  anchor.download = name;
  anchor.rel = "noreferrer";
  document.body.append(anchor);
  anchor.click();
  anchor.remove();
}

/** Larger than is shown here. */
export class TooLarge extends Error {}

/** The bytes behind a link that was tried. Raises `TooLarge` before and while they come. */
export async function bytesOf(link: Link, most: number): Promise<Uint8Array> {
  const answer = await fetch(link.url, PLAIN);
  if (!answer.ok || answer.body === null) throw new Error(`The machine answers with ${answer.headers.get("x-holdfast-error") ?? answer.status}.`);
  if (Number(answer.headers.get("content-length") ?? 0) > most) {
    await answer.body.cancel();
    throw new TooLarge();
  }
  return new Uint8Array(await answer.arrayBuffer());
}
