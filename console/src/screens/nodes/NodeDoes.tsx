/** What a node protects and what it keeps for others, and its newest jobs. */
import { Text } from "@mantine/core";
import { Link } from "wouter";
import { to } from "../../app/places";
import { type Job, type Node, useLive } from "../../live/store";
import { Card } from "../../parts/Card";
import { FollowedList } from "../../parts/FollowedList";
import { counted, formatBytes, visible } from "../../parts/format";
import { Moment } from "../../parts/Moment";
import { State, stateOf } from "../../parts/State";
import { datasetRows, neverOf, STANDING_STATES, STANDING_WORDS, type Status } from "../home/overview";
import { lossOf } from "./nodes";
import lines from "../../parts/Rows.module.css";

const SHOWN = 8;
const JOBS = 6;

export function NodeDoes({ node, status }: { node: Node; status: Status }) {
  const loss = lossOf(node.name, status);
  const followed = status.following.filter((each) => each.node === node.name);
  const rows = datasetRows(status.protections.filter((each) => loss.own.includes(each.dataset)));
  return (
    <>
      <Card title="Its datasets">
        {rows.length === 0 && (
          <Text size="sm" c="dimmed">
            Nothing of it is protected.
          </Text>
        )}
        <ul className={lines.list}>
          {rows.slice(0, SHOWN).map((row) => (
            <li key={row.label}>
              <State state={STANDING_STATES[row.standing]} label={STANDING_WORDS[row.standing]} />
              <div className={lines.grow}>
                <Link href={to.restore({ dataset: row.label })} className={lines.name}>
                  {visible(row.label)}
                </Link>
              </div>
              <Text size="sm" c="dimmed">
                newest <Moment time={row.newestAt} ago never={neverOf(row, "none yet")} />
              </Text>
            </li>
          ))}
        </ul>
        {rows.length > SHOWN && <Text size="sm">And {counted(rows.length - SHOWN, "more dataset")}.</Text>}
      </Card>
      {followed.length > 0 && (
        <Card title="Followed as they change">
          <FollowedList rows={followed} />
        </Card>
      )}
      <Card title="Its repositories">
        {loss.repositories.length === 0 && (
          <Text size="sm" c="dimmed">
            {loss.received.length > 0 ? `None. It gets ${counted(loss.received.length, "dataset")} of others.` : "It stores nothing for others."}
          </Text>
        )}
        <ul className={lines.list}>
          {loss.repositories.slice(0, SHOWN).map((row) => (
            <li key={row.id}>
              <State state={row.error ? "failed" : "ok"} label={row.error ? "in trouble" : "ok"} />
              <div className={lines.grow}>
                <Link href={to.repository(row.name)} className={lines.name}>
                  {visible(row.name)}
                </Link>
              </div>
              <Text size="sm" c="dimmed">
                {counted(row.points, "point")}, {formatBytes(row.stored_bytes)}
              </Text>
            </li>
          ))}
        </ul>
      </Card>
    </>
  );
}

export function NewestJobs({ node }: { node: Node }) {
  const jobs = useLive((live) =>
    [...live.jobs.values()]
      .filter((job) => job.node === node.id)
      .sort((a, b) => b.created_at.localeCompare(a.created_at))
      .slice(0, JOBS),
  );
  return (
    <Card title="Newest jobs" actions={<Link href={`/jobs?${new URLSearchParams({ node: node.name })}`}>All of them</Link>}>
      {jobs.length === 0 && (
        <Text size="sm" c="dimmed">
          None lately.
        </Text>
      )}
      <ul className={lines.list}>
        {jobs.map((job: Job) => (
          <li key={job.id}>
            <State state={stateOf(job.state)} label={job.state} />
            <div className={lines.grow}>
              <Link href={to.job(job.id)} className={lines.name}>
                {visible(job.rule)}
              </Link>
            </div>
            <Text size="sm" c="dimmed">
              <Moment time={job.created_at} ago />
            </Text>
          </li>
        ))}
      </ul>
    </Card>
  );
}
