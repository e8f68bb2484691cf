import { expect, it } from "vitest";
import { figuresText, percentOf, phaseWord, secondsLeft } from "./progress";

const figures = { phase: "send", done_files: 61, done_bytes: 10 * 2 ** 20, total_bytes: 30 * 2 ** 20, rate_bytes_s: 4 * 2 ** 20 };

it("says bytes, files, rate and time left", () => {
  expect(figuresText(figures)).toBe("10.0 MiB of 30.0 MiB, 61 files, 4.0 MiB/s, 5 s left");
  expect(percentOf(figures)).toBeCloseTo(33.3, 1);
});

it("knows no end while the total is not known", () => {
  const scanning = { ...figures, phase: "scan", total_bytes: 0, rate_bytes_s: 0, done_bytes: 0 };
  expect(figuresText(scanning)).toBe("61 files");
  expect(percentOf(scanning)).toBeNull();
  expect(secondsLeft(scanning)).toBeNull();
  expect(phaseWord("scan")).toBe("scanning");
});

it("never says more than all", () => {
  expect(percentOf({ done_bytes: 31, total_bytes: 30 })).toBe(100);
  expect(secondsLeft({ done_bytes: 31, total_bytes: 30, rate_bytes_s: 1 })).toBeNull();
});

it("does not call the packs of a check files", () => {
  expect(figuresText({ ...figures, phase: "data", rate_bytes_s: 0 })).toBe("10.0 MiB of 30.0 MiB");
});
