import { expect, test } from "vitest";
import { belowRoot, commonFolder, isBelow, reasonWords, rowsAbout } from "./sample";

const row = (path: string, kind = "file") => ({ path, kind, size_bytes: 1, rule: "exclude", detail: "*.tmp" });

test("why a path is left out, in words, also for rules of a later version", () => {
  expect(reasonWords(row("/a"))).toBe("left out by the pattern *.tmp");
  expect(reasonWords({ rule: "moon_phase", detail: "full" })).toBe("moon_phase full");
  expect(reasonWords({ rule: "constructor", detail: "" })).toBe("constructor");
});

test("rows about a path; a folder answers for what is in it", () => {
  const rows = [row("/srv/docs/a.txt"), row("/srv/docs/cache", "folder")];
  expect(rowsAbout(rows, " A.TXT ")).toEqual([rows[0]]);
  expect(rowsAbout(rows, "/srv/docs/cache/x/y")).toEqual([rows[1]]);
  expect(rowsAbout(rows, "")).toEqual(rows);
});

test("below a folder means in it or it itself, not beside it", () => {
  expect(isBelow("/srv/docs", ["/srv/docs"])).toBe(true);
  expect(isBelow("/srv/docs2", ["/srv/docs"])).toBe(false);
  expect(isBelow("/etc", ["/"])).toBe(true);
});

test("what all paths have in common is not said again in each row", () => {
  expect(commonFolder(["/srv/docs", "/srv/docs2"])).toBe("/srv");
  expect(commonFolder(["/srv/docs/"])).toBe("/srv/docs");
  expect(commonFolder(["/srv", "/etc"])).toBe("");
  expect(commonFolder(["relative", "/etc"])).toBe("");
  expect(commonFolder([])).toBe("");
  expect(belowRoot("/srv/docs/a", "/srv/docs")).toBe("a");
  expect(belowRoot("/srv/docs", "/srv/docs")).toBe("/srv/docs");
});
