import { expect, it } from "vitest";
import { type Day, dayText, stripText } from "./strip";

const day = (date: string, state: Day["state"], runs = 0, failed = 0): Day => ({ date, state, runs, failed });

it("says what a day was", () => {
  expect(dayText(day("2026-11-03", "ok", 24))).toBe("2026-11-03: all well, 24 runs");
  expect(dayText(day("2026-11-03", "failed", 1, 1))).toBe("2026-11-03: failed, 1 run, 1 failed");
  expect(dayText(day("2026-11-03", "none"))).toBe("2026-11-03: nothing due");
});

it("says the whole strip in a sentence", () => {
  expect(stripText([])).toBe("No days on record yet");
  expect(stripText([day("2026-11-01", "gap"), day("2026-11-02", "ok", 3), day("2026-11-03", "failed", 1, 1)])).toBe(
    "Last 3 days: 1 all well, 1 failed, 1 gap. Newest: 2026-11-03 failed, 2026-11-01 gap",
  );
});
