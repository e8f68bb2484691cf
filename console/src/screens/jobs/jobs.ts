/** What is shown of jobs: pages of the record and what is live as one list, filters, sums, words. Pure. */
import type { Flow, Job, Trigger } from "../../live/store";

export interface JobFilter {
  state: string;
  node: string;
  rule: string;
  flow: string;
  tag: string;
}

export const JOB_STATES = ["queued", "running", "succeeded", "warnings", "failed", "cancelled", "unknown"] as const;

/** What decides whether a live job belongs to a flow: its datasets, and who triggered it. */
export interface FlowFacts {
  flows: readonly Flow[];
  triggers: ReadonlyMap<string, Trigger>;
}

/** The same choice as the Master makes, for jobs that come live. */
export function fitsJob(job: Job, filter: JobFilter, facts: FlowFacts): boolean {
  return (
    (!filter.state || job.state === filter.state) &&
    (!filter.node || job.node_name === filter.node) &&
    (!filter.rule || job.rule === filter.rule || job.datasets.includes(filter.rule)) &&
    (!filter.tag || job.tags.includes(filter.tag)) &&
    (!filter.flow || isOfFlow(job, filter.flow, facts))
  );
}

function isOfFlow(job: Job, flow: string, { flows, triggers }: FlowFacts): boolean {
  if (triggers.get(job.trigger)?.flow === flow) return true;
  const datasets = flows.find((each) => each.name === flow)?.datasets ?? [];
  return job.datasets.some((dataset) => datasets.includes(dataset));
}

/**
 * One list, newest first. What is live is newer than the record; a job of the record that no longer fits the filter goes. Live jobs older
 * than the end of what was read are left out while there are more to read: they come with their page.
 */
export function mergedJobs(record: readonly Job[], live: ReadonlyMap<string, Job>, fits: (job: Job) => boolean, more: boolean): Job[] {
  const known = new Set(record.map((job) => job.id));
  const kept = record.map((job) => live.get(job.id) ?? job).filter((job, index) => job === record[index] || fits(job));
  const end = more ? (record.at(-1)?.created_at ?? "") : "";
  const added = [...live.values()].filter((job) => !known.has(job.id) && job.created_at > end && fits(job));
  if (added.length === 0) return kept;
  return [...kept, ...added].sort((a, b) => (a.created_at < b.created_at ? 1 : a.created_at > b.created_at ? -1 : b.id.localeCompare(a.id)));
}

export interface Sums {
  changed: number;
  read: number;
  sent: number;
  stored: number;
}

/** What a job did in all. Changes are those of the capture; where there is none, those of the action that had most. */
export function sumsOf(job: Pick<Job, "tasks">): Sums {
  const capture = job.tasks.filter((task) => task.name === "capture");
  const changes = (capture.length > 0 ? capture : job.tasks).map(({ counters }) => counters.changed + counters.removed);
  const sum = (key: "read_bytes" | "sent_bytes" | "stored_bytes") => job.tasks.reduce((total, task) => total + task.counters[key], 0);
  return { changed: Math.max(0, ...changes), read: sum("read_bytes"), sent: sum("sent_bytes"), stored: sum("stored_bytes") };
}

/** How long it took, or has taken until now, in seconds; null before it began. */
export function tookS(job: Pick<Job, "started_at" | "ended_at">, nowMs: number): number | null {
  if (!job.started_at) return null;
  const end = job.ended_at ? Date.parse(job.ended_at) : nowMs;
  return Math.max(0, (end - Date.parse(job.started_at)) / 1000);
}

const CAUSES: Record<string, string> = { schedule: "schedule", trigger: "by hand", points: "new points", retry: "another try" };
export const causeWord = (cause: string): string => CAUSES[cause] ?? cause;

const KINDS: Record<string, string> = {
  run: "Run",
  cascade: "Copy onward",
  "catch-up": "Catch-up",
  restore: "Restore",
  check: "Check",
  prune: "Prune",
  repair: "Repair",
  rebuild: "Rebuild of the catalog",
  scrub: "Scrub",
  drill: "Drill",
  recall: "Recall",
};
export const kindWord = (kind: string): string => KINDS[kind] ?? kind;

/** What kind of job it is, and that it only looked. */
export const whatWord = (job: Pick<Job, "kind" | "report">): string => (job.report?.dry_run ? `${kindWord(job.kind)}, dry run` : kindWord(job.kind));

const MAINTENANCE = new Set(["check", "prune", "repair", "rebuild", "scrub", "drill"]);

/** A task of a repository; its rule is the repository's name. */
export const isMaintenance = (kind: string): boolean => MAINTENANCE.has(kind);

/** What cancelling one of these means. */
export const CANCELLED: Record<string, string> = {
  restore: "What it has written stays; the rest is not restored.",
  recall: "What is back in its place stays; the rest stays a stub, and can be recalled later.",
  check: "The check ends without a result.",
  scrub: "The scrub ends here, and the next one begins where this one did.",
  drill: "What it has restored on trial is removed, and nothing is recorded.",
  prune: "Nothing that is needed is lost. What was copied together already stays so; the rest is for the next prune.",
  repair: "Nothing is lost. What was put in order already stays so; the rest is for the next repair.",
  rebuild: "The catalog that is there stays.",
};

/** What one can do to have it again: run a policy of a flow, or go where it was asked for. */
export type Again = { kind: "run"; flow: string; policy: string } | { kind: "go"; href: string; label: string } | null;

/** `restore`: where the restore screen is. */
export function againOf(job: Pick<Job, "kind" | "datasets" | "rule">, flows: readonly Flow[], links: { restore: string; archive: string; repository: (name: string) => string }): Again {
  if (job.kind === "restore") return { kind: "go", href: links.restore, label: "Restore again" };
  if (job.kind === "recall") return { kind: "go", href: links.archive, label: "See the archive" };
  if (isMaintenance(job.kind)) return { kind: "go", href: links.repository(job.rule), label: job.kind === "check" ? "Check again" : "See the repository" };
  const [dataset = ""] = job.datasets;
  const flow = flows.find((each) => each.datasets.includes(dataset) && each.active_revision !== null);
  return flow ? { kind: "run", flow: flow.name, policy: dataset.slice(dataset.indexOf("/") + 1) } : null;
}
