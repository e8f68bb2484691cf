/** The monitor's answer, and what has been heard since, as words and figures over the drawing. Pure. */
import type { Progress } from "../../../live/store";
import { counted, formatAgo, formatBytes, formatCount, formatDuration, formatRate, formatTime } from "../../../parts/format";
import { type Followed, linkWords } from "../../../parts/following";
import type { Backlog, MoverOverlay, Overlay, VertexOverlay } from "../overlay";
import { shortWait } from "./waits";
import type { FlowMonitor, MoverMonitor, VertexMonitor } from "./useMonitor";

/** What moves along a mover just now. */
export interface Moving {
  rateBytesS: number;
  /** Null while the total is not known. */
  leftBytes: number | null;
  totalBytes: number;
  /** A receiver takes nothing although there is something for it. */
  waiting: boolean;
  /** What it waits for most; null = nothing is known. */
  bottleneck: MoverMonitor["bottleneck"];
}

type LiveProgress = ReadonlyMap<string, Progress>;

/** Mover and vertex by the names that the canvas knows them by: of two movers with the same ends the second is `from->to#2`. */
export const moverIds = (movers: readonly MoverMonitor[]): string[] => {
  const seen = new Map<string, number>();
  return movers.map(({ source, target }) => {
    const key = `${source}->${target}`;
    const count = (seen.get(key) ?? 0) + 1;
    seen.set(key, count);
    return count > 1 ? `${key}#${count}` : key;
  });
};

/** The lanes of running jobs that are this mover's; the Master's own figures where nothing newer was heard. */
export function movingOf(mover: MoverMonitor, progress: LiveProgress): Moving {
  const deliveries = new Set(mover.protections.map((protection) => protection.delivery));
  const heard = mover.running_jobs.flatMap((job) => progress.get(job) ?? []);
  const lanes = heard.flatMap((each) => each.lanes ?? []).filter((lane) => deliveries.has(lane.delivery));
  if (lanes.length === 0)
    return { rateBytesS: mover.running_jobs.length > 0 ? mover.rate_bytes_s : 0, leftBytes: mover.backlog_bytes, totalBytes: 0, waiting: false, bottleneck: mover.bottleneck };
  const sum = (figure: (lane: (typeof lanes)[number]) => number) => lanes.reduce((all, lane) => all + figure(lane), 0);
  const isKnown = lanes.every((lane) => (lane.total_bytes ?? 0) > 0);
  return {
    rateBytesS: sum((lane) => lane.rate_bytes_s ?? 0),
    leftBytes: isKnown ? sum((lane) => Math.max(0, lane.total_bytes! - (lane.done_bytes ?? 0))) : null,
    totalBytes: isKnown ? sum((lane) => lane.total_bytes!) : 0,
    waiting: lanes.some((lane) => lane.waiting),
    bottleneck: lanes.find((lane) => lane.bottleneck && lane.bottleneck.place !== "none")?.bottleneck ?? null,
  };
}

/** How much waits: what is left of a running job, or how far behind the promised interval the target is. Null = nothing does. */
export function backlogOf(mover: MoverMonitor, moving: Moving): Backlog | null {
  if (moving.totalBytes > 0 && moving.leftBytes !== null) {
    const share = moving.leftBytes / moving.totalBytes;
    return share > 0 ? { share, words: `${percent(share)} left`, state: "running" } : null;
  }
  const promised = mover.protections.map((protection) => protection.every_s).filter((every) => every != null);
  if (mover.lag_s === null || mover.lag_s <= 0 || promised.length === 0) return null;
  const interval = Math.min(...promised);
  const share = mover.lag_s / interval;
  const words = share > 1 ? `over ${formatDuration(interval)}` : `${percent(share)} of ${formatDuration(interval)}`;
  return { share, words, state: share <= 0.6 ? "ok" : share <= 0.85 ? "warning" : "failed" };
}

const percent = (share: number): string => `${Math.round(100 * share)} %`;

/** How far the target is behind, in words. */
export function lagWords(mover: MoverMonitor): string {
  if (mover.lag_s === null) return mover.state === "unknown" ? "not known" : "nothing arrived yet";
  if (mover.lag_s > 0) return `${formatDuration(mover.lag_s)} behind`;
  if (mover.backlog_runs > 0) return `${counted(mover.backlog_runs, "run")} behind`;
  return mover.running_jobs.length > 0 ? "a run is on its way" : "up to date";
}

/** What a mover that stands still owes its target. */
export function backlogWords(mover: MoverMonitor): string {
  const about = mover.backlog_estimated ? "about " : "";
  const size = mover.backlog_bytes ? `${about}${formatBytes(mover.backlog_bytes)}` : "";
  const parts = [
    mover.backlog_runs > 0 ? counted(mover.backlog_runs, "finished run") : "",
    mover.backlog_changes > 0 ? `${about}${counted(mover.backlog_changes, "change")}` : "",
    size || (mover.backlog_runs > 0 && mover.backlog_bytes === null ? "nobody knows how many bytes" : ""),
  ];
  return parts.filter(Boolean).join(", ") || "nothing";
}

/** While a job runs for it. */
export function runningWords(mover: MoverMonitor, leftBytes: number | null): string {
  const parts = [mover.backlog_runs > 0 ? counted(mover.backlog_runs, "finished run") : "", leftBytes ? `${formatBytes(leftBytes)} of what runs now` : ""];
  return parts.filter(Boolean).join(", ") || "nothing";
}

/** Until when its window is closed, and whether something waits for that; empty while it is open. */
export function windowClosed(mover: MoverMonitor): string {
  if (!mover.closed_until) return "";
  return `${mover.waits ? "waits for its window" : "closed"} until ${formatTime(mover.closed_until)}`;
}

/** The followed datasets whose changes go along a mover. */
export function followedOn(mover: MoverMonitor, following: readonly Followed[]): Followed[] {
  if (mover.mode !== "continuous") return [];
  const datasets = new Set(mover.protections.map((protection) => protection.dataset_id));
  return following.filter((row) => datasets.has(row.dataset_id));
}

function moverOverlay(mover: MoverMonitor, progress: LiveProgress, nowMs: number, following: readonly Followed[]): MoverOverlay {
  const moving = movingOf(mover, progress);
  const isMoving = moving.rateBytesS > 0;
  const words = [isMoving ? formatRate(moving.rateBytesS) : "", moving.waiting && !isMoving ? "waits for its receiver" : ""];
  // With a known total the bar beside it tells how much is left.
  if (isMoving && moving.leftBytes !== null && moving.totalBytes === 0) words.push(`${formatBytes(moving.leftBytes)} left`);
  const isWell = mover.state === "ok" || mover.state === "running";
  const isUnknown = mover.state === "unknown" && mover.lag_s === null;
  const isUpToDate = mover.lag_s === 0 && mover.backlog_runs === 0;
  // A line has room for one of them: where all has arrived, the next run is what is left to say.
  const followed = isUpToDate ? linkWords(followedOn(mover, following), nowMs) : "";
  const next = mover.state === "ok" && isUpToDate && mover.next_at ? `next ${formatAgo(mover.next_at, nowMs)}` : "";
  const closed = windowClosed(mover);
  const [wait] = mover.waiting;
  if (!isMoving && wait && wait.reason !== "window") words.push(isWell ? "" : mover.state, shortWait(wait));
  else if (!isMoving && closed) words.push(isWell ? "" : mover.state, closed);
  else if (!isMoving) words.push(isWell ? "" : mover.state, followed || next || (isWell || (!isUpToDate && !isUnknown) ? lagWords(mover) : ""));
  return { state: mover.state, moving: isMoving, label: words.filter(Boolean).join(", "), backlog: backlogOf(mover, moving) };
}

function vertexOverlay(vertex: VertexMonitor, nowMs: number): VertexOverlay {
  const lines: string[] = [];
  const away = vertex.nodes.filter((node) => node.state !== "online");
  if (vertex.nodes_total > 1) lines.push(nodesWords(vertex, away.length));
  else if (away[0]) lines.push(`${away[0].name} is ${away[0].state.replace("-", " ")}`);
  if (vertex.running_jobs.length > 0) lines.push(counted(vertex.running_jobs.length, "job runs", "jobs run"));
  if (vertex.last_at) lines.push(`as of ${formatAgo(vertex.last_at, nowMs)}`);
  else if (vertex.datasets_total > 0 && vertex.state !== "unknown") lines.push("nothing stored yet");
  if (vertex.next_at) lines.push(`next ${formatAgo(vertex.next_at, nowMs)}`);
  if (vertex.findings_total > 0) lines.push(counted(vertex.findings_total, "finding"));
  return { state: vertex.state, lines };
}

/** Not all are named when there are many: then how many there are is all that is known here. */
function nodesWords({ nodes, nodes_total: total }: VertexMonitor, away: number): string {
  if (nodes.length < total) return counted(total, "machine");
  return away > 0 ? `${formatCount(total - away)} of ${formatCount(total)} online` : `${formatCount(total)} online`;
}

export function overlayOf(monitor: Pick<FlowMonitor, "vertices" | "movers" | "following">, progress: LiveProgress, nowMs: number): Overlay {
  const ids = moverIds(monitor.movers);
  return {
    vertices: new Map(monitor.vertices.map((vertex) => [vertex.name, vertexOverlay(vertex, nowMs)])),
    movers: new Map(monitor.movers.map((mover, index) => [ids[index]!, moverOverlay(mover, progress, nowMs, monitor.following)])),
  };
}
