/** What the Master told, as one immutable value: a snapshot, then deltas put in. Pure, but for the list of listeners. */
import { useRef, useSyncExternalStore } from "react";
import type { Schemas } from "../api/client";

export type Job = Schemas["NamedJob"];
export type Node = Schemas["NodeView"];
export type Flow = Schemas["FlowView"];
export type Progress = Schemas["Progress"];
export type Trigger = Schemas["TriggerProgress"];
export type LogLine = Schemas["NamedEvent"];
export type Snapshot = Schemas["Snapshot"];
export type Delta =
  | Schemas["NodeDelta"]
  | Schemas["JobDelta"]
  | Schemas["ProgressDelta"]
  | Schemas["PointsDelta"]
  | Schemas["FlowsDelta"]
  | Schemas["EnvironmentDelta"]
  | Schemas["TriggerDelta"]
  | Schemas["LogDelta"];

/** `connecting`: never heard of; `live`: up to date; `lost`: what is shown is from `heardAt`; `ended`: the session is over. */
export type Connection = "connecting" | "live" | "lost" | "ended";

export interface Live {
  connection: Connection;
  /** Milliseconds since 1970 of the newest word of the Master; 0 = never. */
  heardAt: number;
  environment: Schemas["EnvironmentView"] | null;
  nodes: readonly Node[];
  flows: readonly Flow[];
  jobs: ReadonlyMap<string, Job>;
  progress: ReadonlyMap<string, Progress>;
  triggers: ReadonlyMap<string, Trigger>;
  log: readonly LogLine[];
}

export const EMPTY: Live = {
  connection: "connecting",
  heardAt: 0,
  environment: null,
  nodes: [],
  flows: [],
  jobs: new Map(),
  progress: new Map(),
  triggers: new Map(),
  log: [],
};

const MOST_JOBS = 1_000;
const MOST_LINES = 500;
const OVER = new Set(["succeeded", "warnings", "failed", "cancelled", "unknown"]);

export const isOver = (job: Pick<Job, "state">): boolean => OVER.has(job.state);

export function fromSnapshot(before: Live, snapshot: Snapshot): Live {
  return {
    ...before,
    environment: snapshot.environment,
    nodes: snapshot.nodes,
    flows: snapshot.flows,
    jobs: new Map(snapshot.jobs.map((job) => [job.id, job])),
    progress: new Map(snapshot.progress.map((each) => [each.job, each])),
    triggers: new Map(snapshot.triggers.map((each) => [each.id, each])),
  };
}

export function withDelta(before: Live, delta: Delta): Live {
  switch (delta.kind) {
    case "node": {
      const others = before.nodes.filter((node) => node.id !== delta.node.id);
      return { ...before, nodes: [...others, delta.node].sort((a, b) => a.name.localeCompare(b.name)) };
    }
    case "job":
      return withJob(before, delta.job);
    case "progress": {
      const progress = new Map(before.progress);
      for (const each of delta.progress) progress.set(each.job, each);
      return { ...before, progress };
    }
    case "flows":
      return { ...before, flows: delta.flows };
    case "environment":
      return { ...before, environment: delta.environment };
    case "trigger": {
      const triggers = new Map(before.triggers);
      triggers.set(delta.trigger.id, delta.trigger);
      return { ...before, triggers };
    }
    case "log":
      return { ...before, log: [...before.log, ...delta.events].slice(-MOST_LINES) };
    case "points":
      return before;
  }
}

function withJob(before: Live, job: Job): Live {
  const jobs = new Map(before.jobs);
  jobs.set(job.id, job);
  if (jobs.size > MOST_JOBS) {
    const oldest = [...jobs.values()].filter(isOver).sort((a, b) => a.created_at.localeCompare(b.created_at));
    for (const each of oldest.slice(0, jobs.size - MOST_JOBS)) jobs.delete(each.id);
  }
  if (!isOver(job)) return { ...before, jobs };
  const progress = new Map(before.progress);
  progress.delete(job.id);
  return { ...before, jobs, progress };
}

let state: Live = EMPTY;
const listeners = new Set<() => void>();

export function getLive(): Live {
  return state;
}

export function setLive(next: Live): void {
  if (next === state) return;
  state = next;
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** A part of it. `select` may make a new value each time: it counts as the same when its fields or items are. */
export function useLive<T>(select: (live: Live) => T): T {
  const kept = useRef<{ value: T } | null>(null);
  return useSyncExternalStore(subscribe, () => {
    const value = select(state);
    if (kept.current && isAlike(kept.current.value, value)) return kept.current.value;
    kept.current = { value };
    return value;
  });
}

function isAlike(one: unknown, other: unknown): boolean {
  if (Object.is(one, other)) return true;
  if (typeof one !== "object" || typeof other !== "object" || one === null || other === null) return false;
  if (one instanceof Map || other instanceof Map || Array.isArray(one) !== Array.isArray(other)) return false;
  const a = one as Record<string, unknown>;
  const b = other as Record<string, unknown>;
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => Object.is(a[name], b[name]));
}
