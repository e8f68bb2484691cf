/** Giving back space: first what would go, in numbers, then the prune itself. */
import { Alert, Button, Checkbox, Group, Select, Stack, Text } from "@mantine/core";
import { useState } from "react";
import { client, take } from "../../api/client";
import { Card } from "../../parts/Card";
import { formatBytes } from "../../parts/format";
import { ReportSteps } from "../../parts/ReportSteps";
import { isOver } from "../../live/store";
import { pruneSums, pruneWords, type Repository } from "./figures";
import { TaskState } from "./TaskState";
import { useTask } from "./useTask";

const GRACE_S = 82_800;
const UNUSED = [
  { value: "0", label: "none: copy all of it together" },
  { value: "0.05", label: "up to 5 % (usual)" },
  { value: "0.2", label: "up to 20 %: copy less" },
];

export function Space({ row }: { row: Repository }) {
  const task = useTask(row.name, "prune");
  const [unused, setUnused] = useState("0.05");
  const [isInstant, setInstant] = useState(false);
  const [asked, setAsked] = useState("");
  const wish = `${unused}/${isInstant}`;
  const prune = (isDry: boolean) => {
    setAsked(wish);
    const body = { max_unused: Number(unused), max_repack_bytes: null, grace_s: isInstant ? 0 : GRACE_S, dry_run: isDry };
    const params = { path: { repository: row.name } };
    void task.start(isDry ? "plan" : "prune", () => take(client.POST("/api/v1/repositories/{repository}/prune", { params, body })));
  };
  const report = task.job && isOver(task.job) ? task.job.report : null;
  const isPlan = report?.dry_run === true && task.job?.state === "succeeded" && asked === wish;
  return (
    <Card title="Give back space">
      <Stack gap="sm">
        <Text size="sm">
          What expired or forgotten points alone needed stays in the packs until a prune takes it out. Deliveries and restores go on meanwhile.
        </Text>
        <Group align="flex-end" gap="sm">
          <Select label="Needless data that may stay" data={UNUSED} value={unused} allowDeselect={false} onChange={(value) => setUnused(value ?? "0.05")} />
          <Checkbox
            label="Delete at once"
            description="Without the 23 hours in which another program may still read them"
            checked={isInstant}
            onChange={(event) => setInstant(event.currentTarget.checked)}
          />
        </Group>
        <TaskState task={task} what="A prune" />
        {report && task.job?.state === "succeeded" && <Outcome row={row} report={report} isInstant={isInstant} />}
        <Group gap="xs">
          <Button variant="default" disabled={task.isRunning} loading={task.busy === "plan"} onClick={() => prune(true)}>
            Look what would go
          </Button>
          <Button color="red" disabled={!isPlan || task.isRunning} loading={task.busy === "prune"} onClick={() => prune(false)}>
            Prune now
          </Button>
        </Group>
      </Stack>
    </Card>
  );
}

function Outcome({ row, report, isInstant }: { row: Repository; report: { steps: readonly PruneStep[]; dry_run: boolean }; isInstant: boolean }) {
  const isDry = report.dry_run;
  return (
    <>
      <Alert variant="light" color="blue" title={isDry ? "Nothing is changed yet" : "Pruned"} role="status">
        {isDry && `It stores ${formatBytes(row.stored_bytes)} now. `}
        {pruneWords(pruneSums(report.steps), isDry, isInstant)}
      </Alert>
      <ReportSteps label={isDry ? "What a prune would do" : "What the prune did"} steps={report.steps} />
    </>
  );
}

type PruneStep = Parameters<typeof pruneSums>[0][number];
