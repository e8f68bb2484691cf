import { describe, expect, it } from "vitest";
import { type Drill, drillsSummary, drillWord, proofHolds, worstFirst } from "./drills";

const AT = "2026-01-01T00:00:00Z";
const LATER = "2026-01-02T00:00:00Z";
const drill = (over: Partial<Drill> = {}): Drill => ({
  dataset: "files1/a",
  dataset_id: "d",
  plan: null,
  last: null,
  proven_at: AT,
  due_at: null,
  overdue: false,
  ...over,
});
const failed = drill({
  dataset: "files1/b",
  last: { dataset: "d", label: "files1/b", at: AT, problem: "the books do not balance", note: "", point: "", point_at: null, files: 0, size_bytes: 0, proven_at: null, on: "" },
});

describe("drills", () => {
  it("says how one stands", () => {
    expect(drillWord(drill()).word).toBe("proven");
    expect(drillWord(failed).state).toBe("failed");
    expect(drillWord(drill({ overdue: true })).word).toBe("overdue");
    expect(drillWord(drill({ proven_at: null })).word).toBe("not tried yet");
  });

  it("puts trouble first and sums up", () => {
    expect(worstFirst([drill(), failed]).map((each) => each.dataset)).toEqual(["files1/b", "files1/a"]);
    expect(drillsSummary([drill(), failed])).toBe("1 of 2 proven restorable: 1 not proven.");
    expect(drillsSummary([drill()])).toContain("restored on trial");
  });

  it("takes the later of proof and doubt", () => {
    expect(proofHolds(null)).toBeNull();
    expect(proofHolds({ proven_at: AT, proven_files: 1, doubted_at: null })).toBe(true);
    expect(proofHolds({ proven_at: AT, proven_files: 1, doubted_at: LATER })).toBe(false);
    expect(proofHolds({ proven_at: LATER, proven_files: 1, doubted_at: AT })).toBe(true);
    expect(proofHolds({ proven_at: null, proven_files: 0, doubted_at: AT })).toBe(false);
  });
});
