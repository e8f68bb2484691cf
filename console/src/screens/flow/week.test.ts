import { expect, test } from "vitest";
import { always, bytesOf, daysWords, painted, weekOf, windowOf, windowsOf, windowWords } from "./week";

test("a throttle table is the same table again", () => {
  const written = { zone: "Europe/Berlin", "mon-fri 08:00-18:00": "5MB/s", "sat,sun": "closed", otherwise: "full" };
  const week = weekOf(written)!;
  expect([week.hours[0]![7], week.hours[0]![8], week.hours[4]![17], week.hours[4]![18], week.hours[5]![12]]).toEqual(["full", "5MB/s", "5MB/s", "full", "closed"]);
  expect(windowOf(week)).toEqual(written);
});

test("a window that passes midnight belongs to the day it begins on", () => {
  const week = weekOf(["fri 22:00-02:00"])!;
  expect([week.hours[4]![21], week.hours[4]![22], week.hours[5]![1], week.hours[5]![2], week.hours[4]![1]]).toEqual(["closed", "full", "full", "closed", "closed"]);
  expect(weekOf("sun 22:00-02:00")!.hours[0]![1]).toBe("full");
});

test("of lines that overlap the strictest counts", () => {
  const week = weekOf({ "06:00-18:00": "5MB/s", "mon 12:00-13:00": "full", "tue 12:00-13:00": "1MiB/s", otherwise: "full" })!;
  expect([week.hours[0]![12], week.hours[1]![12]]).toEqual(["5MB/s", "1MiB/s"]);
});

test("what a week of hours cannot show is left to the text", () => {
  for (const window of ["22:30-06:00", "first sat", "day 1,15", "at night"]) expect(weekOf(window)).toBeNull();
  expect(weekOf({ sat: { deep: "x" }, otherwise: "full" })).toBeNull();
});

test("always open needs no window, and every day is not named", () => {
  expect(windowOf(always("full"))).toBeNull();
  expect(weekOf(undefined)).toEqual(always("full"));
  expect(windowOf(painted(always("full"), [6, 21], [0, 8], "closed"))).toEqual({ zone: "UTC", "00:00-08:00": "full", "22:00-24:00": "full", otherwise: "closed" });
  expect(windowOf(painted(always("full"), [2, 0], [2, 23], "1MB/s"))).toEqual({ zone: "UTC", wed: "1MB/s", otherwise: "full" });
});

test("a week as a list of windows, and back", () => {
  expect(windowsOf(always("full"))).toBeNull();
  expect(windowsOf(always("closed"))).toEqual([]);
  const nights = painted(painted(always("closed"), [0, 20], [4, 23], "full"), [5, 0], [6, 23], "full");
  expect(windowsOf(nights)).toEqual(["mon-fri 20:00-24:00", "sat,sun"]);
  expect(weekOf(windowsOf(nights))).toEqual(nights);
});

test("days and rates in words", () => {
  expect(daysWords([0, 1, 2, 3, 4])).toBe("mon-fri");
  expect(daysWords([0, 2, 3, 4, 6])).toBe("mon,wed-fri,sun");
  expect([bytesOf("5MB/s"), bytesOf("1 MiB"), bytesOf("full"), bytesOf("closed"), bytesOf("fast"), bytesOf("0MB/s")]).toEqual([5e6, 1 << 20, Infinity, 0, null, null]);
  expect(windowWords({ "sat,sun": "full", otherwise: "closed" })).toBe("sat,sun: full, otherwise: closed (UTC)");
  expect(windowWords(undefined)).toBeNull();
});
