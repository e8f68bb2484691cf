/** What is not saved is kept in the page's own storage, so that a reload or a crash of the tab loses nothing. */

import type { Edit } from "./edits";

/** An edit that is on its way to the Master: by operations, or the whole text. */
export interface Pending {
  label: string;
  edits: readonly Edit[];
  text: string | null;
}

interface Kept {
  baseRevision: number;
  baseText: string;
  text: string;
  pending: readonly Pending[];
}

/** The browser breaks off what is under way before a page is gone: that is no refusal, and the next page goes on with it. */
export const page = { isLeaving: false };
globalThis.addEventListener?.("beforeunload", () => {
  page.isLeaving = true;
});

const KEY = "holdfast-draft";

export function keep({ baseRevision, baseText, text, pending }: Kept): void {
  try {
    if (text === baseText && pending.length === 0) sessionStorage.removeItem(KEY);
    else sessionStorage.setItem(KEY, JSON.stringify({ baseRevision, baseText, text, pending }));
  } catch {
    // A full or forbidden storage must not stop the edit itself.
  }
}

export function kept(): Kept | null {
  try {
    const found = JSON.parse(sessionStorage.getItem(KEY) ?? "null") as Partial<Kept> | null;
    const isWhole = found && typeof found.text === "string" && typeof found.baseText === "string" && typeof found.baseRevision === "number";
    return isWhole ? { ...(found as Kept), pending: Array.isArray(found.pending) ? found.pending : [] } : null;
  } catch {
    return null;
  }
}
