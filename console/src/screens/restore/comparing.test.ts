import { expect, test } from "vitest";
import { byListings, changeWord, type Difference, factWords, folderOf, sizeWords, totalsSentence } from "./comparing";
import type { Row } from "./paths";

const side = (more: Partial<Row>): Row => ({ path: "/a/b", path_raw: "", kind: "file", size_bytes: 1_024, ...more }) as Row;
const row = (more: Partial<Difference>): Difference =>
  ({ path: "/a/b", path_raw: "", change: "changed", facts: [], before: side({}), after: side({}), inside: null, ...more }) as Difference;
const totals = { added: 2, removed: 0, changed: 1, moved: 0, before_bytes: 0, after_bytes: 2_048 };

test("what differs is said of each", () => {
  expect(factWords(row({ facts: ["content", "mtime"] }))).toBe("content, time");
  expect(factWords(row({ change: "moved", before: side({ path: "/a/\u202Eold" }) }))).toBe("was /a/\\u{202e}old");
  expect(factWords(row({ change: "inside", inside: totals }))).toBe("2 new, 1 changed");
  expect(changeWord("inside")).toBe("changed inside");
  expect(changeWord("unknown")).toBe("not compared");
});

test("sizes before and after, of files alone", () => {
  expect(sizeWords(row({ after: side({ size_bytes: 2_048 }) }))).toBe("1.0 KiB → 2.0 KiB");
  expect(sizeWords(row({}))).toBe("1.0 KiB");
  expect(sizeWords(row({ before: null }))).toBe("– → 1.0 KiB");
  expect(sizeWords(row({ before: null, after: side({ kind: "dir" }) }))).toBe("");
});

test("all below in one sentence, and what is not counted is said", () => {
  expect(totalsSentence(totals)).toBe("2 new, 1 changed; the files among them had 0 B and have 2.0 KiB.");
  expect(totalsSentence({ ...totals, added: 0, changed: 0 })).toBe("Nothing differs here.");
  expect(totalsSentence(null)).toContain("Too much differs");
});

test("one goes into folders that are where they were", () => {
  expect(folderOf(row({ after: side({ kind: "dir" }), path: "/a b" }))).toBe("/a%20b");
  expect(folderOf(row({ change: "moved", after: side({ kind: "dir" }) }))).toBeNull();
  expect(folderOf(row({}))).toBeNull();
});

test("says by what two listings were compared, and nothing of two trees", () => {
  expect(byListings([{ by: "trees" }])).toBe("");
  expect(byListings([{ by: "content" }])).toContain("recorded hashes");
  expect(byListings([{ by: "content" }, { by: "metadata" }])).toContain("size, time");
});
