/** The jobs of what is selected: those that run, with how far they are, and how the last ones ended. */
import { Text, Title } from "@mantine/core";
import { Link } from "wouter";
import { to } from "../../../app/places";
import { isOver, type Job, useLive } from "../../../live/store";
import { visible } from "../../../parts/format";
import { JobProgress } from "../../../parts/JobProgress";
import { Moment } from "../../../parts/Moment";
import { State, stateOf } from "../../../parts/State";
import classes from "./monitor.module.css";

const MOST_RUNNING = 10;
const MOST_OVER = 5;

/** `running`: ids of jobs that run, by the Master. `datasets`: labels, by which ended ones are found. */
export function Jobs({ running, datasets }: { running: readonly string[]; datasets: readonly string[] }) {
  const jobs = useLive((live) => live.jobs);
  const now = [...new Set(running)].map((id) => jobs.get(id)).filter((job): job is Job => job !== undefined && !isOver(job));
  const concerned = new Set(datasets);
  const over = [...jobs.values()]
    .filter((job) => isOver(job) && ((job.datasets ?? []).some((each) => concerned.has(each)) || concerned.has(job.rule)))
    .sort((a, b) => (b.ended_at ?? "").localeCompare(a.ended_at ?? ""))
    .slice(0, MOST_OVER);
  if (now.length + over.length === 0) return null;
  return (
    <section className={classes.section} aria-label="Jobs">
      <Title order={3}>Jobs</Title>
      <ul className={classes.list}>
        {now.slice(0, MOST_RUNNING).map((job) => (
          <li key={job.id} className={classes.item}>
            <Head job={job} />
            <JobProgress job={job.id} />
          </li>
        ))}
        {over.map((job) => (
          <li key={job.id} className={classes.item}>
            <Head job={job} />
          </li>
        ))}
      </ul>
      {now.length > MOST_RUNNING && (
        <Text size="sm">
          <Link href="/jobs?state=running">And {now.length - MOST_RUNNING} more that run</Link>
        </Text>
      )}
    </section>
  );
}

function Head({ job }: { job: Job }) {
  return (
    <div className={classes.line}>
      <Link href={to.job(job.id)}>{visible(job.rule)}</Link>
      <span className={classes.end}>
        <State state={stateOf(job.state)} label={job.state} quiet />{" "}
        {job.ended_at && (
          <Text span size="xs" c="dimmed">
            <Moment time={job.ended_at} ago />
          </Text>
        )}
      </span>
    </div>
  );
}
