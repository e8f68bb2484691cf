import { expect, test } from "vitest";
import { callOf, commandOf, exportOf, type LogFilter, type LogLine, type LogPage, NAMES, openOf, type Pages, queryOf, withNewest } from "./log";

const filter = (more: Partial<LogFilter> = {}): LogFilter => ({ ...(Object.fromEntries(NAMES.map((name) => [name, ""])) as LogFilter), ...more });

const line = (number: number, more: Partial<LogLine> = {}): LogLine => ({
  code: "gap",
  severity: "warning",
  message: "changes may be unseen",
  node: "n1",
  node_name: "files1",
  time: "2026-01-02T03:04:05Z",
  facts: {},
  session: "",
  number,
  acknowledged_at: null,
  acknowledged_by: "",
  comment: "",
  ...more,
});

const page = (numbers: readonly number[], next: number | null): LogPage => ({ events: numbers.map((number) => line(number)), next });
const numbersOf = (found: Pages) => found.pages.map((each) => each.events.map(({ number }) => number));

test("what is not set is not asked", () => {
  expect(queryOf(filter())).toEqual({});
  expect(queryOf(filter({ node: "files1", acknowledged: "false" }))).toEqual({ node: "files1", acknowledged: false });
});

test("a screen says the call, the command and the files that hold the same", () => {
  const chosen = filter({ severity: "error", text: "disk full", acknowledged: "false" });
  expect(callOf(filter())).toBe("GET /api/v1/logs");
  expect(callOf(chosen)).toBe("GET /api/v1/logs?text=disk+full&severity=error&acknowledged=false");
  expect(commandOf(chosen)).toBe("holdfast logs --severity error --text 'disk full' --open");
  expect(callOf(filter({ tag: "prod" }))).toBe("GET /api/v1/logs?tag=prod");
  expect(commandOf(filter({ tag: "prod" }))).toBe("holdfast logs --tag prod");
  expect(commandOf(filter({ acknowledged: "true" }))).toBe("holdfast logs --acknowledged");
  expect(exportOf(filter(), "csv")).toBe("/api/v1/logs/export?format=csv");
  expect(exportOf(filter({ node: "a&b" }), "jsonl")).toBe("/api/v1/logs/export?node=a%26b&format=jsonl");
});

test("new lines are laid on top, and what the newest page covers is as it says", () => {
  const before = { pages: [page([9, 8, 7], 7), page([6, 5, 4], 4)], pageParams: [0, 7] };
  const after = withNewest(before, page([11, 10, 9], 9));
  expect(numbersOf(after)).toEqual([[11, 10, 9, 8, 7], [6, 5, 4]]);
  expect(after.pages.map(({ next }) => next)).toEqual([7, 4]);
  expect(after.pageParams).toEqual([0, 7]);
});

test("a line that fits no more goes, and one that was acknowledged says so", () => {
  const before = { pages: [page([9, 8, 7, 6], 6)], pageParams: [0] };
  const seen = { events: [line(9, { acknowledged_at: "2026-01-02T03:04:05Z" }), line(7)], next: 7 };
  const after = withNewest(before, seen);
  expect(numbersOf(after)).toEqual([[9, 7, 6]]);
  expect(after.pages[0]?.events[0]?.acknowledged_at).not.toBeNull();
});

test("where lines in between are not known, what was read before is let go of", () => {
  const before = { pages: [page([9, 8], 8), page([7, 6], null)], pageParams: [0, 8] };
  const newest = page([40, 39], 39);
  expect(withNewest(before, newest)).toEqual({ pages: [newest], pageParams: [0] });
});

test("a log that is all in its newest page is that page", () => {
  const before = { pages: [page([2, 1], null)], pageParams: [0] };
  const newest = page([3], null);
  expect(withNewest(before, newest).pages).toEqual([newest]);
  expect(withNewest({ pages: [], pageParams: [] }, newest).pages).toEqual([newest]);
});

test("only what nobody acknowledged is acknowledged", () => {
  const lines = [line(3), line(2, { acknowledged_at: "2026-01-02T03:04:05Z" }), line(1)];
  expect(openOf(lines, new Set([3, 2, 7]))).toEqual([3]);
});
