import { expect, test } from "vitest";
import { countStates, outcomesNow } from "./outcomes";

test("a node that was away has confirmed when its rules are in force", () => {
  const outcomes = [
    { node: "a", state: "confirmed" as const, generation: 4, problems: [] },
    { node: "b", state: "pending" as const, generation: 4, problems: [] },
    { node: "c", state: "pending" as const, generation: 4, problems: [] },
    { node: "d", state: "refused" as const, generation: 4, problems: [] },
  ];
  const heard = [
    { name: "b", generation: 4, state: "online" },
    { name: "c", generation: 3, state: "offline" },
  ];
  const now = outcomesNow(outcomes, heard);
  expect(now.map(({ node, state }) => `${node} ${state}`)).toEqual(["d refused", "c pending", "a confirmed", "b confirmed"]);
  expect([...countStates(now)]).toEqual([
    ["refused", 1],
    ["pending", 1],
    ["confirmed", 2],
  ]);
});
