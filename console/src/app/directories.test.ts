import { describe, expect, it, vi } from "vitest";
import { ownPlace } from "./directories";

describe("where one comes back to", () => {
  vi.stubGlobal("window", { location: { origin: "https://master.test:7440" } });
  it("is a place of this console", () => {
    expect(ownPlace("/nodes?state=all#x")).toBe("/nodes?state=all#x");
  });
  it("is never another site", () => {
    for (const text of [null, "", "//evil.test", "/\\evil.test", "https://evil.test/", "javascript:alert(1)", "evil", "/sign-in/return?code=1", "/\t/evil.test"])
      expect(new URL(ownPlace(text), "https://master.test:7440").origin).toBe("https://master.test:7440");
    expect(ownPlace("/sign-in/return?code=1")).toBe("/");
  });
});
