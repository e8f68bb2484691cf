import { expect, test } from "vitest";
import { applyEdits, type Values, valueAt } from "./edits";
import { type Conflict, editsForTheirs, shownValue, type Side } from "./merging";

const values: Values = {
  policies: { docs: { every: "1h" } },
  flows: { office: { movers: [{ from: "a", to: "b", limit: "1MB/s" }, { from: "a", to: "b" }, { from: "b", to: "c" }] } },
};
const conflict = (path: Conflict["path"], theirs: unknown): Conflict => ({ path, base: null, mine: null, theirs });
const theirs = (...indexes: number[]) => new Map<number, Side>(indexes.map((index) => [index, "theirs"]));

test("only what was chosen becomes theirs", () => {
  const conflicts = [conflict(["policies", "docs", "every"], "2h"), conflict(["policies", "docs", "keep"], { daily: 3 })];
  const after = applyEdits(values, editsForTheirs(conflicts, theirs(1), values));
  expect(after.policies).toEqual({ docs: { every: "1h", keep: { daily: 3 } } });
});

test("movers are found by their ends, also after one was taken out", () => {
  const path = ["flows", "office", "movers"];
  const conflicts = [
    conflict([...path, "a->b"], null),
    conflict([...path, "b->c", "limit"], "5MB/s"),
    conflict([...path, "c->d"], { from: "c", to: "d" }),
  ];
  const after = applyEdits(values, editsForTheirs(conflicts, theirs(0, 1, 2), values));
  expect(valueAt(after, path)).toEqual([{ from: "a", to: "b" }, { from: "b", to: "c", limit: "5MB/s" }, { from: "c", to: "d" }]);
});

test("the second mover between the same two has its own name", () => {
  const path = ["flows", "office", "movers", "a->b (2)", "limit"];
  expect(editsForTheirs([conflict(path, "9MB/s")], theirs(0), values)).toEqual([
    { op: "set", path: ["flows", "office", "movers", 1, "limit"], value: "9MB/s" },
  ]);
});

test("what is gone on both sides needs no edit", () => {
  expect(editsForTheirs([conflict(["groups", "web"], null)], theirs(0), values)).toEqual([]);
});

test("values are told in one line", () => {
  expect(shownValue({ keep: { daily: 3 }, at: ["02:00"] })).toBe("{keep: {daily: 3}, at: [02:00]}");
  expect(shownValue(null)).toBe("nothing");
});
