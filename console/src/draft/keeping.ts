/** What is not saved is kept in the page's own storage, so that a reload or a crash of the tab loses nothing. */

interface Kept {
  baseRevision: number;
  baseText: string;
  text: string;
}

const KEY = "holdfast-draft";

export function keep({ baseRevision, baseText, text }: Kept): void {
  try {
    if (text === baseText) sessionStorage.removeItem(KEY);
    else sessionStorage.setItem(KEY, JSON.stringify({ baseRevision, baseText, text }));
  } catch {
    // A full or forbidden storage must not stop the edit itself.
  }
}

export function kept(): Kept | null {
  try {
    const found = JSON.parse(sessionStorage.getItem(KEY) ?? "null") as Partial<Kept> | null;
    const isWhole = found && typeof found.text === "string" && typeof found.baseText === "string" && typeof found.baseRevision === "number";
    return isWhole ? (found as Kept) : null;
  } catch {
    return null;
  }
}
