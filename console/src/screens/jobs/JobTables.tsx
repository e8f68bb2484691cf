/** The tasks of a job, and what it found. */
import { Text } from "@mantine/core";
import type { Schemas } from "../../api/client";
import { isOver, type Job } from "../../live/store";
import { Card } from "../../parts/Card";
import { counted, formatBytes, formatCount, formatDuration, sentence, visible } from "../../parts/format";
import { placeWord } from "../../parts/progress";
import { State, stateOf } from "../../parts/State";
import { type Column, VirtualTable } from "../../parts/VirtualTable";
import classes from "./Jobs.module.css";

type Task = Schemas["Task"];

/** A run of several datasets has a task of one name for each. */
const keyOf = (task: Task) => [task.dataset, task.name, task.receiver].join("\n");

function titleOf(task: Task): string {
  const of = task.dataset && !task.name.includes(task.dataset) ? `${visible(task.dataset)}: ` : "";
  return `${of}${visible(task.name)}${task.receiver && ` on ${visible(task.receiver)}`}`;
}

const TASKS: Column<Task>[] = [
  { key: "state", title: "State", width: "120px", cell: (task) => <State state={stateOf(task.state)} label={task.state} /> },
  {
    key: "name",
    title: "Task",
    width: "minmax(150px, 1.4fr)",
    cell: (task) => (
      <span title={task.error ? `${task.error.message} ${task.error.hint ?? ""}` : undefined}>
        {titleOf(task)}
      </span>
    ),
  },
  { key: "held", title: "Held up by", width: "96px", cell: (task) => <span title={task.bottleneck ? visible(task.bottleneck.message) : undefined}>{placeWord(task.bottleneck)}</span> },
  { key: "took", title: "Took", width: "92px", align: "right", cell: (task) => (task.duration_s < 1 ? "under 1 s" : formatDuration(task.duration_s)) },
  { key: "changed", title: "Changed", width: "72px", align: "right", cell: (task) => formatCount(task.counters.changed) },
  { key: "removed", title: "Removed", width: "74px", align: "right", cell: (task) => formatCount(task.counters.removed) },
  { key: "read", title: "Read", width: "80px", align: "right", cell: (task) => formatBytes(task.counters.read_bytes) },
  { key: "sent", title: "Sent", width: "80px", align: "right", cell: (task) => formatBytes(task.counters.sent_bytes) },
  { key: "stored", title: "Stored", width: "80px", align: "right", cell: (task) => formatBytes(task.counters.stored_bytes) },
];

export function Tasks({ job }: { job: Job }) {
  const errors = job.tasks.filter((task) => task.error);
  return (
    <Card title="Tasks" flush>
      <VirtualTable label="Tasks" rows={job.tasks} columns={TASKS} rowKey={keyOf} maxHeight="40vh" />
      {errors.map((task) => (
        <Text key={keyOf(task)} size="sm" className={classes.more}>
          <b>{titleOf(task)}</b>{" "}
          {sentence(visible(task.error?.message ?? ""))} {sentence(visible(task.error?.hint ?? ""))}
        </Text>
      ))}
    </Card>
  );
}

interface NumberedFinding {
  number: number;
  finding: Schemas["Finding"];
}

const FINDINGS: Column<NumberedFinding>[] = [
  { key: "severity", title: "How bad", width: "104px", cell: ({ finding }) => <State state={stateOf(finding.severity)} label={finding.severity} />, sortBy: ({ finding }) => ["error", "warning", "info"].indexOf(finding.severity) },
  {
    key: "message",
    title: "What",
    width: "minmax(200px, 1fr)",
    sortBy: ({ finding }) => finding.message,
    cell: ({ finding }) => (
      <span title={`${visible(finding.message)} ${visible(finding.hint)}`}>
        <span className={classes.finding}>{sentence(visible(finding.message))}</span>
        {finding.hint && (
          <Text size="xs" c="dimmed" className={classes.finding}>
            {sentence(visible(finding.hint))}
          </Text>
        )}
      </span>
    ),
  },
  { key: "path", title: "Where", width: "minmax(200px, 1fr)", sortBy: ({ finding }) => finding.path, cell: ({ finding }) => <Where finding={finding} /> },
];

/** The path, and what damage there takes away. */
function Where({ finding }: { finding: Schemas["Finding"] }) {
  const lost = finding.affected.map(visible).join(", ");
  return (
    <span title={[visible(finding.path), lost && `takes away: ${lost}`].filter(Boolean).join("; ")}>
      <span className={classes.finding}>{visible(finding.path)}</span>
      {lost && (
        <Text size="xs" c="dimmed" className={classes.finding}>
          takes away: {lost}
        </Text>
      )}
    </span>
  );
}

export function Findings({ job }: { job: Job }) {
  const rows = job.findings.map((finding, number) => ({ number, finding }));
  const total = Math.max(job.findings_total, rows.length);
  if (total === 0)
    return (
      <Text size="sm" c="dimmed">
        {isOver(job) ? "It found nothing to speak of." : "It has found nothing to speak of yet."}
      </Text>
    );
  return (
    <Card title={counted(total, "finding")} flush>
      <VirtualTable label="Findings" rows={rows} columns={FINDINGS} rowKey={(row) => String(row.number)} rowHeight={52} maxHeight="50vh" />
      {total > rows.length && (
        <Text size="sm" c="dimmed" className={classes.more}>
          Only the first {formatCount(rows.length)} are kept.
        </Text>
      )}
    </Card>
  );
}
