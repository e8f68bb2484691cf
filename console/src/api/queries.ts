/** Reads that several screens share, with their keys: `live/refresh.ts` makes them stale when an event says so. */
import { QueryClient, queryOptions, useQuery } from "@tanstack/react-query";
import { ApiError, client, take } from "./client";

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 10_000,
      networkMode: "always",
      retry: (count, error) => count < 2 && error instanceof ApiError && error.facts.retryable && error.status !== 401,
      refetchOnWindowFocus: true,
    },
    mutations: { networkMode: "always" },
  },
});

export const keys = {
  session: ["session"] as const,
  status: ["status"] as const,
  points: ["points"] as const,
  jobs: ["jobs"] as const,
  repositories: ["repositories"] as const,
  archive: ["archive"] as const,
  monitor: ["monitor"] as const,
  compile: ["compile"] as const,
  days: ["days"] as const,
  schedules: ["schedules"] as const,
  revisions: ["revisions"] as const,
  log: ["log"] as const,
  notifications: ["notifications"] as const,
};

/** Who is signed in; null is nobody, which is an answer and no failure: asked anew, a form half filled in stays as it is. */
const session = queryOptions({
  queryKey: keys.session,
  queryFn: ({ signal }) =>
    take(client.GET("/api/v1/session", { signal })).catch((error: unknown) => {
      if (error instanceof ApiError && error.status === 401) return null;
      throw error;
    }),
  staleTime: Infinity,
  retry: false,
});
export const useSession = () => useQuery(session);

export const useHealth = () =>
  useQuery({ queryKey: ["health"], queryFn: () => take(client.GET("/api/v1/health")), staleTime: Infinity });

const FOLLOWED_MS = 5_000;
const fewAreFollowed = (count: number) => count > 0 && count <= 200;

const status = queryOptions({
  queryKey: keys.status,
  queryFn: ({ signal }) => take(client.GET("/api/v1/status", { signal })),
  // No event tells that a change was delivered; where very many are followed, asking often would cost more than it shows.
  refetchInterval: (query) => (fewAreFollowed(query.state.data?.following.length ?? 0) ? FOLLOWED_MS : 30_000),
});
export const useStatus = () => useQuery(status);

/** What the first screen needs, asked for while the page is still being built. Who is not signed in gets nothing but the form. */
export function askFirst(): void {
  void queryClient.prefetchQuery(session);
  if (window.location.pathname === "/") void queryClient.prefetchQuery({ ...status, retry: false });
}

export const usePoints = (filter: { dataset?: string; repository?: string } = {}) =>
  useQuery({
    queryKey: [...keys.points, filter],
    queryFn: ({ signal }) => take(client.GET("/api/v1/points", { params: { query: filter }, signal })),
  });

export const useRepositories = () =>
  useQuery({
    queryKey: keys.repositories,
    queryFn: ({ signal }) => take(client.GET("/api/v1/repositories", { signal })),
    refetchInterval: 60_000,
  });
