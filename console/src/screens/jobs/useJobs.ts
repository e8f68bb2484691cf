/** The jobs of a filter: pages of the record, read as one goes on, and what is live laid over them. */
import { useInfiniteQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { client, take } from "../../api/client";
import { type Job, useLive } from "../../live/store";
import { fitsJob, type JobFilter, mergedJobs } from "./jobs";

/** Few at first, so that something is seen at once; many of those that one must scroll for. */
const FIRST_PAGE = 500;
const PAGE = 4_000;

export function useJobs(filter: JobFilter) {
  // Not under the key that each ended job makes stale: what ends is live, and a thousand pages need not be read anew for it.
  const pages = useInfiniteQuery({
    queryKey: ["job-pages", filter],
    queryFn: ({ pageParam, signal }) => take(client.GET("/api/v1/jobs", { params: { query: queryOf(filter, pageParam) }, signal })),
    initialPageParam: "",
    getNextPageParam: (last) => (last.more ? last.jobs.at(-1)?.id : undefined),
    staleTime: Infinity,
    gcTime: 0,
    // Comparing all pages in depth with each that comes would take longer than reading it.
    structuralSharing: false,
  });
  const { jobs, flows, triggers } = useLive(({ jobs, flows, triggers }) => ({ jobs, flows, triggers }));
  const record = useMemo<Job[]>(() => pages.data?.pages.flatMap((page) => page.jobs) ?? [], [pages.data]);
  const more = pages.hasNextPage;
  const rows = useMemo(
    () => mergedJobs(record, jobs, (job) => fitsJob(job, filter, { flows, triggers }), more),
    [record, jobs, flows, triggers, filter, more],
  );
  const readMore = () => {
    if (pages.hasNextPage && !pages.isFetchingNextPage) void pages.fetchNextPage();
  };
  return { rows, more, readMore, pages };
}

function queryOf(filter: JobFilter, before: string) {
  const { state, ...rest } = filter;
  return { limit: before ? PAGE : FIRST_PAGE, before, ...rest, state: state as "" | Job["state"] };
}
