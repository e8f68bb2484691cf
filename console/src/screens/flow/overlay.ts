/** What the monitor lays over the drawing. The canvas draws it and asks nothing. */
import type { StateName } from "../../parts/State";

export interface VertexOverlay {
  state: StateName;
  /** Short lines below the name: last point, next run, machines. */
  lines: readonly string[];
}

export interface MoverOverlay {
  state: StateName;
  /** Bytes move now. */
  moving: boolean;
  /** Mode, rate, lag: what stands on the line. */
  label: string;
  /** Null = nothing waits, or nobody knows. */
  backlog: Backlog | null;
}

/** How much waits, as a bar. */
export interface Backlog {
  /** Of what a run is to move, or of the promised interval; more than 1 when that is over. */
  share: number;
  /** The same with what it is a share of: `75 % left`, `50 % of 1 h`. */
  words: string;
  /** What is left of a run is `running`; of an interval it depends on how much. */
  state: "running" | "ok" | "warning" | "failed";
}

/** By vertex name, and by the mover's id in the drawing. */
export interface Overlay {
  vertices: ReadonlyMap<string, VertexOverlay>;
  movers: ReadonlyMap<string, MoverOverlay>;
}
