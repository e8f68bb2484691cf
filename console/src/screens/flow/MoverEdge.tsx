/** One mover on the canvas: a thin line with a clock when data moves in runs, a thick dashed one when it moves all the time. */
import { IconBolt, IconClock } from "@tabler/icons-react";
import { BaseEdge, EdgeLabelRenderer, type EdgeProps, getBezierPath, useStore } from "@xyflow/react";
import { memo } from "react";
import { visible } from "../../parts/format";
import type { MoverElement } from "./elements";
import type { Backlog as Waiting } from "./overlay";
import classes from "./canvas.module.css";
import { Warning } from "./VertexNode";

const BETWEEN_TWINS = 34;
/** Farther away than this nobody can read a label; leaving them out keeps large drawings quick. */
const READABLE = 0.3;

export const MoverEdge = memo(function MoverEdge(props: EdgeProps<MoverElement>) {
  const { data, selected, markerEnd } = props;
  const [path, x, y] = getBezierPath(props);
  const isFar = useStore((state) => state.transform[2] < READABLE);
  if (!data) return null;
  const { mover, words, marks, overlay, twin } = data;
  const Icon = mover.mode === "continuous" ? IconBolt : IconClock;
  const worst = marks[0]?.level;
  return (
    <>
      <BaseEdge
        path={path}
        markerEnd={markerEnd}
        interactionWidth={28}
        className={classes.mover}
        data-mode={mover.mode}
        data-level={worst}
        data-state={overlay?.state}
        data-moving={overlay?.moving || undefined}
        data-selected={selected || undefined}
      />
      {(!isFar || selected) && (
        <EdgeLabelRenderer>
          <div
            className={classes.moverLabel}
            data-selected={selected || undefined}
            data-level={worst}
            data-state={overlay?.state}
            data-thing={props.id}
            title={visible(overlay?.label || mover.carries.join(", "))}
            aria-hidden
            style={{ transform: `translate(-50%, -50%) translate(${x}px, ${y + twin * BETWEEN_TWINS}px)` }}
          >
            <span className={classes.moverWords}>
              <Icon size={14} aria-hidden />
              <span className={classes.clip}>{visible(overlay?.label || words)}</span>
              <Warning marks={marks} />
            </span>
            {overlay?.backlog && <Backlog of={overlay.backlog} />}
          </div>
        </EdgeLabelRenderer>
      )}
    </>
  );
});

/** The figure stands beside the bar, so that its colour is not alone. */
function Backlog({ of: { share, words, state } }: { of: Waiting }) {
  const percent = Math.round(100 * Math.max(0, Math.min(1, share)));
  return (
    <span className={classes.backlog} data-state={state}>
      <span className={classes.backlogBar}>
        <span style={{ width: `${percent}%` }} />
      </span>
      {words}
    </span>
  );
}
