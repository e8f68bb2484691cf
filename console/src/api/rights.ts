/** What whoever is signed in may: what they may not is not offered, and the Master refuses it all the same. */
import { queryOptions, useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { client, take } from "./client";
import { keys } from "./queries";

/** As `GET /api/v1/activities` names them. */
export type Activity = string;

const rights = queryOptions({
  queryKey: [...keys.session, "access"],
  queryFn: ({ signal }) => take(client.GET("/api/v1/session/access", { signal })),
  staleTime: 60_000,
});

export type May = (activity: Activity, on?: "anything" | "everything") => boolean;

/**
 * Whether an activity is granted: on anything, or on `everything`, which calls that are not narrowed to resources want (docs/access.md).
 * What is not known yet is taken for granted: a button that comes late is worse.
 */
export function useMay(): May {
  const { data } = useQuery(rights);
  return useMemo(() => {
    const granted = data && new Map(data.rows.map((row) => [row.activity, row.everything]));
    return (activity, on = "anything") => !granted || (on === "everything" ? granted.get(activity) === true : granted.has(activity));
  }, [data]);
}
