/** What the form of "Protect a folder" takes. Pure. */

export interface Wish {
  node: string;
  path: string;
  location: string;
  every: string;
  /** For how long every moment can be restored; empty = only points can. */
  cdp: string;
}

export const HOW_OFTEN = [
  { value: "15m", label: "Every 15 minutes" },
  { value: "1h", label: "Every hour" },
  { value: "6h", label: "Every 6 hours" },
  { value: "1d", label: "Every day" },
] as const;

export const EVERY_MOMENT = [
  { value: "", label: "Only at its points" },
  { value: "24h", label: "Every moment of the last day" },
  { value: "7d", label: "Every moment of the last week" },
] as const;

/** What is wrong with each field; empty when it can be tried. The Master has the last word. */
export function complaints(wish: Wish): Partial<Record<keyof Wish, string>> {
  const found: Partial<Record<keyof Wish, string>> = {};
  if (!wish.node) found.node = "Choose the node that has the folder.";
  if (!wish.path.startsWith("/")) found.path = "Write the whole path, from / on.";
  if (!wish.location.startsWith("/")) found.location = "Write the whole path, from / on.";
  else if (isInside(wish.location, wish.path)) found.location = "This lies in the folder itself; choose a place outside it, best on another disk.";
  return found;
}

/** Whether `inner` is `outer` or lies below it. */
function isInside(inner: string, outer: string): boolean {
  const clean = (path: string) => `${path.replace(/\/+$/, "")}/`;
  return outer.startsWith("/") && clean(inner).startsWith(clean(outer));
}
