/** All flows: those of the working copy, and those that are only in force any more. Pure. */
import { mappingAt, type Values, valueAt } from "../../draft/edits";
import type { Flow } from "../../live/store";

export interface FlowRow {
  name: string;
  state: Flow["state"] | "new";
  datasets: readonly string[];
  vertices: number;
  movers: number;
  /** The revision in force; null = none. */
  revision: number | null;
}

export function flowRows(values: Values, flows: readonly Flow[]): FlowRow[] {
  const known = new Map(flows.map((flow) => [flow.name, flow]));
  const drawn = mappingAt(values, ["flows"]);
  const names = new Set([...Object.keys(drawn), ...flows.filter((flow) => flow.active_revision !== null).map((flow) => flow.name)]);
  return [...names].map((name) => {
    const flow = known.get(name);
    const movers = valueAt(values, ["flows", name, "movers"]);
    return {
      name,
      state: flow?.state ?? "new",
      datasets: flow?.datasets ?? [],
      vertices: Object.keys(mappingAt(values, ["flows", name, "vertices"])).length,
      movers: Array.isArray(movers) ? movers.length : 0,
      revision: flow?.active_revision ?? null,
    };
  });
}
