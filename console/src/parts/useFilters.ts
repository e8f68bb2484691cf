/** Filters of a list, in the address: a link shows what its sender saw. */
import { useMemo } from "react";
import { useSearchParams } from "wouter";

/** The values of these parameters (empty = not set), and how to change some. Changing one does not add a step to the browser's history. */
export function useFilters<Name extends string>(names: readonly Name[]): [Record<Name, string>, (change: Partial<Record<Name, string>>) => void] {
  const [params, setParams] = useSearchParams();
  const filters = useMemo(() => Object.fromEntries(names.map((name) => [name, params.get(name) ?? ""])) as Record<Name, string>, [params, names]);
  const put = (change: Partial<Record<Name, string>>) =>
    setParams(
      (before) => {
        const next = new URLSearchParams(before);
        for (const [name, value] of Object.entries<string | undefined>(change)) {
          if (value) next.set(name, value);
          else next.delete(name);
        }
        return next;
      },
      { replace: true },
    );
  return [filters, put];
}
