/** On every page: what runs now, and how the last thing ended. */
import { Progress as Bar, Text } from "@mantine/core";
import { Link } from "wouter";
import { isOver, type Job, type Progress, useLive } from "../live/store";
import { counted, formatBytes, formatDuration, formatRate } from "../parts/format";
import { Moment } from "../parts/Moment";
import { phaseWord } from "../parts/progress";
import { State, stateOf } from "../parts/State";
import classes from "./ActivityBar.module.css";
import { to } from "./places";

export function ActivityBar() {
  const jobs = useLive((live) => live.jobs);
  const running = [...jobs.values()].filter((job) => !isOver(job));
  const shown = running.find((job) => job.state === "running") ?? running[0];
  if (shown) return <Running job={shown} others={running.length - 1} />;
  const last = [...jobs.values()].reduce<Job | null>((a, b) => (a && (a.ended_at ?? "") >= (b.ended_at ?? "") ? a : b), null);
  return (
    <div className={classes.bar}>
      <Text size="sm" className={last ? classes.idle : undefined}>
        Nothing runs now.
      </Text>
      {last && (
        <Text size="sm" c="dimmed" component={Link} href={to.job(last.id)} className={classes.last}>
          <span className={classes.name}>Last: {last.rule}</span> <State state={stateOf(last.state)} label={last.state} quiet /> <Moment time={last.ended_at} ago />
        </Text>
      )}
    </div>
  );
}

function Running({ job, others }: { job: Job; others: number }) {
  const progress = useLive((live) => live.progress.get(job.id) ?? null);
  return (
    <div className={classes.bar}>
      <Link href={to.job(job.id)} className={classes.job}>
        <State state={stateOf(job.state)} label={job.state} quiet />
        <span className={classes.name}>{job.rule}</span>
      </Link>
      {progress && <Figures progress={progress} />}
      {others > 0 && (
        <Text size="sm" component={Link} href="/jobs?state=running" className={classes.more}>
          and {counted(others, "other job")}
        </Text>
      )}
    </div>
  );
}

/** Bytes done and total, rate, time left; while the total is not known, the phase alone. */
function Figures({ progress }: { progress: Progress }) {
  const { total_bytes: total, done_bytes: done, rate_bytes_s: rate } = progress;
  const left = total > done && rate > 0 ? (total - done) / rate : null;
  return (
    <div className={classes.figures}>
      {total > 0 && <Bar value={Math.min(100, (100 * done) / total)} w={120} aria-label="Progress of the job" />}
      <Text size="sm" c="dimmed">
        {phaseWord(progress.phase)}
        {total > 0 ? `, ${formatBytes(done)} of ${formatBytes(total)}` : `, ${formatBytes(done)}`}
        {rate > 0 && `, ${formatRate(rate)}`}
        {left !== null && `, ${formatDuration(left)} left`}
      </Text>
    </div>
  );
}
