/** What the status answer means for the home page: one row per dataset, what stands in the way of the verdict, and what to do about it. Pure. */
import type { Schemas } from "../../api/client";
import type { StateName } from "../../parts/State";
import { to } from "../../app/places";

export type Protection = Schemas["Protection"];
export type Status = Schemas["StatusView"];

/** How one dataset does, as the Master's verdict counts it. The worst first. */
export const STANDINGS = ["failed", "overdue", "unknown", "fresh", "protected"] as const;
export type Standing = (typeof STANDINGS)[number];

export const STANDING_STATES: Record<Standing, StateName> = {
  failed: "failed",
  overdue: "overdue",
  unknown: "unknown",
  fresh: "off",
  protected: "ok",
};

export const STANDING_WORDS: Record<Standing, string> = {
  failed: "failed",
  overdue: "overdue",
  unknown: "not known",
  fresh: "not run yet",
  protected: "protected",
};

export interface DatasetRow {
  label: string;
  node: string;
  standing: Standing;
  protections: readonly Protection[];
  /** Newest moment that is safe somewhere; null = none yet. */
  newestAt: string | null;
  /** When the next run is due, the soonest; null = nothing is scheduled. */
  dueAt: string | null;
  running: boolean;
  /** Every change is delivered as it happens. */
  followed: boolean;
}

/** A run that is on its way does not hide what failed before it. The same rule as the Master's `verdict`. */
export function standingOf(protection: Protection): Standing {
  if (protection.state === "unknown" && protection.error) return "unknown";
  if (protection.state === "failed" || protection.error) return "failed";
  if (protection.overdue) return "overdue";
  return protection.last_at ? "protected" : "fresh";
}

/** One row for each dataset, those in trouble first, else by label. `busy`: labels of datasets that jobs run or wait for now. */
export function datasetRows(
  protections: readonly Protection[],
  busy: ReadonlySet<string> = new Set(),
  following: readonly Pick<Schemas["FollowingRow"], "dataset_id">[] = [],
): DatasetRow[] {
  const followed = new Set(following.map((each) => each.dataset_id));
  const groups = groupedBy(protections, (each) => each.dataset_id);
  return [...groups.values()].map((each) => rowOf(each, busy, followed)).sort((a, b) => rank(a) - rank(b) || a.label.localeCompare(b.label));
}

const rank = (row: DatasetRow): number => STANDINGS.indexOf(row.standing);

function rowOf(protections: readonly Protection[], busy: ReadonlySet<string>, followed: ReadonlySet<string>): DatasetRow {
  const label = protections[0]?.dataset ?? "";
  const found = protections.map(standingOf);
  return {
    label,
    node: nodeOf(label),
    standing: STANDINGS.find((each) => found.includes(each)) ?? "fresh",
    protections,
    newestAt: extreme(protections.map((each) => each.last_at), -1),
    dueAt: extreme(protections.map((each) => each.due_at), 1),
    running: busy.has(label) || protections.some((each) => each.state === "running" || each.state === "queued"),
    followed: followed.has(protections[0]?.dataset_id ?? ""),
  };
}

/** The node in a dataset's label; names of nodes have no slash. */
export const nodeOf = (label: string): string => label.split("/", 1)[0] ?? "";

/** The earliest (`sign` 1) or latest (-1) of times as the API writes them, all of them UTC. */
function extreme(times: readonly (string | null)[], sign: 1 | -1): string | null {
  const known = times.filter((time) => time !== null);
  return known.reduce<string | null>((best, time) => (best === null || sign * (Date.parse(time) - Date.parse(best)) < 0 ? time : best), null);
}

/** `store main` -> `main on vault`; `mirror copy` -> `mirror copy on dr`. */
export function placeOf(protection: Pick<Protection, "action" | "receiver">): string {
  const what = protection.action.replace(/^store /, "");
  return what ? `${what} on ${protection.receiver}` : protection.receiver;
}

/** In place of a time that a row does not have. Of a node that gives no answer it is not known whether there is one. */
export const neverOf = (row: Pick<DatasetRow, "standing">, never: string): string => (row.standing === "unknown" ? "not known" : never);

function groupedBy<T>(items: readonly T[], key: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(key(item));
    if (group) group.push(item);
    else groups.set(key(item), [item]);
  }
  return groups;
}

/** Why a row is not protected, and what helps. `reason` begins with a word, never with a name: it is shown with a capital letter. */
export interface Trouble {
  label: string;
  standing: Standing;
  reason: string;
  hint: string;
  /** The node whose silence is all there is to say. */
  silent?: string;
  step: { kind: "run"; label: string } | { kind: "go"; label: string; href: string };
}

/** `silent`: names of the nodes that do not answer. */
export function troubleOf(row: DatasetRow, silent: ReadonlySet<string>): Trouble | null {
  if (row.standing === "protected") return null;
  const worst = row.protections.find((each) => standingOf(each) === row.standing);
  const where = worst ? placeOf(worst) : "";
  const error = worst?.error ?? null;
  const told = { label: row.label, standing: row.standing, hint: error?.hint ?? "" };
  switch (row.standing) {
    case "failed":
      return {
        ...told,
        reason: error ? `its ${worst?.operation} to ${where}: ${error.message}` : `its ${worst?.operation} to ${where} failed.`,
        step: { kind: "go", label: "See its jobs", href: `/jobs?${new URLSearchParams({ rule: row.label })}` },
      };
    case "overdue":
      return { ...told, reason: `its ${worst?.operation} to ${where} is late.`, step: { kind: "run", label: "Run it now" } };
    case "unknown": {
      // Whoever is silent of those that its data goes through; the error names nobody.
      const node = [row.node, ...row.protections.map((each) => each.receiver)].find((each) => silent.has(each));
      return {
        ...told,
        ...(node && { silent: node }),
        reason: node ? `no answer from ${node}.` : (error?.message ?? "Its node does not answer."),
        step: { kind: "go", label: `See ${node ?? row.node}`, href: to.node(node ?? row.node) },
      };
    }
    case "fresh":
      return row.running
        ? { ...told, reason: "Its first run is on its way.", step: { kind: "go", label: "Watch it", href: `/jobs?${new URLSearchParams({ rule: row.label })}` } }
        : { ...told, reason: "It has not run yet.", step: { kind: "run", label: "Run it now" } };
  }
}

/** The state that stands before the verdict. */
export function verdictState(status: Pick<Status, "ok" | "datasets" | "failed" | "overdue" | "unknown" | "fresh">): StateName {
  if (status.datasets === 0 && status.ok) return "off";
  if (status.failed > 0) return "failed";
  if (status.overdue > 0) return "overdue";
  if (status.unknown > 0) return "unknown";
  return status.ok && status.fresh === 0 ? "ok" : "warning";
}

/** Findings alike on several nodes, said once. */
export interface FindingGroup {
  code: string;
  severity: Schemas["Severity"];
  message: string;
  hint: string;
  nodes: readonly string[];
}

const SEVERITIES = ["error", "warning", "info"];

export function findingGroups(findings: readonly Schemas["FindingRow"][]): FindingGroup[] {
  const groups = groupedBy(findings, (each) => JSON.stringify([each.severity, each.code, each.message, each.hint]));
  return [...groups.values()]
    .map((alike) => {
      const { code, severity, message, hint } = alike[0]!;
      return { code, severity, message, hint, nodes: [...new Set(alike.map((each) => each.node))] };
    })
    .sort((a, b) => SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity));
}

/** `files1`, `files1 and vault`, `files1, vault and 3 more`. */
export function someNames(names: readonly string[], most = 3): string {
  const [first = ""] = names;
  if (names.length <= 1) return first;
  if (names.length <= most) return `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
  return `${names.slice(0, most - 1).join(", ")} and ${names.length - most + 1} more`;
}
