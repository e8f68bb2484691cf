import { expect, test } from "vitest";
import type { Progress } from "../../../live/store";
import { backlogOf, backlogWords, lagWords, movingOf, overlayOf } from "./overlay";
import { longWait, shortWait } from "./waits";
import type { MoverMonitor, Protection, VertexMonitor } from "./useMonitor";

const NOW = Date.parse("2026-11-25T12:00:00Z");

const protection = (more: Partial<Protection> = {}): Protection => ({
  dataset: "files1/docs",
  dataset_id: "d1",
  operation: "backup",
  receiver: "vault",
  action: "store main",
  state: "succeeded",
  last_at: null,
  due_at: null,
  every_s: 3_600,
  overdue: false,
  missed: 0,
  error: null,
  action_id: "a1",
  delivery: "del1",
  newest_at: null,
  behind_runs: 0,
  job: null,
  closed_until: null,
  waits: false,
  behind_since: null,
  owed: null,
  wait: null,
  retry_at: null,
  retries: 0,
  ...more,
});

const mover = (more: Partial<MoverMonitor> = {}): MoverMonitor => ({
  index: 0,
  source: "files",
  target: "store",
  mode: "batch",
  carries: ["docs/backup"],
  state: "ok",
  rate_bytes_s: 0,
  lag_s: 0,
  backlog_runs: 0,
  backlog_bytes: null,
  backlog_changes: 0,
  backlog_since: null,
  backlog_estimated: false,
  closed_until: null,
  waits: false,
  bottleneck: null,
  waiting: [],
  last_at: "2026-11-25T11:55:00Z",
  next_at: "2026-11-25T12:55:00Z",
  running_jobs: [],
  error: null,
  protections: [protection()],
  protections_total: 1,
  ...more,
});

const vertex = (more: Partial<VertexMonitor> = {}): VertexMonitor => ({
  name: "files",
  kind: "node",
  nodes: [{ name: "files1", state: "online" }],
  nodes_total: 1,
  state: "ok",
  datasets: ["files1/docs"],
  datasets_total: 1,
  last_at: "2026-11-25T11:55:00Z",
  next_at: "2026-11-25T12:55:00Z",
  running_jobs: [],
  findings: [],
  findings_total: 0,
  ...more,
});

const progress = (delivery: string, lane: object): ReadonlyMap<string, Progress> =>
  new Map([
    [
      "job1",
      { job: "job1", phase: "send", lanes: [{ delivery, dataset: "d1", receiver: "vault", action: "", ...lane }] } as unknown as Progress,
    ],
  ]);

const labelOf = (one: MoverMonitor, heard: ReadonlyMap<string, Progress> = new Map()) =>
  overlayOf({ vertices: [], movers: [one], following: [] }, heard, NOW).movers.get("files->store")!;

test("at rest a mover says that all is there and when it goes on", () => {
  expect(labelOf(mover())).toEqual({ state: "ok", moving: false, label: "next in 55 min", backlog: null });
});

test("while bytes move, what was heard last counts, and only of its own deliveries", () => {
  const running = mover({ state: "running", running_jobs: ["job1"], rate_bytes_s: 5, backlog_bytes: 9 });
  const heard = progress("del1", { done_bytes: 25, total_bytes: 100, rate_bytes_s: 2_048 });
  expect(labelOf(running, heard)).toEqual({ state: "running", moving: true, label: "2.0 KiB/s", backlog: { share: 0.75, words: "75 % left", state: "running" } });
  expect(labelOf(running, progress("del1", { done_bytes: 9, total_bytes: 9, rate_bytes_s: 1 })).backlog).toBeNull();
  expect(movingOf(running, progress("other", { rate_bytes_s: 2_000 })).rateBytesS).toBe(5);
});

test("a rate of a job that is over is no rate", () => {
  expect(movingOf(mover({ rate_bytes_s: 5_000 }), new Map()).rateBytesS).toBe(0);
});

test("an unknown total is not made up", () => {
  const moving = movingOf(mover({ running_jobs: ["job1"] }), progress("del1", { done_bytes: 25, total_bytes: 0, rate_bytes_s: 1, waiting: true }));
  expect(moving).toEqual({ rateBytesS: 1, leftBytes: null, totalBytes: 0, waiting: true, bottleneck: null });
});

test("what is behind is measured by what was promised", () => {
  const late = mover({ lag_s: 1_800, state: "overdue" });
  expect(labelOf(late).label).toBe("overdue, 30 min behind");
  expect(backlogOf(late, movingOf(late, new Map()))).toEqual({ share: 0.5, words: "50 % of 1 h", state: "ok" });
  expect(backlogOf({ ...late, lag_s: 5_000 }, movingOf(late, new Map()))).toMatchObject({ words: "over 1 h", state: "failed" });
  expect(backlogOf(mover({ lag_s: 1_800, protections: [] }), movingOf(late, new Map()))).toBeNull();
});

test("what failed is not called up to date", () => {
  expect(labelOf(mover({ state: "failed" })).label).toBe("failed");
});

test("never, behind by runs, and up to date are told apart", () => {
  expect(lagWords(mover({ lag_s: null }))).toBe("nothing arrived yet");
  expect(lagWords(mover({ lag_s: null, state: "unknown" }))).toBe("not known");
  expect(labelOf(mover({ lag_s: null, state: "unknown" })).label).toBe("unknown");
  expect(lagWords(mover({ backlog_runs: 2 }))).toBe("2 runs behind");
  expect(lagWords(mover({ running_jobs: ["job1"] }))).toBe("a run is on its way");
  expect(lagWords(mover())).toBe("up to date");
});

test("two movers with the same ends are told apart as on the canvas", () => {
  const both = [mover(), mover({ index: 1, state: "failed" })];
  expect([...overlayOf({ vertices: [], movers: both, following: [] }, new Map(), NOW).movers.keys()]).toEqual(["files->store", "files->store#2"]);
});

test("a vertex says who is away, how old what it has is, and when it goes on", () => {
  const lines = (more: Partial<VertexMonitor>) => overlayOf({ vertices: [vertex(more)], movers: [], following: [] }, new Map(), NOW).vertices.get("files")!.lines;
  expect(lines({})).toEqual(["as of 5 min ago", "next in 55 min"]);
  expect(lines({ nodes: [{ name: "files1", state: "offline" }], last_at: null, next_at: null })).toEqual(["files1 is offline", "nothing stored yet"]);
  expect(lines({ state: "unknown", last_at: null, next_at: null })).toEqual([]);
  const many = Array.from({ length: 50 }, (_, index) => ({ name: `w${index}`, state: "online" as const }));
  expect(lines({ kind: "group", nodes: many, nodes_total: 2_000, findings_total: 3 })[0]).toBe("2,000 machines");
  expect(lines({ kind: "group", nodes: [...many.slice(1), { name: "x", state: "offline" }], nodes_total: 50 })[0]).toBe("49 of 50 online");
});

test("a mover that follows says what is on its way, and not when it goes on", () => {
  const row = {
    node: "files1",
    dataset: "files1/docs",
    dataset_id: "d1",
    state: "following" as const,
    pending: 3,
    pending_since: "2026-11-25T11:59:50Z",
    means: ["fanotify"],
    shortfalls: [],
    gaps: [],
    open_gap_since: null,
    error: null,
    waits_until: null,
    pending_bytes: 0,
    spooled: [],
  };
  const label = (more: Partial<MoverMonitor>) =>
    overlayOf({ vertices: [], movers: [mover(more)], following: [row, { ...row, dataset_id: "other", pending: 9 }] }, new Map(), NOW).movers.get("files->store")!.label;
  expect(label({ mode: "continuous" })).toBe("3 changes, 10 s behind");
  expect(label({ mode: "batch" })).toBe("next in 55 min");
  expect(label({ mode: "continuous", lag_s: 90 })).toBe("1 min 30 s behind");
});

test("a closed window is said, and is no trouble", () => {
  const closed = mover({ closed_until: "2026-11-25T18:00:00Z", waits: true, backlog_runs: 1, lag_s: 60, protections: [] });
  expect(labelOf(closed).label).toMatch(/^waits for its window until .*25/);
  expect(labelOf({ ...closed, waits: false, state: "failed" }).label).toMatch(/^failed, closed until /);
});

test("why a hop stands still is on its line, a window in the words that it has", () => {
  const wait = { reason: "upstream" as const, what: "backup to store main", since: null, until: null, why: "vault is away", job: null, datasets: 2 };
  expect(labelOf(mover({ state: "off", lag_s: null, waiting: [wait] })).label).toBe("off, waits for backup to store main");
  expect(longWait(wait)).toBe("Waits for backup to store main: vault is away, 2 datasets");
  expect(shortWait({ ...wait, reason: "not-called", what: "deep" })).toBe("deep has not called");
  expect(labelOf(mover({ closed_until: "2026-11-25T18:00:00Z", waits: true, waiting: [{ ...wait, reason: "window", until: "2026-11-25T18:00:00Z" }] })).label).toMatch(
    /^waits for its window until /,
  );
});

test("what a mover owes is told in runs, changes and bytes, and said to be about so much", () => {
  expect(backlogWords(mover())).toBe("nothing");
  const owes = { backlog_runs: 2, backlog_changes: 7, backlog_bytes: 4_096, backlog_estimated: true };
  expect(backlogWords(mover(owes))).toMatch(/^2 finished runs, about 7 changes, about 4/);
  expect(backlogWords(mover({ ...owes, backlog_changes: 0, backlog_bytes: null }))).toBe("2 finished runs, nobody knows how many bytes");
});
