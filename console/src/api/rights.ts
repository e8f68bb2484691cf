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

/** Whether an activity is granted on anything. What is not known yet is taken for granted: a button that comes late is worse. */
export function useMay(): (activity: Activity) => boolean {
  const { data } = useQuery(rights);
  return useMemo(() => {
    const granted = data && new Set(data.rows.map((row) => row.activity));
    return (activity) => !granted || granted.has(activity);
  }, [data]);
}
