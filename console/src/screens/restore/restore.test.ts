import fc from "fast-check";
import { expect, test } from "vitest";
import { momentAt, momentsOf, type Point } from "./moments";
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
  expect(momentAt(moments, "2026-01-01T12:00:00Z")?.id).toBe("1");
  expect(momentAt(moments, "2025-01-01T12:00:00Z")).toBeNull();
});
