/** What came of the activation on each node; then the way on: activated is not yet protected. */
import { Alert, Button, Group, Text } from "@mantine/core";
import { IconActivity, IconArrowBackUp, IconPlayerPlay } from "@tabler/icons-react";
import { useMemo } from "react";
import { Link } from "wouter";
import { to } from "../../../app/places";
import { useLive } from "../../../live/store";
import { Card } from "../../../parts/Card";
import { counted, visible } from "../../../parts/format";
import { Moment } from "../../../parts/Moment";
import { State, stateOf } from "../../../parts/State";
import { type Column, VirtualTable } from "../../../parts/VirtualTable";
import { useMonitor } from "../monitor/useMonitor";
import { useTrigger } from "../monitor/useTrigger";
import classes from "./compile.module.css";
import { countStates, outcomesNow } from "./outcomes";
import type { ActivationReport } from "./useActivation";

type Outcome = ActivationReport["nodes"][number];

const MEANINGS: Record<Outcome["state"], string> = {
  confirmed: "has its rules and acts by them",
  pending: "is away, and gets its rules when it comes",
  refused: "did not take its rules",
  unchanged: "keeps what it had",
};

const COLUMNS: readonly Column<Outcome>[] = [
  { key: "node", title: "Node", width: "minmax(140px, 1fr)", cell: ({ node }) => <Link href={to.node(node)}>{visible(node)}</Link> },
  { key: "state", title: "State", width: "120px", cell: ({ state }) => <State state={stateOf(state)} label={state} quiet /> },
  { key: "why", title: "What that means", width: "minmax(220px, 3fr)", cell: (outcome) => <Why outcome={outcome} /> },
];

function Why({ outcome: { state, problems } }: { outcome: Outcome }) {
  const text = (problems ?? []).map((problem) => visible([problem.message, problem.hint].filter(Boolean).join("; "))).join(". ");
  return <span title={text || undefined}>{text || MEANINGS[state]}</span>;
}

export function Outcomes({ report }: { report: ActivationReport }) {
  const nodes = useLive((live) => live.nodes);
  const outcomes = useMemo(() => outcomesNow(report.nodes ?? [], nodes), [report.nodes, nodes]);
  const counts = [...countStates(outcomes)];
  return (
    <Card title={report.rolled_back ? "Not activated: everything is as it was" : `Revision ${report.revision} is active`} flush>
      <div className={classes.counts} aria-live="polite">
        {counts.map(([state, count]) => (
          <span key={state}>
            <State state={stateOf(state)} label={`${counted(count, "node")} ${state}`} quiet />
          </span>
        ))}
        {outcomes.length === 0 && <span>No node had to be told anything: each already acts by this.</span>}
      </div>
      {report.rolled_back && (
        <Alert color="red" variant="light" icon={<IconArrowBackUp aria-hidden />} mx={18} mb={12} title="A node refused its rules">
          A flow is activated everywhere or nowhere, so every node keeps what it had. The reason is with the node below; mend it, and activate again.
        </Alert>
      )}
      {outcomes.length > 0 && (
        <VirtualTable label="What came of it on each node" rows={outcomes} columns={COLUMNS} rowKey={({ node }) => node} maxHeight={240} rowHeight={34} />
      )}
      {!report.rolled_back && <Next flow={report.flow} />}
    </Card>
  );
}

/** Rules in force protect nothing before the first run: when it is due, or now. */
function Next({ flow }: { flow: string }) {
  const monitor = useMonitor(flow);
  const trigger = useTrigger(flow);
  const movers = monitor.data?.movers ?? [];
  const nextAt = movers.map((mover) => mover.next_at).filter((time) => time !== null).sort()[0] ?? null;
  const neverRan = movers.some((mover) => mover.last_at === null);
  return (
    <Group justify="space-between" className={classes.quiet} pt={14} wrap="wrap">
      <Text size="sm" maw={560}>
        {neverRan && "The rules are in force; data is protected after the first run. "}
        {nextAt ? (
          <>
            The next run is due <Moment time={nextAt} ago />.
          </>
        ) : (
          monitor.data && "Nothing here runs by itself at a time that is known; you can run it now."
        )}
      </Text>
      <Group gap="xs">
        <Button variant="default" leftSection={<IconActivity size={16} aria-hidden />} component={Link} href={to.flow(flow, "monitor")}>
          Watch it
        </Button>
        <Button leftSection={<IconPlayerPlay size={16} aria-hidden />} loading={trigger.isPending} onClick={() => trigger.mutate({})}>
          Run now
        </Button>
      </Group>
    </Group>
  );
}
