/** Archived files back into the places of their stubs: first what would come back, in numbers, then the recall itself. */
import { Button, Group, List, Modal, Stack, Text } from "@mantine/core";
import { useState } from "react";
import { Link } from "wouter";
import { client, take } from "../../api/client";
import { to } from "../../app/places";
import { isOver, type Job, useLive } from "../../live/store";
import { useTrying } from "../../parts/acting";
import { Copyable } from "../../parts/Equivalent";
import { sentence, visible } from "../../parts/format";
import { JobProgress } from "../../parts/JobProgress";
import { Problem } from "../../parts/Problem";
import { ReportSteps } from "../../parts/ReportSteps";
import { State, stateOf } from "../../parts/State";
import { decodedPath } from "../restore/paths";
import { type Recall, recallCommand, recalledThing } from "./archive";
import classes from "./archive.module.css";

const MOST_FINDINGS = 50;

export function RecallDialog({ wanted, onClose }: { wanted: Recall; onClose: () => void }) {
  const [begun, setBegun] = useState<{ trigger: string; isDry: boolean } | null>(null);
  const { busy, error, attempt } = useTrying();
  const job = useLive((live) => (begun ? ([...live.jobs.values()].find((each) => each.trigger === begun.trigger) ?? null) : null));
  const isEnded = job !== null && isOver(job);
  const count = isEnded && begun?.isDry ? (job.report?.steps.find((step) => step.code === "recall")?.count ?? 0) : 0;
  const isDone = isEnded && begun?.isDry === false;
  const start = (isDry: boolean) =>
    attempt(async () => {
      const { node, paths, recursive } = wanted;
      const body = { paths: [...paths], recursive, dry_run: isDry };
      const { trigger } = await take(client.POST("/api/v1/nodes/{node}/recall", { params: { path: { node } }, body }));
      setBegun({ trigger, isDry });
    });
  return (
    <Modal opened onClose={onClose} title={`Recall ${recalledThing(wanted)}`} size="lg">
      <Stack>
        <Text size="sm">
          On {visible(wanted.node)}, each file takes the place of its stub, as it was archived. What is no stub there any more stays as it is. The repository keeps its
          version until its time is over.
        </Text>
        {wanted.paths.length > 1 && <Paths paths={wanted.paths} />}
        {error !== null && <Problem error={error} />}
        {begun && !isEnded && <Going job={job} isDry={begun.isDry} />}
        {begun && isEnded && <Outcome job={job} isDry={begun.isDry} />}
        <Copyable text={recallCommand(wanted)} what="command" />
        <Group justify="flex-end">
          {isDone ? (
            <Button onClick={onClose}>Close</Button>
          ) : (
            <>
              <Button variant="default" loading={busy && !count} disabled={begun !== null && !isEnded} onClick={() => void start(true)}>
                Look what would come back
              </Button>
              <Button disabled={count === 0} loading={busy && count > 0} onClick={() => void start(false)}>
                Recall now
              </Button>
            </>
          )}
        </Group>
        {begun && !begun.isDry && !isEnded && (
          <Text size="xs" c="dimmed">
            The recall goes on when you close this; it is in the list of jobs.
          </Text>
        )}
      </Stack>
    </Modal>
  );
}

function Paths({ paths }: { paths: readonly string[] }) {
  return (
    <List size="sm" className={classes.paths} tabIndex={0} aria-label="Chosen files">
      {paths.slice(0, MOST_FINDINGS).map((path) => (
        <List.Item key={path}>{visible(decodedPath(path))}</List.Item>
      ))}
      {paths.length > MOST_FINDINGS && <List.Item>and {paths.length - MOST_FINDINGS} more</List.Item>}
    </List>
  );
}

function Going({ job, isDry }: { job: Job | null; isDry: boolean }) {
  return (
    <div aria-live="polite">
      <Text size="sm">{isDry ? "Looking what would come back …" : "Recalling …"}</Text>
      {job && !isDry && <JobProgress job={job.id} />}
    </div>
  );
}

function Outcome({ job, isDry }: { job: Job; isDry: boolean }) {
  const summary = job.findings.find((finding) => finding.severity === "info");
  const others = job.findings.filter((finding) => finding !== summary);
  const label = isDry && job.state !== "failed" ? "nothing is changed yet" : job.state;
  return (
    <Stack gap="xs" role="status">
      {job.error ? (
        <Problem error={job.error} />
      ) : (
        <Text size="sm" fw={600}>
          <State state={stateOf(job.state)} label={label} /> {summary && sentence(visible(summary.message))}
        </Text>
      )}
      {job.report && job.report.steps.length > 0 && <ReportSteps label={isDry ? "What a recall would do" : "What the recall did"} steps={job.report.steps} />}
      {others.length > 0 && (
        <List size="sm" className={classes.paths} tabIndex={0} aria-label="What is not recalled">
          {others.slice(0, MOST_FINDINGS).map((finding, number) => (
            <List.Item key={number}>
              {sentence(visible(finding.message))} {sentence(visible(finding.hint ?? ""))}
            </List.Item>
          ))}
          {job.findings_total - 1 > MOST_FINDINGS && <List.Item>and {job.findings_total - 1 - MOST_FINDINGS} more</List.Item>}
        </List>
      )}
      <Link href={to.job(job.id)}>See the job</Link>
    </Stack>
  );
}
