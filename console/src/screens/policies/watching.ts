/** What a policy says of drills and anomalies, as choices. Pure. */
import { isMapping, type Value } from "../../draft/edits";

export type DrillWay = "on" | "off";
export type AnomalyWay = "hold" | "look" | "off";

/** YAML takes a plain `off` for a boolean, people do not. */
const isOff = (value: Value | undefined) => value === "off" || value === false || value === "false";

/** No `drill` means none by itself. */
export function drillWay(written: Value | undefined): DrillWay {
  return written === undefined || written === null || isOff(written) ? "off" : "on";
}

/** The nodes of the document by name, with the one that is written, whether it is there or not. */
export function drillNodes(nodes: Value | undefined, written: Value | undefined): string[] {
  const named = isMapping(nodes) ? Object.keys(nodes) : [];
  const chosen = typeof written === "string" && written !== "" && !named.includes(written) ? [written] : [];
  return [...named, ...chosen].sort();
}

/** Nothing written means: look, and hold for the usual time. */
export function anomalyWay(written: Value | undefined): AnomalyWay {
  if (isOff(written)) return "off";
  return isMapping(written) && isOff(written.hold) ? "look" : "hold";
}
