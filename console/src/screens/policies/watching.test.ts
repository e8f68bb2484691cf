import { describe, expect, it } from "vitest";
import { anomalyWay, drillNodes, drillWay } from "./watching";

describe("what a policy says of drills", () => {
  it.each([
    [undefined, "off"],
    ["off", "off"],
    [false, "off"],
    [{ every: "7d" }, "on"],
    [{}, "on"],
  ] as const)("%j is %s", (written, way) => expect(drillWay(written)).toBe(way));
});

describe("where drills are made", () => {
  it.each([
    [{ vault: {}, dr: {} }, undefined, ["dr", "vault"]],
    [{ vault: {} }, "gone", ["gone", "vault"]],
    [{ vault: {} }, "vault", ["vault"]],
    [undefined, undefined, []],
  ])("of %j with %j written", (nodes, written, choices) => expect(drillNodes(nodes, written)).toEqual(choices));
});

describe("what a policy says of anomalies", () => {
  it.each([
    [undefined, "hold"],
    [{ hold: "30d" }, "hold"],
    [{ hold: "off" }, "look"],
    [{ hold: false }, "look"],
    ["off", "off"],
    [false, "off"],
  ] as const)("%j is %s", (written, way) => expect(anomalyWay(written)).toBe(way));
});
