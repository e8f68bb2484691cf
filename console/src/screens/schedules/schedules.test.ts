import { expect, test } from "vitest";
import { applyEdits, type Values } from "../../draft/edits";
import { type Item, itemProblems, itemText, newSchedule, ownSchedulesOf, removeSchedule, renameSchedule, savedSchedules, scheduleLines, schedulesOf, unmetWords } from "./schedules";

const VALUES: Values = {
  schedules: { nights: { windows: ["20:00-06:00"], zone: "Europe/Berlin" }, months: { at: ["day last 23:30"], missed: "skip", jitter: "10m" } },
  policies: {
    docs: { operations: { backup: { every: "4h", schedule: "nights" }, monthly: { schedule: "months" }, rides: null } },
    mail: { operations: { backup: { schedule: { at: ["22:00"] } } } },
  },
};

const item = (more: Partial<Item>): Item => ({ days: "every", weeks: [], weekdays: [], monthdays: "", begin: "", end: "", ...more });

test("schedules know what uses them, and those of an operation's own are told apart", () => {
  expect(schedulesOf(VALUES).map(({ name, usedIn }) => [name, usedIn])).toEqual([
    ["nights", [{ policy: "docs", operation: "backup" }]],
    ["months", [{ policy: "docs", operation: "monthly" }]],
  ]);
  expect(ownSchedulesOf(VALUES)).toEqual([{ use: { policy: "mail", operation: "backup" }, fields: { at: ["22:00"] } }]);
  expect(schedulesOf({ schedules: { broken: "x" }, policies: 3 } as Values)).toEqual([{ name: "broken", fields: {}, usedIn: [] }]);
});

test("whoever has no working copy sees what is saved", () => {
  const row = { exclude: [], at: [], zone: "UTC", missed: "once", jitter_s: 0 };
  const { named, own } = savedSchedules([
    { ...row, name: "nights", windows: ["20:00-06:00"], jitter_s: 600, used_in: ["docs/backup"] },
    { ...row, name: "", windows: [], at: ["22:00"], used_in: ["mail/backup"] },
  ]);
  expect(named).toEqual([
    { name: "nights", fields: { windows: ["20:00-06:00"], zone: "UTC", missed: "once", jitter: "600s" }, usedIn: [{ policy: "docs", operation: "backup" }] },
  ]);
  expect(own).toEqual([{ use: { policy: "mail", operation: "backup" }, fields: { at: ["22:00"], zone: "UTC", missed: "once" } }]);
});

test("a renamed schedule is named everywhere anew, and nothing else changes", () => {
  const after = applyEdits(VALUES, renameSchedule(VALUES, "nights", "dark"));
  expect(schedulesOf(after).map(({ name, usedIn }) => [name, usedIn.length])).toEqual([["dark", 1], ["months", 1]]);
  expect(applyEdits(after, renameSchedule(after, "dark", "nights"))).toEqual(VALUES);
});

test("the last one takes the key with it", () => {
  const one = applyEdits(VALUES, removeSchedule(VALUES, "months"));
  expect(Object.keys(one.schedules as Values)).toEqual(["nights"]);
  expect(applyEdits(one, removeSchedule(one, "nights")).schedules).toBeUndefined();
  expect(schedulesOf(applyEdits({}, newSchedule("nights", "UTC")))).toHaveLength(1);
});

test("a schedule in words", () => {
  expect(scheduleLines({})).toEqual(["at any time", "zone UTC"]);
  expect(scheduleLines((VALUES.schedules as Values).months as Values)).toEqual(["at any time", "starts at day last 23:30", "missed times are left out", "spread over 10m", "zone UTC"]);
});

test("an unmet promise says how long and why, also for a reason that is new", () => {
  expect(unmetWords({ every_s: 14_400, longest_s: 72_000, times: 30, reason: "window" })).toBe(
    "Promised every 4 h, but up to 20 h pass (30 times too long): no window was open then.",
  );
  expect(unmetWords({ every_s: 3_600, longest_s: 7_200, times: 1, reason: "moon" })).toContain("once too long): moon.");
});

test.each<[Partial<Item>, "windows" | "at", string]>([
  [{ begin: "22:00", end: "06:00" }, "windows", "22:00-06:00"],
  [{ days: "week", weekdays: [4, 0, 1, 2, 3], begin: "20:00", end: "24:00" }, "windows", "mon-fri 20:00-24:00"],
  [{ days: "week", weekdays: [5, 6] }, "windows", "sat,sun"],
  [{ days: "week", weeks: ["last"] }, "windows", "last"],
  [{ days: "week", weeks: ["fourth", "second"], weekdays: [1] }, "windows", "second,fourth tue"],
  [{ days: "month", monthdays: " 1, Last", begin: "22:00", end: "23:00" }, "windows", "day 1,last 22:00-23:00"],
  [{ begin: "02:30" }, "at", "02:30"],
  [{ days: "week", weeks: ["first"], weekdays: [5], begin: "01:00", end: "05:00" }, "at", "first sat 01:00"],
  [{ days: "month", monthdays: "31", begin: "23:00" }, "at", "day 31 23:00"],
])("what is chosen is written as people read it: %j", (more, key, text) => {
  expect(itemProblems(item(more), key)).toEqual({});
  expect(itemText(item(more), key)).toBe(text);
});

test.each<[Partial<Item>, "windows" | "at", string]>([
  [{}, "windows", "begin"],
  [{ begin: "22:00", end: "22:00" }, "windows", "end"],
  [{ begin: "22:00", end: "25:00" }, "windows", "end"],
  [{ begin: "24:00", end: "25:00" }, "windows", "begin"],
  [{ days: "week" }, "windows", "days"],
  [{ days: "month", monthdays: "0" }, "windows", "monthdays"],
  [{ days: "month", monthdays: "1,32" }, "windows", "monthdays"],
  [{ days: "month", monthdays: "" }, "at", "monthdays"],
  [{ begin: "24:00" }, "at", "begin"],
])("what cannot be written is said at its field: %j", (more, key, field) => {
  expect(Object.keys(itemProblems(item(more), key))).toContain(field);
});
