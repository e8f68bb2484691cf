import fc from "fast-check";
import { expect, test } from "vitest";
import { applyEdits, type Values, valueAt } from "../../../draft/edits";
import { drawingOf } from "../drawing";
import { changeKind, keepText, keepValue, listEdits } from "./cells";

const values: Values = {
  flows: { office: { vertices: { files: { node: "files1", policies: ["docs"], place: [1, 2] }, store: { repository: "main" } }, movers: [] } },
};
const vertexAfter = (name: string, kind: "node" | "mirror" | "repository" | "relay" | "group") => {
  const vertex = drawingOf(values, "office").vertices.find((each) => each.name === name)!;
  return valueAt(applyEdits(values, changeKind("office", vertex, kind).edits), ["flows", "office", "vertices", name]);
};

test("a vertex of another kind has what that kind has, and nothing else", () => {
  expect(vertexAfter("files", "mirror")).toEqual({ mirror: "files1", place: [1, 2], path: "" });
  expect(vertexAfter("files", "relay")).toEqual({ relay: "files1", place: [1, 2] });
  expect(vertexAfter("files", "group")).toEqual({ group: "", policies: ["docs"], place: [1, 2] });
  expect(vertexAfter("store", "node")).toEqual({ node: "" });
});

test("a list is changed item by item", () => {
  const name = fc.constantFrom("a", "b", "c", "d", "e");
  const names = fc.uniqueArray(name);
  fc.assert(
    fc.property(names, names, (before: string[], after: string[]) => {
      const found = valueAt(applyEdits({ list: before }, listEdits(before, after, ["list"])), ["list"]) as string[];
      expect([...found].sort()).toEqual([...after].sort());
      expect(found.filter((item) => before.includes(item))).toEqual(before.filter((item) => after.includes(item)));
    }),
  );
  expect(listEdits(null, ["a"], ["list"])).toEqual([{ op: "set", path: ["list"], value: ["a"] }]);
  expect(listEdits(null, [], ["list"])).toEqual([]);
});

test("retention is written as it is read", () => {
  expect(keepValue("daily 7, monthly: 24, within 30d")).toEqual({ daily: 7, monthly: 24, within: "30d" });
  expect(keepText(keepValue("daily 7,within 30d"))).toBe("daily 7, within 30d");
  expect(keepValue("  ")).toBeNull();
  expect(keepValue("many")).toEqual({ many: "" });
});
