/** Have what an ended run or cascade was about run again. */
import { Button } from "@mantine/core";
import { IconRefresh } from "@tabler/icons-react";
import { useLocation } from "wouter";
import { client, take } from "../../api/client";
import { to } from "../../app/places";
import { isOver, type Job } from "../../live/store";
import { useBusy } from "../../parts/acting";
import { sayDone } from "../../parts/notices";

const KINDS = ["run", "catch-up", "cascade"];

export function RetryJob({ job }: { job: Job }) {
  const { busy, attempt } = useBusy();
  const [, go] = useLocation();
  if (!isOver(job) || job.state === "succeeded" || !KINDS.includes(job.kind)) return null;
  const retry = () =>
    attempt(async () => {
      const { jobs } = await take(client.POST("/api/v1/jobs/{job}/retry", { params: { path: { job: job.id } } }));
      sayDone("It is tried again", "This is the page of the new job.");
      if (jobs[0]) go(to.job(jobs[0].id));
    });
  return (
    <Button variant="default" leftSection={<IconRefresh size={16} aria-hidden />} loading={busy} onClick={() => void retry()}>
      Try again
    </Button>
  );
}
