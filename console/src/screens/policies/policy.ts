/** Policies as they stand in the document's values, also while these are incomplete or wrong. Pure. */
import { isMapping, mappingAt, type Value, type Values, valueAt } from "../../draft/edits";

export type Fields = { [key: string]: Value };

export interface Operation {
  name: string;
  /** `backup` or `replicate`, or whatever is written. */
  kind: string;
  fields: Fields;
}

export interface Policy {
  name: string;
  paths: readonly string[];
  classification: Fields;
  operations: readonly Operation[];
  hooks: Fields;
  /** What it was called before; empty when it never had another name. */
  was: string;
}

/** A flow that uses a policy: by which of its vertices, and with how many movers. */
export interface Use {
  flow: string;
  vertices: readonly string[];
  movers: number;
}

/** The kinds this version has an engine for, and where they go (`model/operations.py`). */
export const KINDS = [
  { kind: "backup", title: "Backup", goesTo: "a repository", makesPoints: true },
  { kind: "live", title: "Live backup", goesTo: "a repository", makesPoints: true },
  { kind: "cdp", title: "Every moment (CDP)", goesTo: "a repository", makesPoints: false },
  { kind: "version", title: "Versions of files", goesTo: "a repository", makesPoints: false },
  { kind: "replicate", title: "Mirror", goesTo: "a mirror", makesPoints: false },
  { kind: "archive", title: "Archive", goesTo: "a repository", makesPoints: false },
] as const;

export const kindTitle = (kind: string): string => KINDS.find((each) => each.kind === kind)?.title ?? kind;
export const makesPoints = (kind: string): boolean => KINDS.some((each) => each.kind === kind && each.makesPoints);

export const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

/** What is wrong with a name that is to be given; empty when nothing is. */
export function nameProblem(name: string, taken: Iterable<string>): string {
  if (!NAME.test(name)) return "Letters, digits, “.”, “_” and “-”, at most 63, the first a letter or digit.";
  return new Set(taken).has(name) ? "There is one with that name already." : "";
}

/** A scalar as it is written; empty for what is none. */
export function textOf(value: Value | undefined): string {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean" ? String(value) : "";
}

/** The scalars of a list, each in its place. */
export function textsOf(value: Value | undefined): string[] {
  return Array.isArray(value) ? value.map(textOf) : [];
}

export const policyNames = (values: Values): string[] => Object.keys(mappingAt(values, ["policies"]));

export function policyOf(values: Values, name: string): Policy | null {
  if (!Object.hasOwn(mappingAt(values, ["policies"]), name)) return null;
  const classification = mappingAt(values, ["policies", name, "classification"]);
  const operations = Object.entries(mappingAt(values, ["policies", name, "operations"])).map(([operation, value]) => {
    const fields = isMapping(value) ? value : {};
    return { name: operation, kind: textOf(fields.operation) || operation, fields };
  });
  const hooks = mappingAt(values, ["policies", name, "hooks"]);
  const was = textOf(valueAt(values, ["policies", name, "was"]));
  return { name, paths: textsOf(classification.paths), classification, operations, hooks, was };
}

export function policiesOf(values: Values): Policy[] {
  return policyNames(values).flatMap((name) => policyOf(values, name) ?? []);
}

export function usesOf(values: Values, policy: string): Use[] {
  return Object.keys(mappingAt(values, ["flows"])).flatMap((flow) => {
    const vertices = Object.entries(mappingAt(values, ["flows", flow, "vertices"]))
      .filter(([, vertex]) => isMapping(vertex) && textsOf(vertex.policies).includes(policy))
      .map(([name]) => name);
    const movers = moversOf(values, flow).filter((mover) => textsOf(mover.carries).some((label) => label.startsWith(`${policy}/`))).length;
    return vertices.length + movers > 0 ? [{ flow, vertices, movers }] : [];
  });
}

export function moversOf(values: Values, flow: string): Fields[] {
  const listed = valueAt(values, ["flows", flow, "movers"]);
  return Array.isArray(listed) ? listed.map((mover) => (isMapping(mover) ? mover : {})) : [];
}

/** The nodes whose data the policy is about, by the flows of the document. */
export function nodesOf(values: Values, policy: string): string[] {
  const found = usesOf(values, policy).flatMap(({ flow, vertices }) =>
    vertices.flatMap((name) => {
      const vertex = mappingAt(values, ["flows", flow, "vertices", name]);
      return vertex.node === undefined ? membersOf(values, textOf(vertex.group)) : [textOf(vertex.node)];
    }),
  );
  return [...new Set(found)].filter(Boolean);
}

function membersOf(values: Values, group: string): string[] {
  const fields = mappingAt(values, ["groups", group]);
  const tags = textsOf(fields.tags);
  if (tags.length === 0) return textsOf(fields.nodes);
  return Object.entries(mappingAt(values, ["nodes"]))
    .filter(([, node]) => isMapping(node) && tags.every((tag) => textsOf(node.tags).includes(tag)))
    .map(([name]) => name);
}
