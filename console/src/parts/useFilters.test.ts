import { expect, it } from "vitest";
import { withFilters } from "./useFilters";

it("sets, removes and leaves the others", () => {
  expect(withFilters("?state=failed&node=a", { state: "", text: "x" })).toBe("?node=a&text=x");
  expect(withFilters("?state=failed", { state: undefined })).toBe("");
});

it("keeps every name as it is", () => {
  const name = "100%41 & <b> + ?#/\u202e";
  expect(new URLSearchParams(withFilters("", { rule: name })).get("rule")).toBe(name);
});
