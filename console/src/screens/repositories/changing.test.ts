import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Job } from "../../live/store";
import { cliOf, EMPTY_WISH, outcomeCounts, planWords, wishProblem } from "./changing";
import type { Point } from "./figures";
import { chosenPoints, marksOf } from "./marks";
import { taskOf } from "./useTask";

const NOW_MS = Date.UTC(2026, 0, 10);
const point = (id: string, change: Partial<Point> = {}): Point => ({
  id,
  dataset: "files1/documents",
  dataset_id: "d",
  operation: "backup",
  repository: "main",
  time: "2026-01-02T00:00:00Z",
  files: 1,
  bytes: 1,
  seq: 1,
  epoch: "",
  snapshot: "",
  paths: [],
  tags: [],
  locked_until: null,
  warnings: 0,
  added_bytes: 0,
  zone: "UTC",
  foreign: false,
  expires_at: null,
  proof: null,
  suspicion: null,
  suspect: "",
  held_until: null,
  inherited: [],
  ...change,
});

describe("what is wished", () => {
  it("is asked only when it is said", () => {
    expect(wishProblem("tag", EMPTY_WISH)).not.toBe("");
    expect(wishProblem("tag", { ...EMPTY_WISH, remove: ["x"] })).toBe("");
    expect(wishProblem("lock", EMPTY_WISH)).not.toBe("");
    expect(wishProblem("expire", EMPTY_WISH)).toBe("");
    expect(wishProblem("expire", { ...EMPTY_WISH, expiry: "at" })).not.toBe("");
    expect(wishProblem("forget", EMPTY_WISH)).toBe("");
  });

  it("has its command", () => {
    const two = [point("a".repeat(32)), point("b".repeat(32))];
    expect(cliOf("tag", { ...EMPTY_WISH, add: ["year end"] }, two, "main")).toBe("holdfast points tag aaaaaaaa bbbbbbbb --add 'year end' --repository main");
    expect(cliOf("expire", { ...EMPTY_WISH, expiry: "never" }, two, "main")).toContain(" --never ");
    expect(cliOf("forget", { ...EMPTY_WISH, newest: true }, Array(9).fill(two[0]) as Point[], "main")).toContain("... --yes --repository main");
  });
});

describe("what came of it", () => {
  it("is counted and said", () => {
    const counts = outcomeCounts([{ outcome: "forgotten" }, { outcome: "forgotten" }, { outcome: "stays" }]);
    expect(planWords("forget", counts, false)).toBe("2 points would be forgotten for ever. 1 point stays: all go or none, so leave it out to go on.");
    expect(planWords("lock", outcomeCounts([{ outcome: "changed" }, { outcome: "unchanged" }]), true)).toBe("1 point was locked. 1 point stayed as it is.");
  });
});

describe("marks of points", () => {
  it("tell what holds a point, now", () => {
    const marked = point("a", { locked_until: "2026-01-11T00:00:00Z", tags: ["x"], foreign: true });
    expect([...marksOf(marked, NOW_MS)]).toEqual(["locked", "tagged", "foreign"]);
    expect([...marksOf(point("b", { locked_until: "2026-01-09T00:00:00Z" }), NOW_MS)]).toEqual([]);
  });

  it("filter, and leave the newest first", () => {
    const times = fc.array(fc.date({ min: new Date(0), max: new Date(NOW_MS), noInvalidDate: true }));
    fc.assert(
      fc.property(times, (dates) => {
        const points = dates.map((date, index) => point(String(index), { time: date.toISOString(), tags: index % 2 ? ["x"] : [] }));
        const found = chosenPoints(points, { dataset: "", operation: "", mark: "tagged", tag: "x" }, NOW_MS);
        expect(found.length).toBe(Math.floor(points.length / 2));
        expect(found.map((each) => each.time)).toEqual([...found.map((each) => each.time)].sort().reverse());
      }),
    );
  });
});

it("finds the task that was begun here, else one that runs", () => {
  const job = (id: string, state: string, trigger: string) => ({ id, kind: "prune", rule: "main", state, trigger }) as Job;
  const jobs = [job("1", "running", "t1"), job("2", "succeeded", "t2")];
  expect(taskOf(jobs, "main", "prune", "t2")?.id).toBe("2");
  expect(taskOf(jobs, "main", "prune", "")?.id).toBe("1");
  expect(taskOf(jobs.slice(1), "main", "prune", "")).toBeNull();
  expect(taskOf(jobs, "other", "prune", "t2")).toBeNull();
});
