import { expect, test } from "vitest";
import { callOf, cellText, complaintOfDays, fileOf, isNumber, jsonName, kindOf, type Report } from "./reports";

test("cells are read by their unit", () => {
  expect(cellText(null, "bytes")).toBe("–");
  expect(cellText(1536, "bytes")).toBe("1.5 KiB");
  expect(cellText(-1536, "bytes")).toBe("-1.5 KiB");
  expect(cellText(1024, "rate")).toBe("1.0 KiB/s");
  expect(cellText(95, "duration")).toBe("1 min 35 s");
  expect(cellText(0.99876, "ratio")).toBe("99.88 %");
  expect(cellText(12_345, "count")).toBe("12,345");
  expect(cellText("a\u202eb", "text")).toBe("a\\u{202e}b");
  expect(["text", "time", "bytes"].map((unit) => isNumber(unit as "text"))).toEqual([false, false, true]);
});

test("how far back a report reaches is a number of days", () => {
  expect(["30", " 1.5 ", "3650"].map(complaintOfDays)).toEqual(["", "", ""]);
  for (const words of ["", " ", "a month", "0", "-3", "NaN", "Infinity", "3651"]) expect(complaintOfDays(words)).not.toBe("");
});

test("what an address says, and where files are", () => {
  expect(["drills", "", "nonsense"].map(kindOf)).toEqual(["drills", "rpo", "rpo"]);
  expect(callOf("rpo", "30d")).toBe("GET /api/v1/reports/rpo?since=30d");
  expect(fileOf("drills", "2026-01-02 03:04", "csv")).toBe("/api/v1/reports/drills/file?since=2026-01-02+03%3A04&format=csv");
  expect(jsonName({ kind: "rpo", until: "2026-01-02T03:04:05Z" } as Report)).toBe("holdfast-rpo-2026-01-02.json");
});
