/** The time that "3 min ago" is measured from: one timer for the whole page. */
import { useSyncExternalStore } from "react";

/** The time zone of who looks. */
export const ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";

const TICK_MS = 5_000;
let nowMs = Date.now();
let timer: ReturnType<typeof setInterval> | undefined;
const listeners = new Set<() => void>();

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  timer ??= setInterval(() => {
    nowMs = Date.now();
    for (const each of listeners) each();
  }, TICK_MS);
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) {
      clearInterval(timer);
      timer = undefined;
    }
  };
}

/** Milliseconds since 1970, true to five seconds. */
export const useNow = (): number => useSyncExternalStore(subscribe, () => nowMs);
