import { expect, test } from "vitest";
import { bodyAsIs, bodyOf, choosesWords, howWords, NEW_RULE, type NotifyRule, problemsOf, spanText, type StandingNotice, tellsNow, wishOf } from "./notifying";

const rule: NotifyRule = {
  name: "pager",
  to: ["ops"],
  kinds: ["gap"],
  severity: "error",
  nodes: [],
  flows: [],
  datasets: [],
  tags: ["prod", "db"],
  stop: true,
  after_s: 1_800,
  digest_s: 0,
  repeat_s: 86_400,
  quiet: ["22:00-07:00"],
  zone: "Europe/Berlin",
  recovery: false,
  enabled: true,
};

test("a span is written as it is typed, exactly", () => {
  expect([0, 45, 5_400, 90_061, 0.5].map(spanText)).toEqual(["", "45s", "1h30m", "1d1h1m1s", "0.5s"]);
});

test("a rule that is opened and saved is the same rule", () => {
  expect(bodyOf(wishOf(rule))).toEqual(bodyAsIs(rule));
  const odd = { ...rule, after_s: 90_061, digest_s: 0.5 };
  expect(bodyOf(wishOf(odd))).toEqual(bodyAsIs(odd));
});

test("what is missing or no time is said where it is", () => {
  expect(Object.keys(problemsOf(NEW_RULE))).toEqual(["name", "to"]);
  expect(problemsOf({ ...wishOf(rule), digest: "soon" })).toEqual({ digest: "A time such as 15m, 2h or 1d." });
  expect(problemsOf(wishOf(rule))).toEqual({});
});

test("a rule in words", () => {
  expect(choosesWords(rule)).toBe("Errors of kind gap on nodes tagged prod and db");
  expect(choosesWords({ ...rule, severity: "warning", kinds: [], tags: [] })).toBe("Warnings and errors");
  expect(howWords(rule)).toEqual(["once it has stood for 30m", "again every 1d", "quiet 22:00-07:00 (Europe/Berlin)", "not when it is over", "rules behind it do not see it"]);
});

test("each rule is counted with what it tells of what stands", () => {
  const told = (...rules: string[]) => ({ rules: rules.map((name) => ({ rule: name })) }) as unknown as StandingNotice;
  expect([...tellsNow([told("all", "pager"), told("all"), told()])]).toEqual([["all", 2], ["pager", 1]]);
});
