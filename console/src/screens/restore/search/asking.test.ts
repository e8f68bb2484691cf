import { describe, expect, it } from "vitest";
import { chipOf, commandOf, FILTERS, type Filters, foundOf, type Hit, isAsked, queryOf } from "./asking";

const NONE = Object.fromEntries(FILTERS.map((name) => [name, ""])) as Filters;
const hit = (change: Partial<Hit>): Hit => ({ path: "/a", dataset: "d", repository: "main", valid_from: "2026-01-01T00:00:00Z", point: "p", ...change }) as Hit;

describe("a search", () => {
  it("takes words for a part of a name, and what has a wildcard for all of it", () => {
    expect(queryOf(" letter ", NONE)).toEqual({ name: "letter", match: "part", case: "ignore", under: "" });
    expect(queryOf("letter*", NONE).match).toBe("glob");
    expect(queryOf("a*", { ...NONE, match: "regex", case: "heed", size: ">1MB" })).toEqual({
      name: "a*",
      match: "regex",
      case: "heed",
      size: ">1MB",
      under: "",
    });
    expect(queryOf("", { ...NONE, under: "/srv/a b%" }).under).toBe("/srv/a%20b%25");
  });

  it("is one when there are words, or something to go by", () => {
    expect(isAsked(" ", NONE)).toBe(false);
    expect(isAsked("", { ...NONE, case: "heed", match: "regex" })).toBe(false);
    expect(isAsked("", { ...NONE, state: "deleted" })).toBe(true);
  });

  it("is said as a chip and as a command", () => {
    expect(chipOf("state", "deleted")).toBe("Still there: Deleted");
    expect(chipOf("type", "file,link")).toBe("Type: File, Link");
    expect(chipOf("size", ">1MB")).toBe("Size: >1MB");
    expect(commandOf("my letter", { ...NONE, state: "deleted", size: ">1MB" })).toBe("holdfast find 'my letter' --part -i --size '>1MB' --deleted");
  });

  it("shows a file once, with all repositories that have it", () => {
    const found = foundOf([hit({}), hit({ path: "/b" }), hit({ repository: "far", valid_from: "2026-02-01T00:00:00Z" }), hit({ dataset: "e" })]);
    expect(found.map((each) => [each.hit.path, each.hit.dataset, each.hit.repository, each.repositories])).toEqual([
      ["/a", "d", "far", ["main", "far"]],
      ["/b", "d", "main", ["main"]],
      ["/a", "e", "main", ["main"]],
    ]);
  });
});
