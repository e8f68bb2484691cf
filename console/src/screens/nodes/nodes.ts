/** What is shown of nodes: which ones fit a filter, how far their rules are, whether their clocks matter. Pure. */
import type { Schemas } from "../../api/client";
import { mappingAt, type Value, type Values } from "../../draft/edits";
import type { Node } from "../../live/store";
import { formatDuration } from "../../parts/format";
import type { StateName } from "../../parts/State";

export interface NodeFilter {
  state: string;
  tag: string;
  text: string;
}

/** Beyond this a clock puts points at wrong times. */
const CLOCK_LIMIT_MS = 2_000;

export const NODE_STATES = ["online", "silent", "offline", "waiting", "revoked"] as const;

/** The tags that the document gives each node. */
export function tagsOf(values: Values): ReadonlyMap<string, readonly string[]> {
  const nodes = mappingAt(values, ["nodes"]);
  return new Map(Object.entries(nodes).map(([name, value]) => [name, tagList(value)]));
}

function tagList(value: Value): string[] {
  const tags = typeof value === "object" && value !== null && !Array.isArray(value) ? value.tags : undefined;
  return Array.isArray(tags) ? tags.map(String) : [];
}

export function fits(node: Node, tags: readonly string[], filter: NodeFilter): boolean {
  const text = filter.text.toLowerCase();
  const words = [node.name, node.address, node.version, ...tags];
  return (
    (!filter.state || node.state === filter.state) &&
    (!filter.tag || tags.includes(filter.tag)) &&
    (!text || words.some((word) => word.toLowerCase().includes(text)))
  );
}

/** How far the rules are: those in force there against those made for it. */
export function rulesWord(node: Pick<Node, "state" | "generation" | "wanted_generation">): { state: StateName; word: string } {
  if (node.state === "revoked") return { state: "off", word: "none" };
  if (node.wanted_generation === 0) return { state: "off", word: "nothing to do" };
  if (node.generation === node.wanted_generation) return { state: "ok", word: "up to date" };
  return { state: "warning", word: node.state === "online" ? "on their way" : "waiting for it" };
}

/** What is worth a look there: by what it said when it was last connected, and by what is known now. A thing that both say is told once. */
export function findingsOf(node: Pick<Node, "name" | "findings">, now: readonly Schemas["FindingRow"][]): readonly Schemas["Finding"][] {
  const own = now.filter((finding) => finding.node === node.name);
  const known = new Set(own.map((finding) => finding.code + finding.message));
  const all = [...own, ...node.findings.filter((finding) => !known.has(finding.code + finding.message))];
  return all.sort((a, b) => SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity));
}

const SEVERITIES = ["error", "warning", "info"];

/** `5 s ahead` when a clock is so far off that it matters, else empty. */
export function clockWord(offset_ms: number | null): string {
  if (offset_ms === null || Math.abs(offset_ms) < CLOCK_LIMIT_MS) return "";
  return `${formatDuration(Math.abs(offset_ms) / 1000)} ${offset_ms > 0 ? "ahead" : "behind"}`;
}

/** One sentence for each thing that the rules make a node do. */
export function ruleSentence(line: Schemas["SummaryLine"]): { verb: string; rest: string } {
  const of = line.operations.length > 0 ? ` (${line.operations.join(", ")})` : "";
  switch (line.verb) {
    case "implements":
      return { verb: "Captures", rest: `${line.dataset}${of}: ${line.target}` };
    case "sends":
      return { verb: "Sends", rest: `${line.dataset}${of} to ${line.peer}${line.target ? `, ${line.target}` : ""}` };
    case "receives":
      return { verb: "Receives", rest: `${line.dataset} from ${line.peer}` };
    case "stores":
      return { verb: "Stores", rest: `${line.dataset}${of} in repository ${line.target}` };
    case "mirrors":
      return { verb: "Mirrors", rest: `${line.dataset}${of} into ${line.target}` };
    case "forwards":
      return { verb: "Forwards", rest: `${line.dataset}${of} to ${line.peer}` };
    case "limits":
      return { verb: "Limits", rest: line.target };
  }
}

/** What stops when a node is sent away. */
export interface Loss {
  /** Datasets of this node. */
  own: readonly string[];
  /** Datasets of others that are sent here. */
  received: readonly string[];
  repositories: readonly Schemas["RepositoryRow"][];
}

export function lossOf(node: string, status: Pick<Schemas["StatusView"], "protections" | "repositories"> | undefined): Loss {
  const protections = status?.protections ?? [];
  const labels = (these: readonly Schemas["Protection"][]) => [...new Set(these.map((each) => each.dataset))].sort();
  const isOwn = (each: Schemas["Protection"]) => each.dataset.startsWith(`${node}/`);
  return {
    own: labels(protections.filter(isOwn)),
    received: labels(protections.filter((each) => each.receiver === node && !isOwn(each))),
    repositories: (status?.repositories ?? []).filter((each) => each.node === node),
  };
}
