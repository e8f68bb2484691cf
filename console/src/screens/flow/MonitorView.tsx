/** How the active flow does, told by its own drawing. */
import { Alert, Button, Center, List } from "@mantine/core";
import { IconActivity, IconPlugConnectedX } from "@tabler/icons-react";
import { useMemo } from "react";
import { Link } from "wouter";
import { to } from "../../app/places";
import { isDirty, useDraft } from "../../draft/draft";
import { useLive } from "../../live/store";
import { useNow } from "../../parts/clock";
import { Empty } from "../../parts/Empty";
import { counted, visible } from "../../parts/format";
import { Problem } from "../../parts/Problem";
import { State, type StateName } from "../../parts/State";
import { Loading } from "../../parts/Loading";
import type { Drawing } from "./drawing";
import { FlowCanvas } from "./FlowCanvas";
import classes from "./monitor/monitor.module.css";
import { overlayOf } from "./monitor/overlay";
import { Panel } from "./monitor/Panel";
import { useActiveDrawing } from "./monitor/useActiveDrawing";
import { type FlowMonitor, useMonitor } from "./monitor/useMonitor";
import { useSelection } from "./useSelection";

const STATES: readonly StateName[] = ["ok", "running", "warning", "failed", "overdue", "unknown", "off"];

export default function MonitorView({ flow }: { flow: string }) {
  const monitor = useMonitor(flow);
  const active = useActiveDrawing(flow, monitor.data?.active_revision ?? null);
  const error = monitor.error ?? active.error;
  if (error && !(monitor.data && active.drawing))
    return (
      <Center p="xl">
        <Problem error={error} onRetry={() => void (monitor.error ? monitor : active).refetch()} />
      </Center>
    );
  if (monitor.data?.active_revision === null) return <NotActive flow={flow} />;
  if (!monitor.data || !active.drawing)
    return <Loading height="50vh" />;
  return (
    <>
      <Notices monitor={monitor.data} error={error} onRetry={() => void monitor.refetch()} />
      <Watched monitor={monitor.data} drawing={active.drawing} />
    </>
  );
}

function Watched({ monitor, drawing }: { monitor: FlowMonitor; drawing: Drawing }) {
  const progress = useLive((live) => live.progress);
  const now = useNow();
  const [selected, select] = useSelection();
  const overlay = useMemo(() => overlayOf(monitor, progress, now), [monitor, progress, now]);
  const policies = useMemo(() => new Map(drawing.vertices.map((vertex) => [vertex.name, vertex.policies])), [drawing]);
  return (
    <div className={classes.screen}>
      <div className={classes.middle}>
        <FlowCanvas drawing={drawing} diagnostics={[]} overlay={overlay} readOnly selected={selected} onSelect={select} />
        <div className={classes.legend} role="note" aria-label="What the signs mean">
          {STATES.map((state) => (
            <State key={state} state={state} quiet />
          ))}
        </div>
      </div>
      <aside className={classes.side} aria-label="How it does">
        <Panel monitor={monitor} policies={policies} selected={selected[0]} onSelect={(thing) => select([thing])} />
      </aside>
    </div>
  );
}

function NotActive({ flow }: { flow: string }) {
  return (
    <Empty
      icon={IconActivity}
      title="This flow is not active yet"
      action={
        <Button component={Link} href={to.flow(flow, "compile")}>
          Compile and activate
        </Button>
      }
    >
      Once it is, the drawing shows here how it does: what moves, how far each target is behind, when the next run is, and what went wrong.
    </Empty>
  );
}

function Notices({ monitor, error, onRetry }: { monitor: FlowMonitor; error: unknown; onRetry: () => void }) {
  const isUnsaved = isDirty(useDraft());
  const { state, active_revision: revision, flow, unreachable, unreachable_total: silent } = monitor;
  return (
    <>
      {error !== null && error !== undefined && <Problem error={error} onRetry={onRetry} />}
      {(state === "changed" || state === "removed" || isUnsaved) && (
        <div className={classes.notice} role="status">
          <State state="warning" label={state === "changed" ? "changed, not active" : state === "removed" ? "removed, still active" : "not saved"} quiet />
          <span>You see what is active, of revision {revision}. {state === "removed" ? "The document has this flow no more." : "The working copy may differ."}</span>
          <Link href={state === "removed" ? "/document?view=changes" : to.flow(flow, "compile")}>See what would change</Link>
        </div>
      )}
      {silent > 0 && (
        <Alert role="alert" color="gray" variant="light" radius={0} icon={<IconPlugConnectedX aria-hidden />} title={`${counted(silent, "node does", "nodes do")} not answer`}>
          What they do is shown as it was last known.
          <List size="sm">
            {unreachable.slice(0, 5).map(({ node, error: why }) => (
              <List.Item key={node}>
                <Link href={to.node(node)}>{visible(node)}</Link>: {visible(why.message)}
              </List.Item>
            ))}
            {silent > 5 && <List.Item>and {silent - 5} more</List.Item>}
          </List>
        </Alert>
      )}
    </>
  );
}
