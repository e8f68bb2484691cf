/** Which reads an event makes stale. */
import { keys, queryClient } from "../api/queries";
import { type Delta, isOver } from "./store";

const MONITOR_MS = 1_000;
const soon = new Set<string>();

/** While jobs run, events come many times a second: such a read is asked anew once a second, and never while it is being answered. */
function staleSoon(key: readonly [string]): void {
  if (soon.has(key[0])) return;
  soon.add(key[0]);
  setTimeout(() => {
    soon.delete(key[0]);
    if (queryClient.isFetching({ queryKey: key }) > 0) staleSoon(key);
    else void queryClient.invalidateQueries({ queryKey: key });
  }, MONITOR_MS);
}

export function refreshAfter(delta: Delta): void {
  const stale = (key: readonly string[]) => void queryClient.invalidateQueries({ queryKey: key });
  switch (delta.kind) {
    case "points":
      stale(keys.points);
      stale(keys.repositories);
      break;
    case "job":
      staleSoon(keys.monitor);
      stale([...keys.jobs, delta.job.id]);
      if (isOver(delta.job)) {
        stale(keys.status);
        stale(keys.days);
        stale(keys.jobs);
        if (delta.job.kind === "check") stale(keys.repositories);
      }
      break;
    case "flows":
      staleSoon(keys.monitor);
      stale(keys.compile);
      stale(keys.status);
      break;
    case "node":
      staleSoon(keys.monitor);
      stale(keys.status);
      stale(keys.repositories);
      break;
    case "environment":
      stale(keys.revisions);
      break;
  }
}

/** After a snapshot anything may have changed. */
export function refreshAll(): void {
  void queryClient.invalidateQueries({ predicate: (query) => query.queryKey[0] !== keys.session[0] });
}
