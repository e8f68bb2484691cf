import { expect, test } from "vitest";
import { clockIn, dayOf, daysOf, keyOf, paintFilling, type Run, runFilling, spansOn, tellDay, tellHour, turned } from "./hours";

const BERLIN = clockIn("Europe/Berlin");
const UTC = clockIn("UTC");
const run = (at: string): Run => ({ at, dataset: "files1/docs", node: "files1", operations: ["backup"] });

test("a week begins on Monday, a month with the week that holds its first day", () => {
  expect(daysOf("week", "2026-11-26")).toEqual(["2026-11-23", "2026-11-24", "2026-11-25", "2026-11-26", "2026-11-27", "2026-11-28", "2026-11-29"]);
  const month = daysOf("month", "2026-11-26");
  expect([month[0], month.at(-1), month.length]).toEqual(["2026-10-26", "2026-12-06", 42]);
  expect(daysOf("month", "2027-02-14")).toHaveLength(28);
});

test("pages are turned over the end of a year", () => {
  expect(turned("week", "2026-12-30", 1)).toBe("2027-01-06");
  expect(turned("month", "2026-12-30", 1)).toBe("2027-01-01");
  expect(turned("month", "2026-01-31", -1)).toBe("2025-12-01");
});

test("runs stand in the hours of the zone; what was not told is not called empty", () => {
  const filling = runFilling([run("2026-11-26T23:10:00Z"), run("2026-11-26T23:40:00Z"), run("2026-11-27T02:00:00Z")], false, BERLIN);
  expect(tellHour(filling, keyOf("2026-11-27", 0))).toEqual({ tone: "some", text: "2", words: "2 runs" });
  expect(tellHour(filling, keyOf("2026-11-27", 1)).words).toBe("no run to come");
  expect(tellHour(filling, keyOf("2026-11-27", 3)).words).toBe("1 run, or more");
  expect(tellHour(filling, keyOf("2026-11-27", 4)).words).toBe("not told so far ahead");
  expect(tellDay(filling, "2026-11-27").tone).toBe("unknown");
  expect(tellDay(runFilling([run("2026-11-27T02:00:00Z")], true, BERLIN), "2026-11-28").tone).toBe("plain");
});

test("open spans fill hours in part, and days in sum", () => {
  const filling = paintFilling([{ begin: "2026-11-26T19:30:00Z", end: "2026-11-27T05:07:00Z" }], ["2026-11-26T22:15:00Z"], UTC);
  expect(tellHour(filling, keyOf("2026-11-26", 19))).toEqual({ tone: "part", text: "30min", words: "open for 30 min" });
  expect(tellHour(filling, keyOf("2026-11-26", 20)).tone).toBe("open");
  expect(tellHour(filling, keyOf("2026-11-26", 22))).toEqual({ tone: "open", text: "●", words: "open, starts at 22:15" });
  expect(tellHour(filling, keyOf("2026-11-27", 5)).words).toBe("open for 7 min");
  expect(tellHour(filling, keyOf("2026-11-27", 6))).toEqual({ tone: "closed", text: "×", words: "closed" });
  expect(dayOf(filling, "2026-11-26").openMinutes).toBe(270);
  expect(tellDay(filling, "2026-11-27").words).toBe("open for 5 h 7 min");
});

test("where the clock is changed an hour is missing or twice, and half an hour at Lord Howe", () => {
  const winter = paintFilling([{ begin: "2026-10-24T22:00:00Z", end: "2026-10-25T23:00:00Z" }], [], BERLIN);
  expect(dayOf(winter, "2026-10-25").openMinutes).toBe(25 * 60);
  const summer = paintFilling([{ begin: "2026-03-28T23:00:00Z", end: "2026-03-29T22:00:00Z" }], [], BERLIN);
  expect(tellHour(summer, keyOf("2026-03-29", 2)).tone).toBe("closed");
  expect(tellDay(summer, "2026-03-29").tone).toBe("open");
  const island = paintFilling([{ begin: "2026-04-04T13:00:00Z", end: "2026-04-05T13:30:00Z" }], [], clockIn("Australia/Lord_Howe"));
  expect(dayOf(island, "2026-04-05").openMinutes).toBe(24.5 * 60);
});

test("the spans of a day are cut at its ends", () => {
  const spans = [{ begin: "2026-11-26T19:00:00Z", end: "2026-11-27T05:00:00Z" }];
  expect(spansOn(spans, "2026-11-26", BERLIN)).toEqual(["20:00 to 24:00"]);
  expect(spansOn(spans, "2026-11-27", BERLIN)).toEqual(["00:00 to 06:00"]);
  expect(spansOn(spans, "2026-11-28", BERLIN)).toEqual([]);
  expect(spansOn([{ begin: "2026-11-26T00:00:00Z", end: "2026-11-27T00:00:00Z" }], "2026-11-26", UTC)).toEqual(["00:00 to 24:00"]);
  expect(spansOn([{ begin: "2026-11-26T00:00:00Z", end: "2026-11-27T00:00:00Z" }], "2026-11-27", UTC)).toEqual([]);
});
