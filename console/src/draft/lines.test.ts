import fc from "fast-check";
import { expect, test } from "vitest";
import { type DiffLine, diffLines, withContext } from "./lines";

const short = (lines: readonly DiffLine[]) => lines.map(({ kind, text }) => `${{ same: " ", added: "+", removed: "-" }[kind]}${text}`);
const text = fc.array(fc.constantFrom("a", "b", "c", ""), { maxLength: 30 }).map((lines) => lines.map((line) => `${line}\n`).join(""));

test("what differs is told in place, with both line numbers", () => {
  const lines = diffLines("a\nb\nc\n", "a\nx\nc\nd\n");
  expect(short(lines)).toEqual([" a", "-b", "+x", " c", "+d"]);
  expect(lines.map(({ before, after }) => [before, after])).toEqual([
    [1, 1],
    [2, null],
    [null, 2],
    [3, 3],
    [null, 4],
  ]);
});

test("equal and empty texts", () => {
  expect(diffLines("", "")).toEqual([]);
  expect(short(diffLines("a\n", "a\n"))).toEqual([" a"]);
  expect(short(diffLines("", "a\nb\n"))).toEqual(["+a", "+b"]);
  expect(short(diffLines("a\nb\n", ""))).toEqual(["-a", "-b"]);
});

test("both texts can be read out of the difference", () => {
  fc.assert(
    fc.property(text, text, (before, after) => {
      const lines = diffLines(before, after);
      const side = (without: string) => lines.filter(({ kind }) => kind !== without).map((line) => `${line.text}\n`).join("");
      expect(side("added")).toBe(before);
      expect(side("removed")).toBe(after);
    }),
  );
});

test("the difference is the shortest there is", () => {
  fc.assert(
    fc.property(text, text, (before, after) => {
      const changed = diffLines(before, after).filter(({ kind }) => kind !== "same").length;
      const [a, b] = [before.split("\n").slice(0, -1), after.split("\n").slice(0, -1)];
      expect(changed).toBe(a.length + b.length - 2 * longestCommon(a, b));
    }),
  );
});

function longestCommon(a: readonly string[], b: readonly string[]): number {
  const best = Array.from({ length: a.length + 1 }, () => Array<number>(b.length + 1).fill(0));
  for (let i = a.length - 1; i >= 0; i -= 1)
    for (let j = b.length - 1; j >= 0; j -= 1)
      best[i]![j] = a[i] === b[j] ? best[i + 1]![j + 1]! + 1 : Math.max(best[i + 1]![j]!, best[i]![j + 1]!);
  return best[0]![0]!;
}

test("texts with nothing in common are replaced, quickly", () => {
  const many = (word: string) => Array.from({ length: 20_000 }, (_, index) => `${word}${index}\n`).join("");
  const lines = diffLines(many("a"), many("b"));
  expect(lines).toHaveLength(40_000);
  expect(lines[0]!.kind).toBe("removed");
});

test("far from what differs, lines are left out and counted", () => {
  const before = Array.from({ length: 20 }, (_, index) => `${index}\n`).join("");
  const shown = withContext(diffLines(before, before.replace("10\n", "ten\n")), 1);
  expect(shown.map((line) => (line.kind === "skipped" ? line.count : line.text))).toEqual([9, "9", "10", "ten", "11", 8]);
});
