/** What applying the working copy would change, and whether its flows could be activated. */
import { useDebouncedValue } from "@mantine/hooks";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { client, take } from "../../api/client";
import { keys } from "../../api/queries";

const WAIT_MS = 300;

/** `revision`: the newest, which the plan is against. Asked anew, as a compilation is, when a flow was activated. */
export function usePlanned(text: string, revision: number) {
  const [asked] = useDebouncedValue(text, WAIT_MS);
  return useQuery({
    queryKey: [...keys.compile, "planned", revision, asked],
    queryFn: ({ signal }) => take(client.POST("/api/v1/environment/plan", { body: { text: asked }, signal })),
    placeholderData: keepPreviousData,
    gcTime: 30_000,
  });
}
