/** Filters of a list, in the address: a link shows what its sender saw. */
import { useMemo } from "react";
// Not by the router's own hooks: these decode the address once more, and a name may have a % in it.
import { navigate, useSearch } from "wouter/use-browser-location";

/** The values of these parameters (empty = not set), and how to change some. Changing one does not add a step to the browser's history. */
export function useFilters<Name extends string>(names: readonly Name[]): [Record<Name, string>, (change: Partial<Record<Name, string>>) => void] {
  const search = useSearch();
  const filters = useMemo(() => {
    const params = new URLSearchParams(search);
    return Object.fromEntries(names.map((name) => [name, params.get(name) ?? ""])) as Record<Name, string>;
  }, [search, names]);
  // What stands in the address now, not when this was drawn: two filters may change at once.
  const put = (change: Partial<Record<Name, string>>) =>
    navigate(window.location.pathname + withFilters(window.location.search, change), { replace: true });
  return [filters, put];
}

/** The query of an address with these set, or removed where they are empty; the others stay. */
export function withFilters(search: string, change: Readonly<Record<string, string | undefined>>): string {
  const params = new URLSearchParams(search);
  for (const [name, value] of Object.entries(change)) {
    if (value) params.set(name, value);
    else params.delete(name);
  }
  const text = params.toString();
  return text ? `?${text}` : "";
}
