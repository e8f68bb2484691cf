/** How a task is getting on, and how it ended where that is not well. */
import { Text } from "@mantine/core";
import { Link } from "wouter";
import { to } from "../../app/places";
import { isOver } from "../../live/store";
import { sentence, visible } from "../../parts/format";
import { JobProgress } from "../../parts/JobProgress";
import { State, stateOf } from "../../parts/State";
import type { Task } from "./useTask";

/** `what`: like `A check`. */
export function TaskState({ task, what }: { task: Task; what: string }) {
  const { job } = task;
  if (!job) return null;
  if (!isOver(job))
    return (
      <div aria-live="polite">
        <Text size="sm" fw={600}>
          <Link href={to.job(job.id)}>{what}</Link> is on its way
        </Text>
        <JobProgress job={job.id} />
      </div>
    );
  if (job.state === "succeeded") return null;
  return (
    <div role="alert">
      <Text size="sm">
        {what} ended as <State state={stateOf(job.state)} label={job.state} quiet />: <Link href={to.job(job.id)}>see why</Link>
      </Text>
      {job.error && (
        <Text size="sm">
          {sentence(visible(job.error.message))} {sentence(visible(job.error.hint ?? ""))}
        </Text>
      )}
    </div>
  );
}
