import fc from "fast-check";
import { expect, test } from "vitest";
import { applyEdits, mappingAt, type Values, valueAt } from "../../draft/edits";
import { newOperation, newPolicy, removeOperation, removePolicy, renameOperation, renamePolicy } from "./changes";
import { nodesOf, policiesOf, policyNames, policyOf, usesOf } from "./policy";
import { timesOf } from "./rhythm";
import { keepWords, lastingWords, removedWords, scheduleWords } from "./words";

const OFFICE: Values = {
  nodes: { web1: { tags: ["web"] }, web2: { tags: ["web"] }, files1: {} },
  groups: { web: { tags: ["web"] } },
  schedules: { nights: { windows: ["20:00-06:00"], at: ["22:00"], zone: "Europe/Berlin" } },
  policies: {
    docs: {
      classification: { paths: ["/srv/docs"] },
      operations: { backup: { every: "1h" }, replicate: { after: "backup" }, weekly: { operation: "backup", every: "1w" } },
    },
    sites: { classification: { paths: ["/srv/www"] }, operations: { backup: { schedule: "nights" }, replicate: {} } },
  },
  flows: {
    office: {
      vertices: { files: { node: "files1", policies: ["docs"] }, web: { group: "web", policies: ["sites", "docs"] }, store: { repository: "main" } },
      movers: [
        { from: "files", to: "store", carries: ["docs/backup"] },
        { from: "web", to: "store", carries: ["sites/backup", "docs/backup", "docs/weekly"] },
        { from: "store", to: "far", carries: ["docs/backup", "sites/backup"], after: "docs/backup" },
      ],
    },
  },
};

test("what a policy is used for, and on which nodes", () => {
  expect(usesOf(OFFICE, "docs")).toEqual([{ flow: "office", vertices: ["files", "web"], movers: 3 }]);
  expect(nodesOf(OFFICE, "sites")).toEqual(["web1", "web2"]);
  expect(policyOf(OFFICE, "docs")?.operations.map((each) => each.kind)).toEqual(["backup", "replicate", "backup"]);
  expect(policyOf(OFFICE, "toString")).toBeNull();
});

test("half-written and wrong values are read as far as they go", () => {
  fc.assert(
    fc.property(fc.object({ key: fc.constantFrom("policies", "flows", "classification", "operations", "carries", "paths", "a") }), (values) => {
      for (const policy of policiesOf(values as Values)) usesOf(values as Values, policy.name);
    }),
  );
});

test("a renamed policy is renamed everywhere, and goes on as the same when it was in force", () => {
  const after = applyEdits(OFFICE, renamePolicy(OFFICE, "docs", "papers", true));
  expect(policyNames(after)).toEqual(["papers", "sites"]);
  expect(usesOf(after, "docs")).toEqual([]);
  expect(usesOf(after, "papers")).toEqual(usesOf(OFFICE, "docs"));
  expect(valueAt(after, ["flows", "office", "movers", 2, "after"])).toBe("papers/backup");
  expect(valueAt(after, ["policies", "papers", "was"])).toBe("docs");
  expect(applyEdits(after, renamePolicy(after, "papers", "docs", false))).toEqual(OFFICE);
});

test("the name that nodes know is kept when a policy is renamed twice before it is activated", () => {
  const once = applyEdits(OFFICE, renamePolicy(OFFICE, "docs", "papers", true));
  const twice = applyEdits(once, renamePolicy(once, "papers", "files", false));
  expect(valueAt(twice, ["policies", "files", "was"])).toBe("docs");
});

test("a renamed operation keeps its kind and its followers", () => {
  const after = applyEdits(OFFICE, renameOperation(OFFICE, "docs", "backup", "hourly"));
  expect(valueAt(after, ["policies", "docs", "operations", "hourly"])).toEqual({ every: "1h", operation: "backup" });
  expect(valueAt(after, ["policies", "docs", "operations", "replicate", "after"])).toBe("hourly");
  expect(valueAt(after, ["flows", "office", "movers", 1, "carries"])).toEqual(["sites/backup", "docs/hourly", "docs/weekly"]);
  expect(applyEdits(after, renameOperation(after, "docs", "hourly", "backup"))).toEqual(OFFICE);
});

test("what is removed is named nowhere any more, and no mover is left that carries nothing", () => {
  const after = applyEdits(OFFICE, removePolicy(OFFICE, "docs"));
  expect(JSON.stringify(after)).not.toContain("docs/");
  expect(usesOf(after, "docs")).toEqual([]);
  expect(valueAt(after, ["flows", "office", "movers"])).toEqual([
    { from: "web", to: "store", carries: ["sites/backup"] },
    { from: "store", to: "far", carries: ["sites/backup"] },
  ]);
  const less = applyEdits(OFFICE, removeOperation(OFFICE, "docs", "backup"));
  expect(valueAt(less, ["policies", "docs", "operations"])).toEqual({ replicate: {}, weekly: { operation: "backup", every: "1w" } });
  expect(valueAt(less, ["flows", "office", "movers", 0, "carries"])).toEqual(["sites/backup", "docs/weekly"]);
});

test("renaming and removing hold for any drawing", () => {
  const label = fc.constantFrom("docs/backup", "docs/replicate", "sites/backup");
  const mover = fc.record({ carries: fc.uniqueArray(label, { minLength: 1 }), after: label });
  fc.assert(
    fc.property(fc.array(mover, { maxLength: 6 }), (movers) => {
      const values = applyEdits(OFFICE, [{ op: "set", path: ["flows", "office", "movers"], value: movers }]);
      const renamed = applyEdits(values, renamePolicy(values, "docs", "papers", false));
      expect(JSON.stringify(mappingAt(renamed, ["flows"])).replaceAll("papers", "docs")).toBe(JSON.stringify(mappingAt(values, ["flows"])));
      const left = JSON.stringify(mappingAt(applyEdits(values, removePolicy(values, "docs")), ["flows"]));
      expect(left).not.toContain("docs");
      expect(left).not.toContain('"carries":[]');
    }),
  );
});

test("an operation begins with what its kind may have", () => {
  const fields = (kind: string) => policyOf(applyEdits(OFFICE, newOperation("docs", "new", kind)), "docs")?.operations.find((each) => each.name === "new")?.fields;
  expect(Object.keys(fields("live") ?? {})).toEqual(["operation", "every", "keep"]);
  expect(fields("cdp")).toEqual({ operation: "cdp", within: "24h" });
  expect(fields("version")).toEqual({ operation: "version", last: 20, within: "90d" });
  expect(fields("replicate")).toMatchObject({ every: "1h", removed: "keep 30d" });
});

test("what follows every change says what it keeps", () => {
  expect(lastingWords("cdp", { within: "24h" })).toBe("keeps any moment of the last 24 hours");
  expect(lastingWords("cdp", {})).toBe("keeps any moment, for ever");
  expect(lastingWords("version", { last: 20, within: "90d" })).toBe("keeps the newest 20 versions of each file, none longer than 90 days after it was replaced");
  expect(lastingWords("version", {})).toBe("keeps every version of each file");
  expect(lastingWords("live", { within: "1d" })).toBeNull();
});

test("new policies and operations are written as the document has them", () => {
  const after = applyEdits(OFFICE, [...newPolicy("mail", "/var/mail", "mirror"), ...newOperation("docs", "daily", "backup")]);
  expect(policyOf(after, "mail")?.operations.map((each) => each.name)).toEqual(["replicate"]);
  expect(valueAt(after, ["policies", "docs", "operations", "daily", "operation"])).toBe("backup");
});

test("schedules and keep rules in words", () => {
  expect(scheduleWords({ every: "1h" })).toBe("every hour");
  expect(scheduleWords({ every: "90m", schedule: "nights" })).toBe("every 90 minutes, by the schedule nights");
  expect(scheduleWords({ at: ["02:30", "14:30"] })).toBe("daily at 02:30 and 14:30");
  expect(scheduleWords({ at: ["first sat 01:00"], schedule: { zone: "Europe/Berlin" } })).toBe("at first sat 01:00, by a schedule of its own");
  expect(scheduleWords({ after: "backup" })).toBe("after each backup");
  expect(scheduleWords({})).toBe("with every other run of this policy");
  expect(scheduleWords({ every: "soon" })).toBe("every soon");
  expect(keepWords({ hourly: 24, daily: 30, within: "2w" })).toBe("24 hourly, 30 daily and all of the last 2 weeks");
  expect(keepWords({ last: 1, yearly: "many" })).toBe("the newest 1 and many yearly");
  expect(keepWords(undefined)).toBe("every point, for ever");
  expect(removedWords("follow")).toBe("removed files go at once");
  expect(removedWords(undefined)).toBe("removed files stay 7 days");
  expect(removedWords("keep")).toBe("removed files stay for ever");
  expect(removedWords({ keep: "30d" })).toBe("removed files stay 30 days");
});

test("when points are taken", () => {
  const times = (policy: string, operation: string) => timesOf(OFFICE, policyOf(OFFICE, policy)!, operation);
  expect(times("docs", "backup")).toMatchObject({ every: "1h", at: [], zone: "UTC", note: "" });
  expect(times("docs", "replicate")).toMatchObject({ every: "1h", note: "It follows backup." });
  expect(times("sites", "backup")).toMatchObject({ every: null, at: ["22:00"], zone: "Europe/Berlin" });
  expect(times("sites", "replicate")?.note).toContain("It rides along with backup.");
  const cycle = { policies: { p: { operations: { a: { after: "b" }, b: { after: "a" } } } } };
  expect(timesOf(cycle, policyOf(cycle, "p")!, "a")).toBeNull();
});
