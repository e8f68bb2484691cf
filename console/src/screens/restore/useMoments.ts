/** What can be restored of a dataset beside its points: since when, the newest state, its gaps, and the moments of a span. */
import { useQuery } from "@tanstack/react-query";
import { client, take } from "../../api/client";
import { keys } from "../../api/queries";
import type { View } from "./timeline";

export const MOST_MOMENTS = 2_000;
const LIVE_MS = 10_000;
const IDLE_MS = 60_000;

/** Of all time; with the newest moment alone. */
export const useExtent = (dataset: string) =>
  useQuery({
    queryKey: [...keys.points, "extent", dataset],
    queryFn: ({ signal }) => take(client.GET("/api/v1/moments", { params: { query: { dataset, limit: 1 } }, signal })),
    enabled: dataset !== "",
    refetchInterval: (query) => (query.state.data?.moments.length ? LIVE_MS : IDLE_MS),
  });

/** The newest of a span. `isLive`: it ends now, so there may be more in a moment. */
export function useMomentsWithin(dataset: string, view: View, isLive: boolean, enabled: boolean) {
  // A window that moves along begins at the same moment for a while: each other one would be another question.
  const stepMs = (view.toMs - view.fromMs) / 60;
  const since = new Date(Math.floor(view.fromMs / stepMs) * stepMs).toISOString();
  const until = isLive ? "" : new Date(view.toMs).toISOString();
  return useQuery({
    queryKey: [...keys.points, "moments", dataset, since, until],
    queryFn: ({ signal }) =>
      take(client.GET("/api/v1/moments", { params: { query: { dataset, since, until, limit: MOST_MOMENTS } }, signal })),
    enabled,
    placeholderData: (before, query) => (query?.queryKey[2] === dataset ? before : undefined),
    refetchInterval: isLive ? LIVE_MS : false,
  });
}

/** What an address means: the newest state at or before its time. */
export const useAsOf = (address: string | null) =>
  useQuery({
    queryKey: [...keys.points, "as-of", address],
    queryFn: ({ signal }) => take(client.GET("/api/v1/ls", { params: { query: { point: address!, limit: 1 } }, signal })),
    enabled: address !== null,
    staleTime: 60_000,
  });
