import fc from "fast-check";
import { expect, test } from "vitest";
import { calendarOf, dayTitle, knownZone, moved } from "./calendar";

const TO = "2026-11-25T16:00:00Z";

test("thirteen months, Monday on top, today last", () => {
  const calendar = calendarOf([], TO, "UTC");
  expect([calendar.first, calendar.last]).toEqual(["2025-11-01", "2026-11-25"]);
  expect(calendar.months.map((month) => month.title).filter((title) => title.includes(" "))).toEqual(["Nov 2025", "Jan 2026"]);
  expect(calendar.months).toHaveLength(13);
  expect(calendar.rows[2]?.at(-1)?.date).toBe("2026-11-25");
  expect(calendar.rows[3]?.at(-1)).toBeNull();
  expect(calendar.rows[5]?.[0]?.date).toBe("2025-11-01");
});

test("a point is on the day it was by the clocks of the zone", () => {
  const calendar = calendarOf([{ time: "2026-11-24T23:30:00Z", reasons: ["daily"] }], TO, "Europe/Berlin");
  expect(calendar.rows.flat().find((day) => day?.points.length)?.date).toBe("2026-11-25");
  expect(knownZone("Mars/Olympus")).toBe("UTC");
});

test("each point is on one day and each day stands under its weekday", () => {
  const since = Date.parse("2025-11-02T00:00:00Z");
  const time = fc.integer({ min: since, max: Date.parse(TO) }).map((ms) => new Date(ms).toISOString());
  const zone = fc.constantFrom("UTC", "Europe/Berlin", "America/New_York", "Pacific/Auckland");
  fc.assert(
    fc.property(fc.array(time, { maxLength: 50 }), zone, (times, zone) => {
      const calendar = calendarOf(times.map((time) => ({ time, reasons: [] })), TO, zone);
      const days = calendar.rows.flat().filter((day) => day !== null);
      expect(days.reduce((sum, day) => sum + day.points.length, 0)).toBe(times.length);
      expect(new Set(days.map((day) => day.date)).size).toBe(days.length);
      calendar.rows.forEach((row, index) => {
        expect(row).toHaveLength(calendar.weeks);
        for (const day of row) if (day) expect((new Date(`${day.date}T00:00:00Z`).getUTCDay() + 6) % 7).toBe(index);
      });
    }),
    { numRuns: 30 },
  );
});

test("walking the days ends at the edges", () => {
  const calendar = calendarOf([], TO, "UTC");
  expect(moved(calendar, "2026-11-25", 7)).toBe("2026-11-25");
  expect(moved(calendar, "2026-11-25", -7)).toBe("2026-11-18");
  expect(moved(calendar, "2025-11-02", -7)).toBe("2025-11-01");
  expect(dayTitle("2026-11-25")).toBe("Wednesday, 25 November 2026");
});
