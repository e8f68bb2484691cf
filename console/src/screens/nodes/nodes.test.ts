import { describe, expect, it } from "vitest";
import type { Node } from "../../live/store";
import { countdown, joinSteps, nameComplaint, newcomer } from "./joining";
import { clockWord, findingsOf, fits, lossOf, rulesWord, ruleSentence, tagsOf } from "./nodes";

const node = (change: Partial<Node> = {}): Node => ({
  id: "n1",
  name: "files1",
  address: "10.0.0.1:7442",
  state: "online",
  fingerprint: "ab12",
  last_seen: null,
  generation: 2,
  wanted_generation: 2,
  version: "0.1.0",
  clock_offset_ms: 0,
  findings: [],
  ...change,
});

describe("the list", () => {
  it("takes tags from the document, whatever else stands there", () => {
    const tags = tagsOf({ nodes: { files1: { tags: ["linux", "prod"] }, vault: null, dr: { tags: "x" }, y: [1] } });
    expect([...tags]).toEqual([["files1", ["linux", "prod"]], ["vault", []], ["dr", []], ["y", []]]);
  });

  it("filters by state, tag and text", () => {
    const all = { state: "", tag: "", text: "" };
    expect(fits(node(), ["prod"], all)).toBe(true);
    expect(fits(node(), ["prod"], { ...all, state: "offline" })).toBe(false);
    expect(fits(node(), ["prod"], { ...all, tag: "prod", text: "FILES" })).toBe(true);
    expect(fits(node(), ["prod"], { ...all, text: "10.0" })).toBe(true);
    expect(fits(node(), [], { ...all, tag: "prod" })).toBe(false);
  });

  it("says how far the rules are", () => {
    expect(rulesWord(node())).toEqual({ state: "ok", word: "up to date" });
    expect(rulesWord(node({ generation: 1, state: "offline" })).word).toBe("waiting for it");
    expect(rulesWord(node({ generation: 0, wanted_generation: 0 })).word).toBe("nothing to do");
  });

  it("speaks of clocks only when they matter", () => {
    expect(clockWord(null)).toBe("");
    expect(clockWord(-1999)).toBe("");
    expect(clockWord(-95_000)).toBe("1 min 35 s behind");
  });

  it("says rules in sentences", () => {
    const line = { verb: "stores" as const, dataset: "files1/documents", operations: ["backup"], peer: "", target: "main", times: "" };
    expect(ruleSentence(line)).toEqual({ verb: "Stores", rest: "files1/documents (backup) in repository main" });
    expect(ruleSentence({ ...line, verb: "sends", peer: "dr", target: "from repository main" }).rest).toBe(
      "files1/documents (backup) to dr, from repository main",
    );
  });

  it("counts what stops when a node goes", () => {
    const protection = { dataset: "files1/documents", receiver: "vault" } as never;
    const status = { protections: [protection, protection], repositories: [{ name: "main", node: "vault" } as never] };
    expect(lossOf("files1", status)).toMatchObject({ own: ["files1/documents"], received: [], repositories: [] });
    expect(lossOf("vault", status)).toMatchObject({ own: [], received: ["files1/documents"] });
    expect(lossOf("vault", status).repositories).toHaveLength(1);
    expect(lossOf("vault", undefined)).toEqual({ own: [], received: [], repositories: [] });
  });
});

describe("joining", () => {
  const states = (one: Node | null, hold: boolean) => joinSteps(one, hold).map((step) => `${step.key} ${step.state}`);

  it("goes step by step", () => {
    expect(states(null, true)).toEqual(["joined now", "authorised later", "online later", "rules later"]);
    expect(states(node({ state: "waiting" }), true)).toEqual(["joined done", "authorised now", "online later", "rules later"]);
    expect(states(node({ state: "offline" }), false)).toEqual(["joined done", "online now", "rules later"]);
    expect(states(node({ generation: 0 }), false)).toEqual(["joined done", "online done", "rules now"]);
    expect(states(node({ wanted_generation: 0, generation: 0 }), false)).toEqual(["joined done", "online done", "rules done"]);
  });

  it("knows who came with the token", () => {
    const before = new Set(["n0"]);
    const nodes = [node({ id: "n0", name: "old" }), node({ id: "n2", name: "other" }), node()];
    expect(newcomer(nodes, { name: "files1" }, before, true)).toBeNull();
    expect(newcomer(nodes, { name: "files1" }, before, false)?.id).toBe("n1");
    expect(newcomer(nodes, { name: "" }, before, false)?.id).toBe("n2");
    expect(newcomer(nodes, { name: "absent" }, before, false)).toBeNull();
  });

  it("counts down", () => {
    const now = Date.parse("2026-11-25T12:00:00Z");
    expect(countdown("2026-11-25T12:12:05Z", now)).toBe("12:05");
    expect(countdown("2026-11-25T13:00:00Z", now)).toBe("1:00:00");
    expect(countdown("2026-11-25T12:00:00Z", now)).toBeNull();
  });

  it("checks names as the Master does", () => {
    expect(nameComplaint("", [])).toBe("");
    expect(nameComplaint("web-1.example", [])).toBe("");
    expect(nameComplaint("-x", [])).not.toBe("");
    expect(nameComplaint("a".repeat(64), [])).not.toBe("");
    expect(nameComplaint("web", ["web"])).toMatch(/already/);
  });
});

describe("what is worth a look", () => {
  it("is what a node says now, and what it said before that nobody says now; the worst first", () => {
    const finding = (code: string, severity: "error" | "warning") => ({ code, severity, message: code, path: "", hint: "", affected: [], repository: "" });
    const before = finding("no-limits", "warning");
    const now = [
      { ...before, node: "files1" },
      { ...finding("kit-missing", "warning"), node: "files1" },
      { ...finding("worker-problem", "error"), node: "files1" },
      { ...finding("drill-failed", "error"), node: "vault" },
    ];
    const codes = (said: typeof now) => findingsOf(node({ findings: [before] }), said).map(({ code }) => code);
    expect(codes(now)).toEqual(["worker-problem", "no-limits", "kit-missing"]);
    expect(codes([])).toEqual(["no-limits"]);
  });
});
