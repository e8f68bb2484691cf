/** A maintenance task of a repository: begun here, or by somebody else while this is open, and what came of it. */
import { useState } from "react";
import { type Job, isOver, useLive } from "../../live/store";
import { sayFailed } from "../../parts/notices";

export interface Task {
  /** The newest that was begun here, else one that runs; null when there is none. */
  job: Job | null;
  isRunning: boolean;
  /** What was begun last, until its first word has come. */
  busy: string;
  /** `what` tells buttons apart; `begin` asks the Master and gives the trigger. */
  start: (what: string, begin: () => Promise<{ trigger: string }>) => Promise<void>;
}

export function useTask(repository: string, kind: string): Task {
  const [trigger, setTrigger] = useState("");
  const [busy, setBusy] = useState("");
  const job = useLive((live) => taskOf([...live.jobs.values()], repository, kind, trigger));
  const start = async (what: string, begin: () => Promise<{ trigger: string }>) => {
    setBusy(what);
    try {
      setTrigger((await begin()).trigger);
    } catch (error) {
      sayFailed(error);
    } finally {
      setBusy("");
    }
  };
  return { job, isRunning: job !== null && !isOver(job), busy, start };
}

/** One that was begun here stays shown when it is over; another's only while it runs. */
export function taskOf(jobs: readonly Job[], repository: string, kind: string, trigger: string): Job | null {
  const ofKind = jobs.filter((job) => job.kind === kind && job.rule === repository);
  return ofKind.find((job) => trigger !== "" && job.trigger === trigger) ?? ofKind.find((job) => !isOver(job)) ?? null;
}
