/** What the restore screen shows, in its address. */
import { useLocation } from "wouter";
import { useSearch } from "wouter/use-browser-location";
import { to } from "../../app/places";
import { type Filter, FILTERS } from "./search/asking";

export interface Address extends Record<Filter, string> {
  dataset: string;
  point: string;
  /** Percent-encoded; empty = the roots. */
  path: string;
  /** The words of a search; empty = browse. */
  q: string;
  /** The file that was found and is looked at: path and dataset. */
  hit: string;
  /** What the chosen moment is compared with; empty = its folders are shown. */
  other: string;
  /** How much of the time is shown, and up to when; empty = as is usual, and now. */
  span: string;
  until: string;
}

const NAMES = ["dataset", "point", "path", "q", "hit", "other", "span", "until", ...FILTERS] as const;

export function useAddress(): [Address, (change: Partial<Address>, replace?: boolean) => void] {
  // As it stands: the router's own hook decodes it once more, and a name may have a % in it.
  const search = new URLSearchParams(useSearch());
  const [, go] = useLocation();
  const address = Object.fromEntries(NAMES.map((name) => [name, search.get(name) ?? ""])) as unknown as Address;
  const change = (change: Partial<Address>, replace = false) => {
    const next = Object.entries({ ...address, ...change }).filter(([, value]) => value !== "");
    go(to.restore(Object.fromEntries(next)), { replace });
  };
  return [address, change];
}
