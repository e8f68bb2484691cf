/** "Protect a computer": policy, repository and flow out of a few answers, as one edit. Pure. */
import { type Edit, freeName, mappingAt, set, type Value, type Values } from "../../draft/edits";
import { knownNode } from "../flow/changes";

export interface Answers {
  node: string;
  folder: string;
  /** A repository of the document, or where a new one is made. */
  repository: string | { node: string; location: string };
  /** A plain copy beside the points; null = none. */
  mirror: { node: string; path: string } | null;
  every: string;
}

export interface Made {
  edits: Edit[];
  flow: string;
  policy: string;
  repository: string;
}

export const isFolder = (path: string): boolean => path.startsWith("/") && path.replaceAll("/", "") !== "" && !/(^|\/)\.{1,2}(\/|$)/.test(path);

/** A name made of the last part of a folder: `/srv/My Documents` -> `my-documents`. */
export function nameOfFolder(folder: string): string {
  const last = folder.split("/").filter(Boolean).at(-1) ?? "";
  const name = last
    .toLowerCase()
    .replaceAll(/[^a-z0-9._-]+/g, "-")
    .replaceAll(/^[^a-z0-9]+|-+$/g, "");
  return name.slice(0, 40) || "data";
}

const keysAt = (values: Values, section: string): string[] => Object.keys(mappingAt(values, [section]));

export function protect(values: Values, { node, folder, repository, mirror, every }: Answers): Made {
  const policy = freeName(nameOfFolder(folder), keysAt(values, "policies"));
  const flow = freeName(nameOfFolder(folder), keysAt(values, "flows"));
  const store = typeof repository === "string" ? repository : freeName("main", keysAt(values, "repositories"));
  const operations: { [key: string]: Value } = { backup: { every, keep: { hourly: 24, daily: 30, monthly: 12 } } };
  if (mirror) operations.replicate = { removed: "keep 30d" };
  const source = freeName(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(node) ? node : "source", ["store", "copy"]);
  const vertices: { [key: string]: Value } = { [source]: { node, policies: [policy] }, store: { repository: store } };
  const movers: Value[] = [{ from: source, to: "store", carries: [`${policy}/backup`] }];
  if (mirror) {
    vertices.copy = { mirror: mirror.node, path: mirror.path };
    movers.push({ from: source, to: "copy", carries: [`${policy}/replicate`] });
  }
  const nodes = [node, ...(typeof repository === "string" ? [] : [repository.node]), ...(mirror ? [mirror.node] : [])];
  const edits: Edit[] = [
    ...[...new Set(nodes)].flatMap((each) => knownNode(values, "node", each)),
    ...(typeof repository === "string" ? [] : [set(["repositories", store], { ...repository })]),
    set(["policies", policy], { classification: { paths: [folder] }, operations }),
    set(["flows", flow], { vertices, movers }),
  ];
  return { edits, flow, policy, repository: store };
}
