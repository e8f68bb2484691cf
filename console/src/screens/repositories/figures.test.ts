import { describe, expect, it } from "vitest";
import { grownIn, growthOf, kitOf, partWord, proofOf, pruneSums, pruneWords, recordedGrowth, roomOf, savings, stairs } from "./figures";

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
  const proof = (checked_at: string | null, checked_ok: boolean | null, checked_data: boolean, proven_at: string | null = null) =>
    proofOf({ checked_at, checked_ok, checked_data, proven_at });
  expect(proof(null, null, false).word).toBe("not proven yet");
  expect(proof(at, true, true, at).text).toBe("Every byte was read and is right.");
  expect(proof(at, true, false).word).toBe("structure proven");
  expect(proof(at, false, true).state).toBe("failed");
  expect(proof(at, true, false, "2026-11-26T12:00:00Z").at).toBe("2026-11-26T12:00:00Z");
  expect(proof(null, null, false, at).word).toBe("proven");
});

it("says how much room is left, and when that ends", () => {
  const now = Date.parse("2026-11-25T12:00:00Z");
  const room = { free_bytes: 2 ** 30, total_bytes: 2 ** 33, level: "enough" as const, bytes_a_day: null, full_at: null };
  expect(roomOf({ room: null }, now)).toBeNull();
  expect(roomOf({ room }, now)).toEqual({ state: "ok", short: "of 8.0 GiB", text: "1.0 GiB free of 8.0 GiB" });
  const soon = roomOf({ room: { ...room, level: "nearly-full", full_at: "2026-12-04T10:00:00Z" } }, now);
  expect(soon).toEqual({ state: "warning", short: "full in about 9 days", text: "1.0 GiB free of 8.0 GiB; full in about 9 days, at the rate of the last 14" });
  expect(roomOf({ room: { ...room, level: "full", full_at: "2026-11-25T13:00:00Z" } }, now)?.short).toBe("full within a day");
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

it("says what a prune gives back, and when", () => {
  expect(pruneWords({ atOnce: 0, freed: 0, unused: 0 }, true, false)).toBe("There is nothing to give back.");
  expect(pruneWords({ atOnce: 1024, freed: 2048, unused: 0 }, true, false)).toBe("1.0 KiB would go now, whose time has come. 2.0 KiB would go in 23 hours, with the next prune after that.");
  expect(pruneWords({ atOnce: 0, freed: 2048, unused: 1024 }, false, true)).toBe("2.0 KiB went at once. 1.0 KiB that nothing needs stays.");
});
