/** One job: how it does or did, what each receiver got, what it found, and what can be done with it. */
import { Alert, Loader, Text } from "@mantine/core";
import { IconAlertTriangle } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link } from "wouter";
import { client, type Schemas, take } from "../../api/client";
import { keys } from "../../api/queries";
import { to } from "../../app/places";
import { isOver, type Job, useLive } from "../../live/store";
import { Card } from "../../parts/Card";
import { useNow } from "../../parts/clock";
import { formatBytes, formatCount, formatDuration, sentence, shellWord, visible } from "../../parts/format";
import { JobProgress } from "../../parts/JobProgress";
import { Moment } from "../../parts/Moment";
import { Page } from "../../parts/Page";
import { Problem } from "../../parts/Problem";
import { ReportSteps } from "../../parts/ReportSteps";
import { State, stateOf } from "../../parts/State";
import { longWait } from "../flow/monitor/waits";
import { Findings, Tasks } from "./JobTables";
import classes from "./Jobs.module.css";
import { causeWord, isMaintenance, sumsOf, tookS, whatWord } from "./jobs";
import { HoldJob, UndoRestore } from "./HoldJob";
import { CancelJob, RunAgain } from "./JobActions";
import { Lanes } from "./Lanes";
import { RetryJob } from "./RetryJob";
import { OnlyFor } from "../../parts/OnlyFor";

export default function JobScreen({ id }: { id: string }) {
  const asked = useQuery({
    queryKey: [...keys.jobs, id],
    queryFn: ({ signal }) => take(client.GET("/api/v1/jobs/{job}", { params: { path: { job: id } }, signal })),
  });
  const fullId = asked.data?.id ?? id;
  const live = useLive((state) => state.jobs.get(fullId) ?? null);
  const job = live ?? asked.data ?? null;
  const told = asked.data?.progress ?? null;
  return (
    <Page
      title={job ? visible(job.rule) : "Job"}
      lead={job && <Lead job={job} />}
      cli={`holdfast jobs ${shellWord(fullId.slice(0, 12))}`}
      api={`GET /api/v1/jobs/${fullId}`}
      actions={
        job && (
          <>
            <OnlyFor activity="jobs.control">
              <HoldJob job={job} />
              <RetryJob job={job} />
            </OnlyFor>
            <OnlyFor activity="data.restore">
              <UndoRestore job={job} />
            </OnlyFor>
            <OnlyFor activity={isOver(job) ? "flows.trigger" : "jobs.control"}>{isOver(job) ? <RunAgain job={job} /> : <CancelJob job={job} />}</OnlyFor>
          </>
        )
      }
    >
      {asked.error && !job && <Problem error={asked.error} onRetry={() => void asked.refetch()} />}
      {asked.isPending && !job && <Loader aria-label="Reading the job" />}
      {job && <Details job={job} told={told} />}
    </Page>
  );
}

function Lead({ job }: { job: Job }) {
  return (
    <>
      <State state={stateOf(job.state)} label={job.state} /> {whatWord(job)} on <Link href={to.node(job.node_name)}>{visible(job.node_name)}</Link>,{" "}
      {causeWord(job.cause) && `${causeWord(job.cause)}, `}
      <Moment time={job.created_at} ago />
    </>
  );
}

function Details({ job, told }: { job: Job; told: Schemas["Progress"] | null }) {
  return (
    <>
      {job.error && (
        <Alert role="alert" color={job.state === "cancelled" ? "gray" : "red"} variant="light" icon={<IconAlertTriangle aria-hidden />} title={sentence(visible(job.error.message))}>
          <Text size="sm">{sentence(visible(job.error.hint ?? ""))}</Text>
          <Text size="xs" c="dimmed">
            {job.error.code}
          </Text>
        </Alert>
      )}
      {job.state === "running" && (
        <Card title="Progress">
          <JobProgress job={job.id} told={told} />
          <Lanes job={job.id} told={told} />
        </Card>
      )}
      {job.state === "queued" && <Queued job={job} />}
      <Figures job={job} />
      {job.tasks.length > 0 && <Tasks job={job} />}
      {job.report && <Report job={job} />}
      <Findings job={job} />
    </>
  );
}

function Queued({ job }: { job: Job }) {
  if (!job.wait) return <Text>It waits for its turn on {visible(job.node_name)}.</Text>;
  return (
    <Text>
      {longWait(job.wait)}.{" "}
      {job.wait.job && (
        <>
          First comes <Link href={to.job(job.wait.job)}>this job</Link>.
        </>
      )}
    </Text>
  );
}

function Figures({ job }: { job: Job }) {
  const sums = sumsOf(job);
  const took = tookS(job, useNow());
  const flows = useLive((live) => live.flows.filter((flow) => flow.datasets.some((label) => job.datasets.includes(label))));
  const isOfPoints = job.kind !== "restore" && !isMaintenance(job.kind);
  return (
    <Card title="In figures">
      <dl className={classes.figures}>
        <Figure name="Started">
          <Moment time={job.started_at} never="not yet" />
        </Figure>
        <Figure name={isOver(job) ? "Took" : "Runs for"}>{took === null ? "–" : took < 1 ? "under 1 s" : formatDuration(took)}</Figure>
        {job.tasks.length > 0 && (
          <>
            <Figure name="Changed files">{formatCount(sums.changed)}</Figure>
            <Figure name="Read">{formatBytes(sums.read)}</Figure>
            <Figure name="Sent">{formatBytes(sums.sent)}</Figure>
            <Figure name="Stored anew">{formatBytes(sums.stored)}</Figure>
          </>
        )}
        {job.operations.length > 0 && <Figure name="Operations">{job.operations.map(visible).join(", ")}</Figure>}
        {job.tags.length > 0 && <Figure name="Tags">{job.tags.map(visible).join(", ")}</Figure>}
        {flows.map((flow) => (
          <Figure key={flow.name} name="Flow">
            <Link href={to.flow(flow.name)}>{visible(flow.name)}</Link>
          </Figure>
        ))}
        {isOfPoints &&
          job.datasets.slice(0, 3).map((label) => (
            <Figure key={label} name="Its points">
              <Link href={to.restore({ dataset: label })}>{visible(label)}</Link>
            </Figure>
          ))}
        {isMaintenance(job.kind) && (
          <Figure name="Repository">
            <Link href={to.repository(job.rule)}>{visible(job.rule)}</Link>
          </Figure>
        )}
        <Figure name="Its other jobs">
          <Link href={`/jobs?${new URLSearchParams({ rule: job.rule })}`}>See all</Link>
        </Figure>
      </dl>
    </Card>
  );
}

/** What a task of a repository did, or would do. */
function Report({ job }: { job: Job }) {
  const { dry_run: isDry = false, steps = [] } = job.report ?? {};
  return (
    <Card title={isDry ? "What it would do" : "What it did"} actions={isDry && <Text size="sm">A look only: nothing was changed</Text>} flush>
      <ReportSteps label={isDry ? "What it would do" : "What it did"} steps={steps} />
    </Card>
  );
}

function Figure({ name, children }: { name: string; children: React.ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
