import fc from "fast-check";
import { expect, test } from "vitest";
import { datasetsOf, linesOf, momentsOf, type Point } from "./moments";
import { crumbs, decodedPath, encodedPath, encodeText, landing } from "./paths";

test("a path that is not Unicode is sent byte for byte", () => {
  const raw = btoa(String.fromCharCode(0x2f, 0x61, 0xff, 0x20));
  expect(encodedPath({ path: "/a\uFFFD ", path_raw: raw })).toBe("/a%FF%20");
});

test("encoding and decoding give the path back", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), (path) => {
      expect(decodedPath(encodeText(path))).toBe(path);
    }),
  );
});

test("bytes given as base64 are the bytes of the encoded path", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1 }), (bytes) => {
      const raw = btoa(String.fromCharCode(...bytes));
      const encoded = encodedPath({ path: "x", path_raw: raw });
      const back = encoded.replace(/%([0-9A-F]{2})/g, (_, code: string) => String.fromCharCode(parseInt(code, 16)));
      expect(btoa(back)).toBe(raw);
    }),
  );
});

test("crumbs begin at the root that was captured", () => {
  expect(crumbs(["/srv/docs", "/etc"], "/srv/docs/a%20b/c").map((crumb) => [crumb.title, crumb.path])).toEqual([
    ["All folders", ""],
    ["/srv/docs", "/srv/docs"],
    ["a b", "/srv/docs/a%20b"],
    ["c", "/srv/docs/a%20b/c"],
  ]);
  expect(crumbs(["/"], "/etc").map((crumb) => crumb.path)).toEqual(["/", "/etc"]);
});

test("hidden signs in names become visible", () => {
  expect(landing("/tmp/", "/a\u202Eb\n")).toBe("/tmp/a\\u{202e}b\\u{a}");
});

const point = (id: string, repository: string, time: string) => ({ id, repository, time, seq: 1, dataset: "a/b" }) as unknown as Point;

test("copies are one moment, newest first", () => {
  const moments = momentsOf([
    point("1", "main", "2026-01-01T00:00:00Z"),
    point("1", "far", "2026-01-01T00:00:00Z"),
    point("2", "main", "2026-01-02T00:00:00Z"),
  ]);
  expect(moments.map((moment) => [moment.id, moment.repositories])).toEqual([
    ["2", ["main"]],
    ["1", ["far", "main"]],
  ]);
});

test("the list holds points, moments between them and gaps, newest first and each once", () => {
  const points = momentsOf([point("p1", "main", "2026-01-01T10:00:00Z")]);
  const state = (time: string, ...of: string[]) => ({ address: `d@${time}`, time, seq: 1, files: 2, size_bytes: 3, points: of });
  const gap = { path: "/a", since: "2026-01-01T10:10:00Z", until: "2026-01-01T10:20:00Z", reason: "restart" } as const;
  const lines = linesOf(points, [state("2026-01-01T10:00:00Z", "p1"), state("2026-01-01T10:15:00.5Z"), state("2026-01-01T10:30:00Z")], [gap]);
  expect(lines.map((line) => [line.kind, line.time])).toEqual([
    ["moment", "2026-01-01T10:30:00Z"],
    ["gap", "2026-01-01T10:20:00Z"],
    ["moment", "2026-01-01T10:15:00.5Z"],
    ["point", "2026-01-01T10:00:00Z"],
  ]);
});

test("what is followed can be chosen before it has a point", () => {
  expect(datasetsOf([point("1", "main", "")], [{ dataset: "z/y" }, { dataset: "a/b" }])).toEqual(["a/b", "z/y"]);
});
