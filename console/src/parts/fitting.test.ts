import { expect, test } from "vitest";
import { fit, leastWidth, takesLine } from "./fitting";

const TABLE = [
  { key: "state", width: "120px" },
  { key: "name", width: "minmax(160px, 2fr)" },
  { key: "size", width: "100px", wide: true },
];

test("the least width is that of the tracks, the gaps between them, and the space at both sides", () => {
  expect(leastWidth(TABLE)).toBe(120 + 160 + 100 + 2 * 12 + 36);
  expect(leastWidth([{ width: "1fr" }])).toBe(36);
  expect(leastWidth([{ width: "minmax(0, 1fr)" }])).toBe(36);
});

test("what is for wide screens goes first, and then the columns go below each other, all of them", () => {
  const keys = (width: number) => fit(TABLE, width).columns.map(({ key }) => key);
  expect(keys(440)).toEqual(["state", "name", "size"]);
  expect(keys(439)).toEqual(["state", "name"]);
  expect(fit(TABLE, 439).stacked).toBe(false);
  expect(keys(327)).toEqual(["state", "name", "size"]);
  expect(fit(TABLE, 327).stacked).toBe(true);
});

test("what is wide, or text that grows, has a line of its own", () => {
  expect(TABLE.map(takesLine)).toEqual([false, true, false]);
  expect(["164px", "1fr", "minmax(0, 1fr)", "minmax(110px, 1.6fr)", "minmax(96px, 1fr)"].map((width) => takesLine({ width }))).toEqual([true, true, true, true, false]);
});

test("before it is known how much room there is, everything has room", () => {
  expect(fit(TABLE, 0)).toEqual({ columns: TABLE, stacked: false });
});
