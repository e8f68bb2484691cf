/** One vertex on the canvas. */
import { Tooltip } from "@mantine/core";
import {
  IconAlertTriangle,
  IconArrowsExchange2,
  IconCircleX,
  IconCopy,
  IconDatabase,
  IconDeviceDesktop,
  IconServer2,
  IconShieldCheck,
} from "@tabler/icons-react";
import { Handle, type NodeProps, Position } from "@xyflow/react";
import { memo } from "react";
import { visible } from "../../parts/format";
import { State } from "../../parts/State";
import type { VertexKind } from "./drawing";
import { KIND_WORDS, type Marks, type VertexElement } from "./elements";
import classes from "./canvas.module.css";

export const KIND_ICONS: Record<VertexKind, typeof IconDatabase> = {
  node: IconDeviceDesktop,
  group: IconServer2,
  repository: IconDatabase,
  mirror: IconCopy,
  relay: IconArrowsExchange2,
};

const MOST_CHIPS = 2;

export const VertexNode = memo(function VertexNode({ data }: NodeProps<VertexElement>) {
  const { vertex, marks, overlay, readOnly } = data;
  const Icon = KIND_ICONS[vertex.kind];
  const isOrigin = vertex.kind === "node" || vertex.kind === "group";
  const more = vertex.policies.length - MOST_CHIPS;
  return (
    <div className={classes.vertex} data-kind={vertex.kind} data-unfinished={vertex.subject === "" || undefined}>
      {!isOrigin && <Handle type="target" position={Position.Left} className={classes.port} isConnectable={!readOnly} />}
      <div className={classes.head}>
        <Icon size={18} stroke={1.8} aria-hidden className={classes.icon} />
        <span className={classes.name} title={visible(vertex.name)}>
          {visible(vertex.name)}
        </span>
        {vertex.isRemote && <span className={classes.badge}>S3</span>}
        <Warning marks={marks} />
      </div>
      <div className={classes.about} title={visible(vertex.about)}>
        <span className={classes.kind}>{KIND_WORDS[vertex.kind]}</span> {visible(vertex.about)}
      </div>
      {vertex.policies.length > 0 && (
        <div className={classes.chips}>
          {vertex.policies.slice(0, more > 0 ? MOST_CHIPS - 1 : MOST_CHIPS).map((policy) => (
            <span key={policy} className={classes.chip} title={visible(policy)}>
              <IconShieldCheck size={12} aria-hidden />
              <span className={classes.clip}>{visible(policy)}</span>
            </span>
          ))}
          {more > 0 && <span className={classes.chip}>+{more + 1}</span>}
        </div>
      )}
      {overlay && (
        <div className={classes.overlay}>
          <State state={overlay.state} quiet />
          {overlay.lines.map((line) => (
            <span key={line} className={classes.line}>
              {visible(line)}
            </span>
          ))}
        </div>
      )}
      {vertex.kind !== "mirror" && <Handle type="source" position={Position.Right} className={classes.port} isConnectable={!readOnly} />}
    </div>
  );
});

/** The worst of what is wrong as a sign; all of it on hover. */
export function Warning({ marks }: { marks: Marks }) {
  const worst = marks[0];
  if (!worst) return null;
  const Icon = worst.level === "error" ? IconCircleX : IconAlertTriangle;
  const label = marks
    .slice(0, 5)
    .map((mark) => visible(mark.message))
    .join(". ");
  return (
    <Tooltip label={label} multiline maw={320} openDelay={100}>
      <span className={classes.warning} data-level={worst.level} data-testid="warning">
        <Icon size={18} aria-hidden />
      </span>
    </Tooltip>
  );
}
