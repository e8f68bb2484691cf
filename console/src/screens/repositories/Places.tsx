/** Who has the places of its limit on parallel jobs, and who waits for one, in the order of their turns. */
import { List, Text } from "@mantine/core";
import { Link } from "wouter";
import { to } from "../../app/places";
import { Card } from "../../parts/Card";
import { counted, formatCount, visible } from "../../parts/format";
import { Moment } from "../../parts/Moment";
import { State, stateOf } from "../../parts/State";
import type { Repository } from "./figures";

type Job = Repository["holders"][number];

export function Places({ row }: { row: Repository }) {
  if (row.parallel_jobs === null) return null;
  const more = row.waiting_total - row.waiting.length;
  return (
    <Card title="Jobs at once">
      <Text size="sm" mb="xs">
        {formatCount(row.delivering)} of {counted(row.parallel_jobs, "place")} taken{row.waiting_total > 0 && `, ${formatCount(row.waiting_total)} waiting`}.
      </Text>
      <List size="sm" spacing={6} listStyleType="none">
        {row.holders.map((job) => (
          <List.Item key={`${job.node} ${job.dataset}`}>
            <State state="running" label="delivers" quiet /> <JobWords job={job} />
          </List.Item>
        ))}
        {row.waiting.map((job) => (
          <List.Item key={`${job.node} ${job.dataset}`}>
            <State state={stateOf("queued")} label="waits" quiet /> <JobWords job={job} />
          </List.Item>
        ))}
        {more > 0 && <List.Item>{formatCount(more)} more wait</List.Item>}
      </List>
    </Card>
  );
}

function JobWords({ job }: { job: Job }) {
  return (
    <>
      <Link href={to.node(job.node)}>{visible(job.node)}</Link>
      {job.dataset && `, its cascade of ${visible(job.dataset)}`}, since <Moment time={job.since} ago />
    </>
  );
}
