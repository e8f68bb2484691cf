/** Which points there would be now, had these rules been in force for 400 days: reckoned by the Master, a moment after the last change. */
import { useDebouncedValue } from "@mantine/hooks";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { client, type Schemas, take } from "../../api/client";
import type { Value } from "../../draft/edits";
import type { Times } from "./rhythm";

export const SPAN_DAYS = 400;
const WAIT_MS = 200;

export function useKeepPreview(keep: { [key: string]: Value }, times: Times) {
  const body: Schemas["KeepWanted"] = { keep, every: times.every, at: [...times.at], zone: times.zone, span_days: SPAN_DAYS };
  const [asked] = useDebouncedValue(JSON.stringify(body), WAIT_MS);
  return useQuery({
    queryKey: ["keep-preview", asked],
    queryFn: ({ signal }) => take(client.POST("/api/v1/keep/preview", { body: JSON.parse(asked) as Schemas["KeepWanted"], signal })),
    placeholderData: keepPreviousData,
    staleTime: 60_000,
  });
}
