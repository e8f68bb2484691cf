import { Text } from "@codemirror/state";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Diagnostic } from "../draft";
import { marksIn, replacement } from "./marks";

const at = (line: number, column: number, message = "no"): Diagnostic => ({
  code: "x",
  level: "error",
  message,
  hint: "",
  fixes: [],
  where: { path: "", kind: "document", name: "", flow: "", line, column },
});
const text = Text.of(["flows:", "  😀: {node: files1}", ""]);
const marked = (line: number, column: number) => marksIn(text, [at(line, column)]).map(({ from, to }) => text.sliceString(from, to));

test("the word at the place is marked, whatever stands before it", () => {
  expect(marked(1, 1)).toEqual(["flows"]);
  expect(marked(2, 7)).toEqual(["node"]);
  expect(marked(2, 13)).toEqual(["files1"]);
});

test("a place outside the text is marked at its end, no place not at all", () => {
  expect(marked(2, 99)).toEqual([""]);
  expect(marked(99, 1)).toEqual([""]);
  expect(marked(0, 0)).toEqual([]);
});

test("a message cannot hide what stands beside it", () => {
  expect(marksIn(text, [at(1, 1, "a\u202Eb")])[0]!.message).toBe("a\\u{202e}b");
});

test("a replacement makes one text of the other, and is small", () => {
  expect(replacement("a: 1\nb: 2\n", "a: 1\nb: 3\n")).toEqual({ from: 8, to: 9, insert: "3" });
  fc.assert(
    fc.property(fc.string(), fc.string(), (before, after) => {
      const { from, to, insert } = replacement(before, after);
      expect(before.slice(0, from) + insert + before.slice(to)).toBe(after);
    }),
  );
});
