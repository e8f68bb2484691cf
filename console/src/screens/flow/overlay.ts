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
  /** 0 to 1, how much of what is allowed to wait does; null = nothing waits or nobody knows. */
  backlog: number | null;
}

/** By vertex name, and by the mover's id in the drawing. */
export interface Overlay {
  vertices: ReadonlyMap<string, VertexOverlay>;
  movers: ReadonlyMap<string, MoverOverlay>;
}
