import { describe, expect, it } from "vitest";
import { type Anomaly, anomalyState, anomalyWords, lastCleanOf } from "./anomalies";

const anomaly = (over: Partial<Anomaly> = {}): Anomaly => ({
  id: "a",
  dataset: "files1/a",
  dataset_id: "d",
  repository: "main",
  found_at: "2026-01-02T00:00:00Z",
  clean_at: "2026-01-01T23:59:00Z",
  since: "2026-01-02T00:00:00Z",
  state: "open",
  signals: [{ kind: "encrypted", count: 12, usual: 3, windows: 1 }],
  files: 100,
  changed: 12,
  paths: [],
  clean_point: "",
  until: null,
  hold_until: null,
  moments_from: null,
  by: "",
  ...over,
});

describe("anomalies", () => {
  it("are said in numbers", () => {
    expect(anomalyWords(anomaly())).toBe("12 files look encrypted within minutes, where at most 3 would be usual");
    expect(anomalyState(anomaly({ state: "dismissed" })).word).toBe("false alarm");
  });

  it("lead to the last clean moment", () => {
    const later = anomaly({ clean_at: "2026-01-03T00:00:00Z" });
    expect(lastCleanOf([later, anomaly()], "files1/a")).toBe("d@2026-01-01T23:59:00Z");
    const judged = [anomaly({ state: "confirmed" }), { ...later, state: "confirmed" as const }];
    expect(lastCleanOf(judged, "files1/a")).toBe("d@2026-01-03T00:00:00Z");
    expect(lastCleanOf([anomaly({ state: "dismissed" })], "files1/a")).toBe("");
    expect(lastCleanOf([anomaly()], "files1/b")).toBe("");
  });
});
