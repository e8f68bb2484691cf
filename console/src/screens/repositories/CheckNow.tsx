/** Check a repository now, its structure or every byte, and see how the check goes. */
import { Button, Group, Stack, Text } from "@mantine/core";
import { useState } from "react";
import { Link } from "wouter";
import { client, take } from "../../api/client";
import { to } from "../../app/places";
import { isOver, type Job, useLive } from "../../live/store";
import { Card } from "../../parts/Card";
import { formatBytes } from "../../parts/format";
import { JobProgress } from "../../parts/JobProgress";
import { Moment } from "../../parts/Moment";
import { sayFailed } from "../../parts/notices";
import { State, stateOf } from "../../parts/State";
import { proofOf, type Repository } from "./figures";

export function CheckNow({ row }: { row: Repository }) {
  const [trigger, setTrigger] = useState("");
  const [busy, setBusy] = useState<"" | "structure" | "data">("");
  const job = useLive((live) => checkOf([...live.jobs.values()], row, trigger));
  const proof = proofOf(row);
  const isRunning = job !== null && !isOver(job);
  const check = async (readData: boolean) => {
    setBusy(readData ? "data" : "structure");
    try {
      const params = { path: { repository: row.name } };
      const started = await take(client.POST("/api/v1/repositories/{repository}/check", { params, body: { read_data: readData } }));
      setTrigger(started.trigger);
    } catch (error) {
      sayFailed(error);
    } finally {
      setBusy("");
    }
  };
  return (
    <Card title="Last proven restorable">
      <Stack gap="sm">
        <Group gap="sm">
          <State state={proof.state} label={proof.word} />
          {proof.at && (
            <Text size="sm">
              <Moment time={proof.at} ago />
            </Text>
          )}
        </Group>
        <Text size="sm">{proof.text}</Text>
        {isRunning && (
          <div aria-live="polite">
            <Text size="sm" fw={600}>
              <Link href={to.job(job.id)}>A check</Link> is on its way
            </Text>
            <JobProgress job={job.id} />
          </div>
        )}
        {job && isOver(job) && job.state !== "succeeded" && (
          <Text size="sm">
            The check ended as <State state={stateOf(job.state)} label={job.state} quiet />: <Link href={to.job(job.id)}>see why</Link>
          </Text>
        )}
        <Group gap="xs">
          <Button variant="default" disabled={isRunning} loading={busy === "structure"} onClick={() => void check(false)}>
            Check the structure
          </Button>
          <Button variant="default" disabled={isRunning} loading={busy === "data"} onClick={() => void check(true)}>
            Read every byte
          </Button>
        </Group>
        <Text size="xs" c="dimmed">
          The structure takes little. Reading every byte reads {formatBytes(row.stored_bytes)}. Neither changes or repairs anything.
        </Text>
      </Stack>
    </Card>
  );
}

/** The check that was begun here, else one that runs. */
function checkOf(jobs: readonly Job[], row: Repository, trigger: string): Job | null {
  const checks = jobs.filter((job) => job.kind === "check" && job.rule === row.name);
  return checks.find((job) => trigger !== "" && job.trigger === trigger) ?? checks.find((job) => !isOver(job)) ?? null;
}
