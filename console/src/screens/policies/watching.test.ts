import { describe, expect, it } from "vitest";
import { anomalyWay, drillWay } from "./watching";

describe("what a policy says of drills", () => {
  it.each([
    [undefined, "off"],
    ["off", "off"],
    [false, "off"],
    [{ every: "7d" }, "on"],
    [{}, "on"],
  ] as const)("%j is %s", (written, way) => expect(drillWay(written)).toBe(way));
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
