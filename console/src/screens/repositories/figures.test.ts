import { describe, expect, it } from "vitest";
import { grownIn, growthOf, kitOf, partWord, proofOf, pruneSums, recordedGrowth, savings, stairs } from "./figures";

it("says shares in words", () => {
  const said = [100, 70, 50, 33, 25, 10, 9, 2.7, 130].map((part) => partWord(part, 100));
  expect(said).toEqual(["about as much", "two thirds", "half", "a third", "a quarter", "a tenth", "one part in 11", "one part in 37", "more than it"]);
  expect(partWord(1, 0)).toBe("");
});

it("says what is saved and by what", () => {
  expect(savings({ points_bytes: 0, unique_bytes: 0, stored_bytes: 0 })).toBeNull();
  const found = savings({ points_bytes: 1000, unique_bytes: 250, stored_bytes: 100 });
  expect(found?.short).toBe("stored in a tenth");
  expect(found?.by).toBe("25 % of that is different data, which is compressed to 40 %");
});

it("tells proofs apart", () => {
  const at = "2026-11-25T12:00:00Z";
  expect(proofOf({ checked_at: null, checked_ok: null, checked_data: false }).word).toBe("not proven yet");
  expect(proofOf({ checked_at: at, checked_ok: true, checked_data: true }).word).toBe("proven");
  expect(proofOf({ checked_at: at, checked_ok: true, checked_data: false }).word).toBe("structure proven");
  expect(proofOf({ checked_at: at, checked_ok: false, checked_data: true }).state).toBe("failed");
});

describe("growth", () => {
  const point = (second: number, added_bytes: number) => ({ time: new Date(second * 1000).toISOString(), added_bytes });

  it("adds up in the order of time", () => {
    expect(growthOf([point(2, 5), point(1, 10)]).steps.map((step) => step.bytes)).toEqual([10, 15]);
    expect(growthOf([]).steps).toEqual([]);
  });

  it("keeps few steps, and the last", () => {
    const many = growthOf(Array.from({ length: 10_000 }, (_, index) => point(index, 1)));
    expect(many.steps.length).toBeLessThanOrEqual(401);
    expect(many.steps.at(-1)?.bytes).toBe(10_000);
  });

  it("draws a stair", () => {
    expect(stairs(growthOf([point(0, 10), point(10, 10)]), 100, 50).line).toBe("M0 25 H100 V0");
    expect(stairs(growthOf([point(0, 10)]), 100, 50).line).toBe("M0 0 H100");
    expect(stairs(growthOf([]), 100, 50).line).toBe("");
  });
});

describe("growth on record", () => {
  const size = (day: number, stored_bytes: number) => ({ at: new Date(Date.UTC(2026, 0, day)).toISOString(), points: 1, points_bytes: 0, unique_bytes: 0, stored_bytes });
  const DAY_MS = 86_400_000;

  it("ends with what is stored now, and may shrink", () => {
    const growth = recordedGrowth({ sizes: [size(1, 50), size(2, 100)], now: size(3, 25) });
    expect(growth.steps.map((step) => step.bytes)).toEqual([50, 100, 25]);
    expect(stairs(growth, 100, 100).line).toBe("M0 50 H50 V0 H100 V75");
    expect(recordedGrowth({ sizes: [], now: null }).steps).toEqual([]);
  });

  it("says how much more there is, where the record goes back that far", () => {
    const growth = recordedGrowth({ sizes: [size(1, 50), size(2, 80)], now: size(4, 100) });
    expect(grownIn(growth, 2 * DAY_MS)).toBe(20);
    expect(grownIn(growth, 3 * DAY_MS)).toBe(50);
    expect(grownIn(growth, 30 * DAY_MS)).toBeNull();
  });
});

it("says what is to be done about the kit", () => {
  expect((["never", "made", "acknowledged", null] as const).map((kit) => kitOf({ kit, node: "vault" })).map(({ state, command }) => [state, command])).toEqual([
    ["warning", "make"],
    ["warning", "acknowledge"],
    ["ok", ""],
    ["unknown", ""],
  ]);
});

it("adds up a prune", () => {
  const step = (code: string, size_bytes: number) => ({ code, message: "", count: 1, size_bytes, path: "" });
  expect(pruneSums([step("packs-deleted", 7), step("packs-needless", 5), step("space-freed", 6), step("space-unused", 1)])).toEqual({ atOnce: 7, freed: 6, unused: 1 });
});
