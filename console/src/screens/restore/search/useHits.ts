/** The files that a search finds, page by page: the first at once, the others as they are wanted. */
import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import { useEffect, useMemo } from "react";
import { client, take } from "../../../api/client";
import { keys } from "../../../api/queries";
import { type Filters, type Found, foundOf, queryOf } from "./asking";

const PAGE_ROWS = 100;
/** Owners answer within about so many seconds, with what they have. */
const WITHIN_S = 1;

export function useHits(q: string, filters: Filters) {
  const query = queryOf(q, filters);
  const asked = useInfiniteQuery({
    queryKey: [...keys.points, "search", query],
    initialPageParam: "",
    // An answer to what was typed before is dropped, and its call ended.
    queryFn: ({ pageParam, signal }) =>
      take(client.GET("/api/v1/search", { params: { query: { ...query, limit: PAGE_ROWS, within: WITHIN_S, cursor: pageParam } }, signal })),
    getNextPageParam: (page) => page.cursor || undefined,
    placeholderData: keepPreviousData,
  });
  const { data, hasNextPage, isFetching, isError, fetchNextPage } = asked;
  const found = useMemo<Found[]>(() => foundOf(data?.pages.flatMap((page) => page.hits) ?? []), [data]);
  const isShort = found.length < PAGE_ROWS / 2;
  useEffect(() => {
    // Owners that had not looked at everything in time go on.
    if (isShort && hasNextPage && !isFetching && !isError) void fetchNextPage();
  }, [isShort, hasNextPage, isFetching, isError, fetchNextPage]);
  const silent = useMemo(() => {
    const rows = data?.pages.flatMap((page) => page.unreachable) ?? [];
    return [...new Map(rows.map((row) => [`${row.repository} ${row.node}`, row])).values()];
  }, [data]);
  return { ...asked, found, silent };
}
