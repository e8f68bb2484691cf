/** Which reads an event makes stale. */
import { keys, queryClient } from "../api/queries";
import { type Delta, isOver } from "./store";

export function refreshAfter(delta: Delta): void {
  const stale = (key: readonly string[]) => void queryClient.invalidateQueries({ queryKey: key });
  switch (delta.kind) {
    case "points":
      stale(keys.points);
      stale(keys.repositories);
      break;
    case "job":
      stale(keys.monitor);
      stale([...keys.jobs, delta.job.id]);
      if (isOver(delta.job)) {
        stale(keys.status);
        stale(keys.days);
        stale(keys.jobs);
      }
      break;
    case "flows":
      stale(keys.monitor);
      stale(keys.compile);
      stale(keys.status);
      break;
    case "node":
      stale(keys.monitor);
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
