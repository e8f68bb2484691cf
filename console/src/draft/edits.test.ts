import fc from "fast-check";
import { expect, test } from "vitest";
import { applyEdits, freeName, mappingAt, remove, rename, set, type Values, valueAt } from "./edits";

const values: Values = { flows: { office: { vertices: { a: {}, b: {} }, movers: [{ from: "a", to: "b" }] } } };

test("what an edit does not concern stays the same object", () => {
  const after = applyEdits(values, [set(["policies", "docs", "keep"], 3)]);
  expect(after.flows).toBe(values.flows);
  expect(valueAt(after, ["policies", "docs", "keep"])).toBe(3);
});

test("a renamed key stays in its place", () => {
  const after = applyEdits(values, [rename(["flows", "office", "vertices", "a"], "files")]);
  expect(Object.keys(mappingAt(after, ["flows", "office", "vertices"]))).toEqual(["files", "b"]);
});

test("behind the end of a list is a place, and removing closes the gap", () => {
  const path = ["flows", "office", "movers"];
  const after = applyEdits(values, [set([...path, 1], { from: "b", to: "a" }), remove([...path, 0])]);
  expect(valueAt(after, path)).toEqual([{ from: "b", to: "a" }]);
});

test("names of object machinery are only names", () => {
  expect(valueAt(values, ["constructor"])).toBeUndefined();
  expect(mappingAt(values, ["flows", "toString"])).toEqual({});
});

test("setting and removing again gives the values back", () => {
  const key = fc.string({ minLength: 1 }).filter((name) => name !== "__proto__" && !/^\d+$/.test(name));
  fc.assert(
    fc.property(fc.dictionary(key, fc.integer()), key, fc.integer(), (before, name, value) => {
      fc.pre(!Object.hasOwn(before, name));
      expect(applyEdits(applyEdits(before, [set([name], value)]), [remove([name])])).toEqual({ ...before });
    }),
  );
});

test("a free name is free", () => {
  expect(freeName("store", ["store", "store-2"])).toBe("store-3");
  expect(freeName("far", ["store"])).toBe("far");
});
