/** What the Master says of times to come: the next runs of what is active, a schedule painted, a document played through. */
import { useDebouncedValue } from "@mantine/hooks";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { client, take } from "../../api/client";
import { keys } from "../../api/queries";
import type { Value } from "../../draft/edits";
import { useNow } from "../../parts/clock";
import { useFilters } from "../../parts/useFilters";
import { plusDays } from "../policies/calendar";
import type { Place } from "./Grid";
import { clockIn, daysOf, type View } from "./hours";

export const MOST_RUNS = 1_000;
export const SIMULATED_DAYS = 30;
const WAIT_MS = 300;
const NAMES = ["view"] as const;

/** The view stands in the address; the day that is looked at begins with today. */
export function usePlace(zone?: string) {
  const [{ view }, put] = useFilters(NAMES);
  const [date, hour] = clockIn(zone)(useNow()).split(" ") as [string, string];
  const today: Place = { date, hour: Number(hour.slice(0, 2)) };
  const [at, setAt] = useState<Place | null>(null);
  return {
    view: (view === "month" ? "month" : "week") as View,
    onView: (chosen: View) => put({ view: chosen === "week" ? "" : chosen }),
    at: at ?? today,
    onAt: setAt,
    today,
  };
}

export const useNextRuns = (isAsked: boolean) =>
  useQuery({
    queryKey: keys.schedules,
    queryFn: ({ signal }) => take(client.GET("/api/v1/schedules", { params: { query: { next: MOST_RUNS } }, signal })),
    enabled: isAsked,
    refetchInterval: 60_000,
  });

/** All of what a view shows, in whatever zone. */
export function usePainted(schedule: { [key: string]: Value }, view: View, date: string) {
  const days = daysOf(view, date);
  const body = { schedule, since: `${plusDays(days[0]!, -1)}T00:00:00Z`, days: days.length + 3 };
  const [asked] = useDebouncedValue(JSON.stringify(body), WAIT_MS);
  return useQuery({
    queryKey: ["painted", asked],
    queryFn: ({ signal }) => take(client.POST("/api/v1/schedules/paint", { body: JSON.parse(asked) as typeof body, signal })),
    placeholderData: keepPreviousData,
    staleTime: 60_000,
  });
}

/** `text` null: the newest saved document, which is `revision`. */
export function useSimulated(text: string | null, revision: number, isAsked: boolean) {
  const [asked] = useDebouncedValue(text, WAIT_MS);
  return useQuery({
    queryKey: ["simulated", revision, asked],
    queryFn: ({ signal }) =>
      take(client.POST("/api/v1/environment/simulate", { body: { text: asked, days: SIMULATED_DAYS, since: "now" }, signal })),
    enabled: isAsked,
    placeholderData: keepPreviousData,
    staleTime: 60_000,
  });
}
