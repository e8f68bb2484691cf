import { expect, test } from "vitest";
import type { Diagnostic } from "./draft";
import { placeName, placeOf } from "./places";

const where = (more: Partial<Diagnostic["where"]>): Diagnostic["where"] => ({
  path: "",
  kind: "document",
  name: "",
  flow: "",
  line: 0,
  column: 0,
  ...more,
});

test("a drawn thing is shown selected in its own flow, whatever it is called", () => {
  const path = placeOf(where({ kind: "vertex", name: "a&b=<i>", flow: "my/flow" }), "other");
  expect(path).toBe("/flows/my%2Fflow?select=vertex%3Aa%26b%3D%3Ci%3E");
  expect(new URLSearchParams(path.split("?")[1]).get("select")).toBe("vertex:a&b=<i>");
});

test("an operation is shown with its policy, a schedule on its page, anything else as text", () => {
  expect(placeOf(where({ kind: "operation", name: "docs/backup", line: 3 }), "office")).toBe("/policies/docs");
  expect(placeOf(where({ kind: "schedule", name: "nights" }), "office")).toBe("/schedules/nights");
  expect(placeOf(where({ kind: "node", name: "files1", line: 3 }), "office")).toBe("/flows/office/yaml?line=3");
  expect(placeOf(where({ line: 7 }), "")).toBe("/document?line=7");
});

test("places have names", () => {
  expect(placeName(where({ kind: "mover", name: "a->b" }))).toBe("mover a->b");
  expect(placeName(where({ line: 7 }))).toBe("line 7");
  expect(placeName(where({}))).toBe("the document");
});
