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

/** Nothing written means: look, and hold for the usual time. */
export function anomalyWay(written: Value | undefined): AnomalyWay {
  if (isOff(written)) return "off";
  return isMapping(written) && isOff(written.hold) ? "look" : "hold";
}
