/** One restore, or its rehearsal, from start to end. */
import { Alert, Anchor, List, Loader, Progress as Bar, Stack, Table, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "wouter";
import { client, take } from "../../api/client";
import { keys } from "../../api/queries";
import { to } from "../../app/places";
import { isOver, useLive } from "../../live/store";
import { formatBytes, formatDuration, formatRate, visible } from "../../parts/format";
import { Problem } from "../../parts/Problem";
import { State, stateOf } from "../../parts/State";
import { HoldJob, UndoRestore } from "../jobs/HoldJob";

const LOOK_MS = 1_000;
const MOST_FINDINGS = 50;
const SUMMARY = new Set(["dry-run", "restored", "undone"]);

export function RestoreJob({ id, isDry }: { id: string; isDry: boolean }) {
  const progress = useLive((live) => live.progress.get(id) ?? null);
  const job = useQuery({
    queryKey: [...keys.jobs, id],
    queryFn: ({ signal }) => take(client.GET("/api/v1/jobs/{job}", { params: { path: { job: id } }, signal })),
    refetchInterval: (query) => (query.state.data && isOver(query.state.data) ? false : LOOK_MS),
  });
  if (job.error) return <Problem error={job.error} onRetry={() => void job.refetch()} />;
  if (!job.data || !isOver(job.data))
    return (
      <Stack gap="xs" aria-live="polite">
        <Text>
          {job.data?.state === "paused" ? "Paused: what is in place stays." : <Loader size="xs" aria-hidden />}{" "}
          {job.data?.state !== "paused" && (isDry ? "Looking what would happen …" : "Restoring …")}
        </Text>
        {progress && progress.total_bytes > 0 && (
          <>
            <Bar value={(100 * progress.done_bytes) / progress.total_bytes} aria-label="Restored so far" />
            <Text size="sm" c="dimmed">
              {formatBytes(progress.done_bytes)} of {formatBytes(progress.total_bytes)}
              {progress.rate_bytes_s > 0 &&
                `, ${formatRate(progress.rate_bytes_s)}, ${formatDuration((progress.total_bytes - progress.done_bytes) / progress.rate_bytes_s)} left`}
            </Text>
          </>
        )}
        {!isDry && job.data && (
          <div>
            <HoldJob job={job.data} />
          </div>
        )}
      </Stack>
    );
  const { state, findings, findings_total: total, error } = job.data;
  const summary = findings.find((finding) => SUMMARY.has(finding.code));
  const others = findings.filter((finding) => finding !== summary);
  return (
    <Stack gap="sm" aria-live="polite">
      {error && <Problem error={error} />}
      {!error && (
        <Alert
          color={state === "succeeded" ? "blue" : "yellow"}
          variant="light"
          title={<State state={stateOf(state)} label={titleOf(state, isDry)} quiet />}
        >
          <Text>{summary ? sentence(summary.message) : "Nothing had to be written."}</Text>
        </Alert>
      )}
      {others.length > 0 && (
        <List size="sm">
          {others.slice(0, MOST_FINDINGS).map((finding, number) => (
            <List.Item key={number}>
              {finding.message}
              {finding.path && ` (${visible(finding.path)})`}
              {finding.hint && `. ${finding.hint}`}
            </List.Item>
          ))}
          {total - 1 > MOST_FINDINGS && <List.Item>and {total - 1 - MOST_FINDINGS} more</List.Item>}
        </List>
      )}
      {isDry && job.data.report && <Actions steps={job.data.report.steps} />}
      {!isDry && (
        <div>
          <UndoRestore job={job.data} />
        </div>
      )}
      <Anchor component={Link} href={to.job(id)} size="sm">
        See the job
      </Anchor>
    </Stack>
  );
}

/** What would be done, in numbers. */
function Actions({ steps }: { steps: readonly { code: string; message: string; count: number; size_bytes: number }[] }) {
  if (steps.length === 0) return null;
  return (
    <Table fz="sm" aria-label="What would be done">
      <Table.Thead>
        <Table.Tr>
          <Table.Th>Action</Table.Th>
          <Table.Th ta="right">Count</Table.Th>
          <Table.Th ta="right">Size</Table.Th>
          <Table.Th>What</Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {steps.map((step) => (
          <Table.Tr key={step.code}>
            <Table.Td>{step.code}</Table.Td>
            <Table.Td ta="right">{step.count.toLocaleString("en")}</Table.Td>
            <Table.Td ta="right">{formatBytes(step.size_bytes)}</Table.Td>
            <Table.Td>{step.message}</Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}

function titleOf(state: string, isDry: boolean): string {
  if (state === "cancelled") return "cancelled";
  if (isDry) return "nothing is changed yet";
  return state === "succeeded" ? "restored" : state;
}

const sentence = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;
