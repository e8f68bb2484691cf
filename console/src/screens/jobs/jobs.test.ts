import { describe, expect, it } from "vitest";
import type { Flow, Job } from "../../live/store";
import { againOf, fitsJob, mergedJobs, sumsOf, tookS, whatWord } from "./jobs";

const job = (id: string, change: Partial<Job> = {}): Job => ({
  id,
  node: "n1",
  kind: "run",
  rule: "files1/documents",
  state: "succeeded",
  created_at: `2026-11-25T12:00:${id.padStart(2, "0")}Z`,
  started_at: null,
  ended_at: null,
  cause: "schedule",
  operations: [],
  tasks: [],
  findings: [],
  findings_total: 0,
  error: null,
  trigger: "",
  datasets: ["files1/documents"],
  report: null,
  tags: ["linux"],
  wait: null,
  node_name: "files1",
  ...change,
});
const none = { state: "", node: "", rule: "", flow: "", tag: "" };
const flow: Flow = { name: "demo", state: "active", active_revision: 1, datasets: ["files1/documents"] };
const facts = { flows: [flow], triggers: new Map() };
const ids = (jobs: readonly Job[]) => jobs.map((each) => each.id).join(" ");
const live = (...jobs: Job[]) => new Map(jobs.map((each) => [each.id, each]));

describe("one list of record and live", () => {
  it("puts what is new on top and takes what is live for the truth", () => {
    const merged = mergedJobs([job("2", { state: "running" }), job("1")], live(job("3"), job("2")), () => true, false);
    expect(ids(merged)).toBe("3 2 1");
    expect(merged[1]?.state).toBe("succeeded");
  });

  it("drops what no longer fits, and does not run ahead of the pages", () => {
    const fits = (each: Job) => each.state === "running";
    expect(ids(mergedJobs([job("5", { state: "running" })], live(job("5")), fits, false))).toBe("");
    expect(ids(mergedJobs([job("5"), job("4")], live(job("1"), job("6")), () => true, true))).toBe("6 5 4");
    expect(ids(mergedJobs([job("5"), job("4")], live(job("1"), job("6")), () => true, false))).toBe("6 5 4 1");
    expect(ids(mergedJobs([], live(job("1")), () => true, true))).toBe("1");
  });

  it("merges a hundred thousand in no time", () => {
    const many = Array.from({ length: 100_000 }, (_, index) => job(String(100_000 - index), { created_at: new Date(1e12 - index).toISOString() }));
    const began = performance.now();
    expect(mergedJobs(many, live(job("x")), () => true, true)).toHaveLength(100_001);
    expect(performance.now() - began).toBeLessThan(1_000);
  });
});

it("filters live jobs as the Master does", () => {
  expect(fitsJob(job("1"), none, facts)).toBe(true);
  expect(fitsJob(job("1"), { ...none, state: "failed" }, facts)).toBe(false);
  expect(fitsJob(job("1"), { ...none, node: "vault" }, facts)).toBe(false);
  expect(fitsJob(job("1", { rule: "files1/documents -> dr" }), { ...none, rule: "files1/documents" }, facts)).toBe(true);
  expect(fitsJob(job("1"), { ...none, flow: "demo" }, facts)).toBe(true);
  expect(fitsJob(job("1", { datasets: [] }), { ...none, flow: "demo" }, facts)).toBe(false);
});

it("sums what a job did", () => {
  const counters = { files: 9, changed: 5, removed: 2, read_bytes: 100, offered_bytes: 100, sent_bytes: 40, stored_bytes: 30 };
  const task = { name: "capture", state: "succeeded" as const, counters, error: null, receiver: "", duration_s: 1, bottleneck: null, dataset: "" };
  const tasks = [task, { ...task, name: "store main", counters: { ...counters, read_bytes: 0 } }];
  expect(sumsOf({ tasks })).toEqual({ changed: 7, read: 100, sent: 80, stored: 60 });
  expect(sumsOf({ tasks: [] })).toEqual({ changed: 0, read: 0, sent: 0, stored: 0 });
});

it("says of a dry run that it is one", () => {
  expect(whatWord({ kind: "restore", report: null })).toBe("Restore");
  expect(whatWord({ kind: "restore", report: { dry_run: true, steps: [] } })).toBe("Restore, dry run");
});

it("knows how long it takes", () => {
  const now = Date.parse("2026-11-25T12:01:00Z");
  expect(tookS({ started_at: null, ended_at: null }, now)).toBeNull();
  expect(tookS({ started_at: "2026-11-25T12:00:00Z", ended_at: null }, now)).toBe(60);
  expect(tookS({ started_at: "2026-11-25T12:00:00Z", ended_at: "2026-11-25T12:00:05Z" }, now)).toBe(5);
});

it("knows how to have it again", () => {
  const links = { restore: "/restore", archive: "/archive", repository: (name: string) => `/repositories/${name}` };
  expect(againOf(job("1"), [flow], links)).toEqual({ kind: "run", flow: "demo", policy: "documents" });
  expect(againOf(job("1"), [], links)).toBeNull();
  expect(againOf(job("1", { kind: "check", rule: "main" }), [flow], links)).toMatchObject({ href: "/repositories/main" });
});
