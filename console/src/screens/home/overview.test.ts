import { describe, expect, it } from "vitest";
import { datasetRows, findingGroups, placeOf, type Protection, someNames, standingOf, troubleOf, verdictState } from "./overview";

const protection = (change: Partial<Protection> = {}): Protection => ({
  dataset: "files1/documents",
  dataset_id: "d1",
  operation: "backup",
  receiver: "vault",
  action: "store main",
  state: "succeeded",
  last_at: "2026-11-25T12:00:00Z",
  due_at: "2026-11-25T13:00:00Z",
  every_s: 3600,
  overdue: false,
  missed: 0,
  error: null,
  action_id: "a1",
  delivery: "x1",
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
  ...change,
});
const error = { code: "not-reachable", message: "vault does not answer", hint: "start it", retryable: true, context: {} };

describe("standing", () => {
  it("is as the Master counts it", () => {
    expect(standingOf(protection())).toBe("protected");
    expect(standingOf(protection({ state: "running", error }))).toBe("failed");
    expect(standingOf(protection({ state: "unknown", error }))).toBe("unknown");
    expect(standingOf(protection({ state: "unknown", last_at: null }))).toBe("fresh");
    expect(standingOf(protection({ overdue: true }))).toBe("overdue");
  });
});

describe("rows", () => {
  it("has one for each dataset, the worst of its protections, trouble first", () => {
    const rows = datasetRows([
      protection(),
      protection({ receiver: "dr", action: "mirror copy", last_at: "2026-11-25T12:30:00.5Z", due_at: null }),
      protection({ dataset_id: "d2", dataset: "web/site" }),
      protection({ dataset_id: "d2", dataset: "web/site", overdue: true }),
    ]);
    expect(rows.map((row) => [row.label, row.standing])).toEqual([
      ["web/site", "overdue"],
      ["files1/documents", "protected"],
    ]);
    expect(rows[1]).toMatchObject({ newestAt: "2026-11-25T12:30:00.5Z", dueAt: "2026-11-25T13:00:00Z", node: "files1" });
  });

  it("knows at once what runs", () => {
    expect(datasetRows([protection()])[0]?.running).toBe(false);
    expect(datasetRows([protection({ state: "running" })])[0]?.running).toBe(true);
    expect(datasetRows([protection()], new Set(["files1/documents"]))[0]?.running).toBe(true);
  });

  it("says where in words", () => {
    expect(placeOf(protection())).toBe("main on vault");
    expect(placeOf(protection({ action: "mirror copy", receiver: "dr" }))).toBe("mirror copy on dr");
    expect(placeOf(protection({ action: "" }))).toBe("vault");
  });

  it("gives each trouble its next step", () => {
    const trouble = (change: Partial<Protection>) => troubleOf(datasetRows([protection(change)])[0]!, new Set(["vault"]));
    expect(trouble({})).toBeNull();
    expect(trouble({ error })).toMatchObject({ reason: "its backup to main on vault: vault does not answer", hint: "start it", step: { kind: "go" } });
    expect(trouble({ state: "unknown", error })).toMatchObject({ reason: "no answer from vault.", step: { label: "See vault", href: "/nodes/vault" } });
    expect(trouble({ overdue: true })).toMatchObject({ step: { kind: "run" } });
    expect(trouble({ last_at: null, state: "running" })).toMatchObject({ step: { kind: "go", label: "Watch it" } });
    expect(trouble({ last_at: null, state: "unknown" })).toMatchObject({ step: { kind: "run" } });
  });
});

it("states the verdict by the worst there is", () => {
  const counts = { ok: true, datasets: 2, failed: 0, overdue: 0, unknown: 0, fresh: 0 };
  expect(verdictState(counts)).toBe("ok");
  expect(verdictState({ ...counts, fresh: 1 })).toBe("warning");
  expect(verdictState({ ...counts, ok: false })).toBe("warning");
  expect(verdictState({ ...counts, ok: false, unknown: 1 })).toBe("unknown");
  expect(verdictState({ ...counts, ok: false, failed: 1, overdue: 1 })).toBe("failed");
  expect(verdictState({ ...counts, datasets: 0 })).toBe("off");
});

it("says findings alike once", () => {
  const finding = { code: "no-limits", severity: "warning" as const, message: "m", hint: "h", path: "", affected: [], repository: "" };
  const worse = { ...finding, code: "low-disk", severity: "error" as const };
  const groups = findingGroups([{ ...finding, node: "a" }, { ...finding, node: "b" }, { ...worse, node: "b" }]);
  expect(groups.map((each) => [each.code, each.nodes])).toEqual([
    ["low-disk", ["b"]],
    ["no-limits", ["a", "b"]],
  ]);
});

it("names some", () => {
  expect(someNames([])).toBe("");
  expect(someNames(["a"])).toBe("a");
  expect(someNames(["a", "b"])).toBe("a and b");
  expect(someNames(["a", "b", "c", "d"])).toBe("a, b and 2 more");
});
