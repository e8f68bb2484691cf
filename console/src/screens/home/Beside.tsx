/** What stands beside the datasets: what runs now, what nodes have found, how the repositories do. */
import { Text } from "@mantine/core";
import { Link } from "wouter";
import type { Schemas } from "../../api/client";
import { to } from "../../app/places";
import { isOver, type Job, useLive } from "../../live/store";
import { Card } from "../../parts/Card";
import { counted, formatBytes, sentence, visible } from "../../parts/format";
import { JobProgress } from "../../parts/JobProgress";
import { Moment } from "../../parts/Moment";
import { State, stateOf } from "../../parts/State";
import classes from "./Home.module.css";
import { findingGroups, someNames } from "./overview";
import { NODE_SILENT } from "./silences";

const SHOWN = 5;
export function RunningNow() {
  const jobs = useLive((live) => [...live.jobs.values()].filter((job) => !isOver(job)));
  if (jobs.length === 0) return null;
  return (
    <Card title="Running now" actions={jobs.length > SHOWN && <Link href="/jobs?state=running">All {jobs.length}</Link>}>
      <ul className={classes.plain}>
        {jobs.slice(0, SHOWN).map((job) => (
          <RunningRow key={job.id} job={job} />
        ))}
      </ul>
    </Card>
  );
}

function RunningRow({ job }: { job: Job }) {
  return (
    <li>
      <State state={stateOf(job.state)} label={job.state} />
      <div className={classes.grow}>
        <Link href={to.job(job.id)} className={classes.name}>
          {visible(job.rule)}
        </Link>{" "}
        <Text size="sm" c="dimmed" span>
          on {visible(job.node_name)}
        </Text>
      </div>
      <div className={classes.grow}>{job.state === "running" && <JobProgress job={job.id} />}</div>
    </li>
  );
}

export function Findings({ findings }: { findings: readonly Schemas["FindingRow"][] }) {
  // Who is silent stands above, with all that hangs on it.
  const groups = findingGroups(findings.filter((each) => each.code !== NODE_SILENT && !each.code.startsWith("master-")));
  if (groups.length === 0) return null;
  return (
    <Card title="What nodes have found">
      <ul className={classes.plain}>
        {groups.map((each) => (
          <li key={`${each.code}/${each.message}/${each.nodes[0]}`}>
            <State state={stateOf(each.severity)} label={each.severity} />
            <div className={classes.grow}>
              <Text size="sm">{sentence(visible(each.message))}</Text>
              <Text size="sm" c="dimmed">
                {each.hint && <>{sentence(visible(each.hint))} </>}
                On <span title={each.nodes.map(visible).join(", ")}>{visible(someNames(each.nodes))}</span>.
              </Text>
            </div>
            {each.nodes.length === 1 && each.nodes[0] && <Link href={to.node(each.nodes[0])}>See {visible(each.nodes[0])}</Link>}
          </li>
        ))}
      </ul>
    </Card>
  );
}

function RepositoryState({ row }: { row: Schemas["RepositoryRow"] }) {
  if (row.error) return <State state="failed" label="in trouble" />;
  if (row.room?.level === "full") return <State state="failed" label="full" />;
  if (row.room?.level === "nearly-full") return <State state="warning" label="nearly full" />;
  return <State state="ok" label="ok" />;
}

export function RepositoryLines({ rows }: { rows: readonly Schemas["RepositoryRow"][] }) {
  if (rows.length === 0) return null;
  return (
    <Card title="Repositories" actions={<Link href="/repositories">All {rows.length}</Link>}>
      <ul className={classes.plain}>
        {rows.slice(0, SHOWN).map((row) => (
          <li key={row.id}>
            <RepositoryState row={row} />
            <div className={classes.grow}>
              <Link href={to.repository(row.name)} className={classes.name}>
                {visible(row.name)}
              </Link>{" "}
              <Text size="sm" c="dimmed" span>
                on {visible(row.node)}
                {row.error && `: ${row.error.message}`}
              </Text>
            </div>
            <Text size="sm" c="dimmed">
              {counted(row.points, "point")}, {formatBytes(row.stored_bytes)} stored, newest <Moment time={row.newest_at} ago />
            </Text>
          </li>
        ))}
      </ul>
    </Card>
  );
}
