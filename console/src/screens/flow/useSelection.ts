/** What is selected in the drawing stands in the address, so that a link or the back button brings it again. */
import { useCallback, useMemo } from "react";
import { useLocation, useSearch } from "wouter";
import type { ThingId } from "./things";

export function useSelection(): readonly [readonly ThingId[], (things: readonly ThingId[]) => void] {
  const search = useSearch();
  const [path, go] = useLocation();
  const selected = useMemo(() => new URLSearchParams(search).getAll("select"), [search]);
  const select = useCallback(
    (things: readonly ThingId[]) => {
      const params = new URLSearchParams(window.location.search);
      params.delete("select");
      for (const thing of things) params.append("select", thing);
      const text = params.toString();
      go(text ? `${path}?${text}` : path, { replace: true });
    },
    [path, go],
  );
  return [selected, select];
}
