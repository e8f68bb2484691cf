import { expect, it } from "vitest";
import { reasonWords } from "./explaining";

it("says why a point stays", () => {
  expect(reasonWords([])).toBe("nothing: the next run lets it go");
  expect(reasonWords(["daily", "locked"])).toBe("the rule “daily”, its lock");
  expect(reasonWords(["no-rules"])).toContain("nothing removes it");
});
