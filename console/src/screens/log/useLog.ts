/** The lines of a filter: pages of the log, read as one goes on, and the newest read anew when something new is said. */
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useEffect, useMemo } from "react";
import { client, take } from "../../api/client";
import { keys, queryClient } from "../../api/queries";
import { type LogFilter, type LogLine, type LogPage, type Pages, queryOf, withNewest } from "./log";

/** The newest page is read again with new lines, the others as one scrolls. */
const NEWEST = 100;
const PAGE = 500;
export const PAGES_KEY = ["log-pages"] as const;

const ask = (filter: LogFilter, before: number, signal: AbortSignal): Promise<LogPage> =>
  take(client.GET("/api/v1/logs", { params: { query: { ...queryOf(filter), before, limit: before ? PAGE : NEWEST } }, signal }));

export function useLog(filter: LogFilter) {
  const key = useMemo(() => [...PAGES_KEY, filter] as const, [filter]);
  const pages = useInfiniteQuery({
    queryKey: key,
    queryFn: ({ pageParam, signal }) => ask(filter, pageParam, signal),
    initialPageParam: 0,
    getNextPageParam: (last) => last.next ?? undefined,
    staleTime: Infinity,
    gcTime: 0,
    structuralSharing: false,
  });
  const newest = useQuery({
    queryKey: [...keys.log, filter],
    queryFn: ({ signal }) => ask(filter, 0, signal),
    enabled: pages.isSuccess,
    gcTime: 0,
  });
  const { data, dataUpdatedAt: askedAt } = newest;
  const { isFetching, dataUpdatedAt: readAt } = pages;
  useEffect(() => {
    // Not while pages are read: what comes then would be laid under them. And not again under what was read since.
    if (data && !isFetching && askedAt > readAt) queryClient.setQueryData<Pages>(key, (before) => before && withNewest(before, data));
  }, [key, data, askedAt, isFetching, readAt]);
  const rows = useMemo<LogLine[]>(() => pages.data?.pages.flatMap((page) => page.events) ?? [], [pages.data]);
  const readMore = () => {
    if (pages.hasNextPage && !pages.isFetching) void pages.fetchNextPage();
  };
  return { rows, more: pages.hasNextPage, readMore, pages };
}
