/** What can be added to a drawing: kinds of vertices, and what the document and the environment have already. Pure. */
import { mappingAt, type Values } from "../../draft/edits";
import { counted, visible } from "../../parts/format";
import type { NewThing } from "./changes";
import { type Drawing, membersOf, type VertexKind } from "./drawing";

export interface Addable extends NewThing {
  id: string;
  title: string;
  detail: string;
  section: "New" | "Nodes" | "Groups" | "Repositories";
}

const NATURAL = new Intl.Collator("en", { numeric: true });

const KINDS: readonly [VertexKind, string, string][] = [
  ["node", "Source", "a node whose data is protected"],
  ["group", "Group", "many nodes, treated alike"],
  ["repository", "Repository", "keeps points, encrypted, each piece once"],
  ["mirror", "Mirror", "a folder kept like the source"],
  ["relay", "Relay", "passes data on, keeps nothing"],
];

const VAULT = "a repository whose machine dials, opens no port and lets nothing go";

/** `joined`: names of nodes that have joined, whether or not the document knows them. */
export function addables(values: Values, drawing: Drawing, joined: readonly string[]): Addable[] {
  const known = mappingAt(values, ["nodes"]);
  const drawn = new Set(drawing.vertices.map((vertex) => `${vertex.kind}/${vertex.subject}`));
  const entry = (section: Addable["section"], kind: VertexKind, subject: string, detail: string): Addable => ({
    id: `${kind}/${subject}`,
    section,
    kind,
    subject,
    title: visible(subject),
    detail: drawn.has(`${kind}/${subject}`) ? `${detail}, drawn already` : detail,
  });
  const nodes = [...new Set([...Object.keys(known), ...joined])].sort(NATURAL.compare);
  return [
    ...KINDS.map(([kind, title, detail]): Addable => ({ id: `new/${kind}`, section: "New", kind, subject: "", title, detail })),
    { id: "new/vault", section: "New", kind: "repository", subject: "", template: "vault", title: "Vault", detail: VAULT },
    ...nodes.map((name) => entry("Nodes", "node", name, Object.hasOwn(known, name) ? "source" : "source, joined, not in the document yet")),
    ...Object.keys(mappingAt(values, ["groups"])).map((name) => entry("Groups", "group", name, counted(membersOf(values, name).length, "node"))),
    ...Object.entries(mappingAt(values, ["repositories"])).map(([name, facts]) => {
      const node = mappingAt(values, ["repositories", name]).node;
      return entry("Repositories", "repository", name, facts && typeof node === "string" ? `on ${visible(node)}` : "repository");
    }),
  ];
}

/** Every typed word must be in it. */
export function matching<E extends { title: string; detail: string }>(entries: readonly E[], typed: string): E[] {
  const words = typed.toLowerCase().split(/\s+/).filter(Boolean);
  return entries.filter((entry) => words.every((word) => `${entry.title} ${entry.detail}`.toLowerCase().includes(word)));
}

const TYPE = "application/x-holdfast-vertex";

export const carryOff = (data: DataTransfer, { kind, subject, template }: NewThing): void => {
  data.setData(TYPE, JSON.stringify({ kind, subject, template }));
  data.effectAllowed = "copy";
};

/** What was let go; null when it is something else. */
export function carriedIn(data: DataTransfer): NewThing | null {
  try {
    const found = JSON.parse(data.getData(TYPE)) as Partial<NewThing>;
    const isKind = KINDS.some(([kind]) => kind === found.kind);
    return isKind && typeof found.subject === "string" ? (found as NewThing) : null;
  } catch {
    return null;
  }
}
