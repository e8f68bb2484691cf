/** What was stored, by whom and when; and the text of each. */
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { client, type Schemas, take } from "../../api/client";
import { keys } from "../../api/queries";

export type RevisionFacts = Schemas["EnvironmentView"];

const PAGE = 100;

export const useRevisions = () =>
  useInfiniteQuery({
    queryKey: keys.revisions,
    queryFn: ({ pageParam, signal }) => {
      const query = { limit: PAGE, ...(pageParam === null ? {} : { before: pageParam }) };
      return take(client.GET("/api/v1/environment/revisions", { params: { query }, signal }));
    },
    initialPageParam: null as number | null,
    getNextPageParam: (page) => (page.more ? (page.revisions.at(-1)?.revision ?? null) : null),
  });

/** A revision never changes. `null` = none is wanted. */
export const useRevision = (number: number | null) =>
  useQuery({
    queryKey: ["revision", number],
    queryFn: ({ signal }) => take(client.GET("/api/v1/environment/revisions/{number}", { params: { path: { number: number! } }, signal })),
    enabled: number !== null && number > 0,
    staleTime: Infinity,
  });
