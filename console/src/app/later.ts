/**
 * Screens come when they are first wanted. What was not wanted yet comes a little later by itself, when the page has nothing else to do, so
 * that every screen opens at once, and also while the Master is away.
 */
import { type ComponentType, createElement, lazy, useState } from "react";

const REST_AFTER_MS = 4_000;
const waiting = new Set<() => Promise<unknown>>();

/** What `load` loads, for React's `lazy`; and known to `loadRest`. */
export function later<Part>(load: () => Promise<Part>): () => Promise<Part> {
  const known = () => load().finally(() => waiting.delete(known));
  waiting.add(known);
  return known;
}

export type Screen<Props extends object> = ComponentType<Props> & { load: () => Promise<unknown> };

/** A screen that comes later. One that has come by then is drawn at once: React's `lazy` alone would show its fallback for 300 ms. */
export function screen<Props extends object>(load: () => Promise<{ default: ComponentType<Props> }>): Screen<Props> {
  let come: ComponentType<Props> | null = null;
  const known = later(() =>
    load().then((part) => {
      come = part.default;
      return part;
    }),
  );
  const Coming = lazy(known);
  function Later(props: Props) {
    // What was chosen stays: another component would begin anew, with all that was typed into it gone.
    const [Chosen] = useState<ComponentType<Props>>(() => come ?? Coming);
    return createElement(Chosen, props);
  }
  return Object.assign(Later, { load: known });
}

/** Load, in a while, what nobody has asked for yet; also what the parts that come then bring with them. Returns how to stop that. */
export function loadRest(): () => void {
  let isStopped = false;
  const run = async () => {
    for (const load of waiting) {
      if (isStopped) return;
      // One that does not come now is asked for again when somebody wants it.
      await load().catch(() => undefined);
    }
  };
  const timer = setTimeout(() => void run(), REST_AFTER_MS);
  return () => {
    isStopped = true;
    clearTimeout(timer);
  };
}
