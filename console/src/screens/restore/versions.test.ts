import { expect, test } from "vitest";
import type { Row } from "./paths";
import { distinctVersions, newestFirst, standOf } from "./versions";

const row = (more: Partial<Row>): Row =>
  ({ path: "/a/b", path_raw: "", dataset: "n/p", point: "", mtime_ns: 1, size_bytes: 1, valid_from: "2026-01-01T10:00:00Z", valid_to: null, ...more }) as Row;

test("copies of a version are one, and the one that a point holds counts", () => {
  const found = distinctVersions([row({}), row({ point: "p1" }), row({ mtime_ns: 2 })]);
  expect(found.map((each) => [each.mtime_ns, each.point])).toEqual([
    [1, "p1"],
    [2, ""],
  ]);
});

test("the newest first, whatever form the times have", () => {
  const found = newestFirst([row({ valid_from: "2026-01-01T10:00:00Z" }), row({ valid_from: "2026-01-01T10:00:00.5Z" })]);
  expect(found.map((each) => each.valid_from)).toEqual(["2026-01-01T10:00:00.5Z", "2026-01-01T10:00:00Z"]);
});

test("a version is had by its point, or by the moment at which it began", () => {
  expect(standOf(row({ point: "p1" }), ["/a"])).toMatchObject({ id: "p1", paths: ["/a"] });
  expect(standOf(row({}), [])).toMatchObject({ id: "n/p@2026-01-01T10:00:00Z", time: "2026-01-01T10:00:00Z" });
});
