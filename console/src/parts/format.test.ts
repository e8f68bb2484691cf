import { expect, test } from "vitest";
import { counted, formatAgo, formatBytes, formatDuration, shellWord, visible } from "./format";

test.each([
  [0, "0 B"],
  [1023, "1023 B"],
  [1024, "1.0 KiB"],
  [99_661, "97.3 KiB"],
  [1024 * 1024 * 150, "150 MiB"],
  [1024 ** 3 - 1, "1.0 GiB"],
])("%d bytes are %s", (size, text) => expect(formatBytes(size)).toBe(text));

test.each([
  [0, "0 s"],
  [95, "1 min 35 s"],
  [3_600, "1 h"],
  [90_061, "1 d 1 h"],
])("%d seconds are %s", (seconds, text) => expect(formatDuration(seconds)).toBe(text));

test("before and after now", () => {
  const now = Date.parse("2026-01-01T00:00:00Z");
  expect(formatAgo("2025-12-31T23:57:00Z", now)).toBe("3 min ago");
  expect(formatAgo("2026-01-01T02:00:00Z", now)).toBe("in 2 h");
  expect(formatAgo(null, now)).toBe("never");
});

test("one and many", () => {
  expect(counted(1, "point")).toBe("1 point");
  expect(counted(2_000, "point")).toBe("2,000 points");
});

test("what cannot be seen is shown as a code", () => {
  expect(visible("a\u202Eb\u0007")).toBe("a\\u{202e}b\\u{7}");
  expect(visible("<img src=x>")).toBe("<img src=x>");
});

test.each([
  ["files1", "files1"],
  ["a b", "'a b'"],
  ["'; reboot", "''\\''; reboot'"],
  ["$(reboot)\n", "'$(reboot)\\u{a}'"],
  ["", "''"],
])("%s is one word of a shell", (name, word) => expect(shellWord(name)).toBe(word));
