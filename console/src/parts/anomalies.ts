/** Changes that looked like the destruction of a dataset, in words. Pure. */
import type { Schemas } from "../api/client";
import { counted } from "./format";
import type { StateName } from "./State";

export type Anomaly = Schemas["Anomaly"];

const VERBS: Record<string, string> = {
  encrypted: "look encrypted",
  renamed: "got another ending of the name",
  removed: "were removed",
};

export function anomalyWords(anomaly: Pick<Anomaly, "signals">): string {
  const parts = anomaly.signals.map((signal) => `${counted(signal.count, "file")} ${VERBS[signal.kind] ?? signal.kind} within minutes, where at most ${signal.usual} would be usual`);
  return parts.join("; ") || "it looked as if it were being destroyed";
}

export function anomalyState(anomaly: Pick<Anomaly, "state">): { state: StateName; word: string } {
  if (anomaly.state === "open") return { state: "failed", word: "anomaly" };
  return anomaly.state === "confirmed" ? { state: "warning", word: "was an attack" } : { state: "off", word: "false alarm" };
}

/** What is restored as the last clean moment of a dataset: a point, or the address of a moment; "" where there was no anomaly. Of several that nobody
 * has judged the earliest counts, else the newest. */
export function lastCleanOf(anomalies: readonly Anomaly[], dataset: string): string {
  const own = anomalies.filter((each) => each.dataset === dataset && each.state !== "dismissed");
  const open = own.filter((each) => each.state === "open");
  const byTime = (open.length > 0 ? open : own).toSorted((a, b) => Date.parse(a.clean_at) - Date.parse(b.clean_at));
  const meant = open.length > 0 ? byTime[0] : byTime.at(-1);
  return meant ? cleanAddress(meant) : "";
}

export const cleanAddress = (anomaly: Pick<Anomaly, "clean_at" | "dataset_id">): string => `${anomaly.dataset_id}@${anomaly.clean_at}`;
