/** Which reads an event makes stale. */
import { keys, queryClient } from "../api/queries";
import { type Delta, isOver } from "./store";

const MONITOR_MS = 1_000;
/** A month of every dataset is the costliest of all, and one run changes one square of it. */
const DAYS_MS = 15_000;
/** Kinds of jobs after which a repository has other figures. */
const OF_REPOSITORIES = new Set(["check", "prune", "repair", "rebuild", "scrub", "drill"]);
/** And its points say something else. */
const OF_POINTS = new Set(["repair", "rebuild", "drill"]);
const soon = new Set<string>();

/** While jobs run, events come many times a second: such a read is asked anew once in a while, and never while it is being answered. */
function staleSoon(key: readonly [string], afterMs = MONITOR_MS): void {
  if (soon.has(key[0])) return;
  soon.add(key[0]);
  setTimeout(() => {
    soon.delete(key[0]);
    if (queryClient.isFetching({ queryKey: key }) > 0) staleSoon(key, afterMs);
    else void queryClient.invalidateQueries({ queryKey: key });
  }, afterMs);
}

const asking = new Set<unknown>();

/** A first answer that is still on its way may be of before the event, and the cache takes it for as good as asked anew: then it is asked
 * once more when it is here. */
async function makeStale(key: readonly string[]): Promise<void> {
  const fetching = queryClient.getQueryCache().findAll({ queryKey: key, fetchStatus: "fetching" });
  const first = new Set(fetching.filter((query) => query.state.data === undefined && !asking.has(query)));
  void queryClient.invalidateQueries({ queryKey: key });
  if (first.size === 0) return;
  for (const query of first) asking.add(query);
  await Promise.allSettled([...first].map((query) => query.promise));
  for (const query of first) asking.delete(query);
  await queryClient.invalidateQueries({ predicate: (query) => first.has(query) });
}

export function refreshAfter(delta: Delta): void {
  const stale = (key: readonly string[]) => void makeStale(key);
  switch (delta.kind) {
    case "points":
      stale(keys.points);
      stale(keys.repositories);
      break;
    case "job":
      staleSoon(keys.monitor);
      stale([...keys.jobs, delta.job.id]);
      if (isOver(delta.job)) {
        // In a large environment jobs end many times a second, and each of these answers tells of all nodes.
        staleSoon(keys.status);
        staleSoon(keys.days, DAYS_MS);
        staleSoon(keys.schedules, DAYS_MS);
        staleSoon(keys.jobs);
        if (OF_REPOSITORIES.has(delta.job.kind)) stale(keys.repositories);
        // A run may have archived something.
        if (delta.job.kind === "run") stale(keys.archive);
        if (OF_POINTS.has(delta.job.kind)) stale(keys.points);
      }
      break;
    case "flows":
      staleSoon(keys.monitor);
      stale(keys.compile);
      stale(keys.schedules);
      stale(keys.status);
      break;
    case "node":
      staleSoon(keys.monitor);
      stale(keys.status);
      stale(keys.repositories);
      break;
    case "environment":
      stale(keys.revisions);
      stale(keys.schedules);
      break;
    case "log":
      staleSoon(keys.log);
      break;
  }
}

/** After a snapshot anything may have changed. */
export function refreshAll(): void {
  void queryClient.invalidateQueries({ predicate: (query) => query.queryKey[0] !== keys.session[0] });
}
