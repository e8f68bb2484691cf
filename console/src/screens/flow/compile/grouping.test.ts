import { expect, test } from "vitest";
import type { Schemas } from "../../../api/client";
import { changeRows, countVerbs, workRows } from "./grouping";

type Line = Schemas["SummaryLine"];
const line = (verb: Line["verb"], dataset: string, more: Partial<Line> = {}): Line => ({
  verb,
  dataset,
  operations: ["backup"],
  peer: "",
  target: "",
  times: "",
  ...more,
});
const web = (name: string): Schemas["NodeSummary"] => ({
  node: name,
  lines: [line("implements", `${name}/site`, { target: "/srv/www" }), line("sends", `${name}/site`, { peer: "vault" })],
});

test("two thousand machines that do the same take two rows", () => {
  const nodes = Array.from({ length: 2_000 }, (_, index) => web(`web${index}`));
  const rows = workRows(nodes);
  expect(rows).toHaveLength(2);
  expect(rows[0]!.nodes).toHaveLength(2_000);
  expect(rows.map((row) => [row.first, row.dataset, row.detail])).toEqual([
    [true, "…/site", "/srv/www"],
    [false, "…/site", "to vault"],
  ]);
});

test("a machine that differs stands alone, with whole names", () => {
  const other = { ...web("db"), lines: [line("implements", "db/site", { target: "/srv/other" })] };
  const rows = workRows([web("a"), web("b"), other]);
  expect(rows.map((row) => row.nodes.length)).toEqual([2, 2, 1]);
  expect(rows[2]!.dataset).toBe("db/site");
});

test("a machine's name is taken out only where it owns the dataset", () => {
  const store = (name: string): Schemas["NodeSummary"] => ({ node: name, lines: [line("stores", "files/site", { target: "main" })] });
  expect(workRows([store("files"), store("vault")]).map((row) => row.dataset)).toEqual(["files/site", "files/site"]);
});

test("changes of alike machines are told once", () => {
  const change = (name: string, stops: string[] = []): Schemas["RulesChange"] => ({
    node: `id-${name}`,
    node_name: name,
    starts: [`captures ${name}/site`],
    stops,
    changes: [],
  });
  const rows = changeRows([change("a"), change("b"), change("c", ["sends c/old to vault (backup)"])]);
  expect(rows.map((row) => [row.nodes.join("+"), row.kind, row.line])).toEqual([
    ["a+b", "starts", "captures …/site"],
    ["c", "starts", "captures c/site"],
    ["c", "stops", "sends c/old to vault (backup)"],
  ]);
});

test("what is done is counted by kind", () => {
  expect([...countVerbs([web("a"), web("b")])]).toEqual([
    ["implements", 2],
    ["sends", 2],
  ]);
});
