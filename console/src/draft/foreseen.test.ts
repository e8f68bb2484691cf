import { expect, test } from "vitest";
import { flowWarning, type Plan } from "./foreseen";

type Found = Plan["flow_errors"][number];

const error = (message: string, ...flows: string[]): Found => ({
  flows,
  error: { code: "unknown-node", level: "error", message, hint: "", where: { path: "", kind: "flow", name: "", flow: "", line: 0, column: 0 }, fixes: [] },
});
const plan = (flow_errors: Found[], untried_flows: string[] = []): Plan => ({
  valid: true,
  diagnostics: [],
  changes: [],
  removals: [],
  revision: 3,
  flow_errors,
  untried_flows,
});

test("nothing is said of flows that could be activated", () => {
  expect(flowWarning(plan([]))).toBeNull();
});

test("the first problem is told, the others are counted", () => {
  const warning = flowWarning(plan([error("node `gone` is not there", "office"), error("another", "office", "away"), error("a third", "away")]));
  expect(warning).toEqual({
    title: "Activating flows office, away would be refused",
    text: "Node `gone` is not there. And 2 more problems.",
    flow: "office",
  });
});

test("many flows are named in part", () => {
  const flows = ["a", "b", "c", "d", "e", "f", "g"];
  expect(flowWarning(plan([error("no", ...flows)]))?.title).toBe("Activating flows a, b, c, d, e and 2 more would be refused");
});

test("flows that were not looked at are no good news", () => {
  expect(flowWarning(plan([], ["away"]))).toEqual({
    title: "Some flows may have errors",
    text: "Too many to look at each, and there may be errors too: flow away.",
    flow: "away",
  });
});
