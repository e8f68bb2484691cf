/** What a classification would choose on a node now, asked anew a moment after the last change; the newest question wins. */
import { useDebouncedValue } from "@mantine/hooks";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { client, take } from "../../api/client";
import type { Fields } from "./policy";

const SHOWN = 200;
const WAIT_MS = 500;

/** `node` null = ask nobody. */
export function useSample(classification: Fields, node: string | null) {
  const [asked] = useDebouncedValue(JSON.stringify(classification), WAIT_MS);
  return useQuery({
    queryKey: ["sample", node, asked],
    queryFn: ({ signal }) =>
      take(
        client.POST("/api/v1/nodes/{node}/sample", {
          params: { path: { node: node ?? "" } },
          body: { classification: JSON.parse(asked) as Record<string, unknown>, limit: SHOWN },
          signal,
        }),
      ),
    enabled: node !== null,
    // What another node said would be untrue of this one.
    placeholderData: (before, query) => (query?.queryKey[1] === node ? keepPreviousData(before) : undefined),
    staleTime: 30_000,
    retry: false,
  });
}
