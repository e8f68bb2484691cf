/** Cancel a job that runs; have one that is over again. */
import { Button, Group, Modal, Stack, Text } from "@mantine/core";
import { IconPlayerPlay, IconPlayerStop } from "@tabler/icons-react";
import { useState } from "react";
import { Link } from "wouter";
import { client, take } from "../../api/client";
import { runNow } from "../../api/trigger";
import { to } from "../../app/places";
import { type Job, useLive } from "../../live/store";
import { useBusy } from "../../parts/acting";
import { visible } from "../../parts/format";
import { sayDone } from "../../parts/notices";
import { againOf, CANCELLED } from "./jobs";

export function CancelJob({ job }: { job: Job }) {
  const [isAsking, setAsking] = useState(false);
  const { busy, attempt } = useBusy();
  const cancel = () =>
    attempt(async () => {
      await take(client.POST("/api/v1/jobs/{job}/cancel", { params: { path: { job: job.id } } }));
      sayDone("The job is being cancelled");
      setAsking(false);
    });
  return (
    <>
      <Button variant="default" leftSection={<IconPlayerStop size={16} aria-hidden />} onClick={() => setAsking(true)}>
        Cancel the job
      </Button>
      <Modal opened={isAsking} onClose={() => setAsking(false)} title="Cancel the job?">
        <Stack>
          <Text size="sm">
            {CANCELLED[job.kind] ??
              "A receiver that has not got all of it makes no point of this run. What was sent is not sent again, and the next run begins on time."}
          </Text>
          <Group justify="flex-end">
            <Button variant="default" onClick={() => setAsking(false)}>
              Let it go on
            </Button>
            <Button color="red" loading={busy} onClick={() => void cancel()}>
              Cancel the job
            </Button>
          </Group>
        </Stack>
      </Modal>
    </>
  );
}

export function RunAgain({ job }: { job: Job }) {
  const flows = useLive((live) => live.flows);
  const again = againOf(job, flows, { restore: to.restore(), archive: to.archive(), repository: to.repository });
  const { busy, attempt } = useBusy();
  const [isAsking, setAsking] = useState(false);
  if (!again) return null;
  if (again.kind === "go")
    return (
      <Button component={Link} href={again.href} variant="default">
        {again.label}
      </Button>
    );
  const vanished = job.error?.code === "source-vanished" || job.tasks.some((task) => task.error?.code === "source-vanished");
  const run = (accept: boolean) =>
    attempt(async () => {
      await runNow(again.flow, { policy: again.policy, accept });
      sayDone(`${visible(again.policy)} runs again`, "Its progress is in the bar below.");
      setAsking(false);
    });
  return (
    <>
      <Button
        variant="default"
        leftSection={<IconPlayerPlay size={16} aria-hidden />}
        loading={busy && !isAsking}
        onClick={() => (vanished ? setAsking(true) : void run(false))}
        title={`Runs policy ${visible(again.policy)} of flow ${visible(again.flow)}`}
      >
        Run again
      </Button>
      <Modal opened={isAsking} onClose={() => setAsking(false)} title="Has it really gone?">
        <Stack>
          <Text size="sm">
            The source lost much, was replaced, or is not there. If that is so by mistake, mend it first and run again. If it is meant so, run once and take it as it
            is: mirrors will lose the files too; points made before keep them.
          </Text>
          <Group justify="flex-end">
            <Button variant="default" loading={busy} onClick={() => void run(false)}>
              It is mended, run again
            </Button>
            <Button color="red" loading={busy} onClick={() => void run(true)}>
              Take it as it is
            </Button>
          </Group>
        </Stack>
      </Modal>
    </>
  );
}
