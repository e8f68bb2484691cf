/** Damage put in order: the plan first, then the repair; and the catalog made anew. */
import { Button, Checkbox, Group, Stack, Text } from "@mantine/core";
import { useState } from "react";
import { client, take } from "../../api/client";
import { isOver } from "../../live/store";
import { Card } from "../../parts/Card";
import { ConfirmByName } from "../../parts/ConfirmByName";
import { formatBytes, visible } from "../../parts/format";
import { ReportSteps } from "../../parts/ReportSteps";
import { State } from "../../parts/State";
import type { Repository } from "./figures";
import classes from "./Repositories.module.css";
import { TaskState } from "./TaskState";
import { useTask } from "./useTask";

export function Repair({ row }: { row: Repository }) {
  const task = useTask(row.name, "repair");
  const [isForgetting, setForgetting] = useState(false);
  const [planned, setPlanned] = useState<boolean | null>(null);
  const [isAsking, setAsking] = useState(false);
  const params = { path: { repository: row.name } };
  const repair = (isDry: boolean) => {
    setAsking(false);
    setPlanned(isForgetting);
    const body = { forget_damaged: isForgetting, dry_run: isDry };
    void task.start(isDry ? "plan" : "repair", () => take(client.POST("/api/v1/repositories/{repository}/repair", { params, body })));
  };
  const report = task.job && isOver(task.job) ? task.job.report : null;
  const steps = report?.steps ?? [];
  const isPlan = report?.dry_run === true && steps.length > 0 && planned === isForgetting;
  return (
    <Card title="Repair">
      <Stack gap="sm">
        <Text size="sm">
          Reads every byte ({formatBytes(row.stored_bytes)}), keeps what is whole, and gets what is lost from other copies where there are some.
        </Text>
        <Checkbox
          label="Give up what is lost for ever"
          description="Points are written anew without those files, so that the rest is whole"
          checked={isForgetting}
          onChange={(event) => setForgetting(event.currentTarget.checked)}
        />
        <TaskState task={task} what="A repair" />
        {report && steps.length === 0 && task.job?.state === "succeeded" && (
          <Text size="sm" role="status">
            <State state="ok" label="nothing to repair" /> Every byte was read.
          </Text>
        )}
        {steps.length > 0 && <ReportSteps label={report?.dry_run ? "What a repair would do" : "What the repair did"} steps={steps} />}
        <Group gap="xs">
          <Button variant="default" disabled={task.isRunning} loading={task.busy === "plan"} onClick={() => repair(true)}>
            Look what would be repaired
          </Button>
          <Button color="red" disabled={!isPlan || task.isRunning} loading={task.busy === "repair"} onClick={() => (isForgetting ? setAsking(true) : repair(false))}>
            Repair
          </Button>
        </Group>
        <Rebuild row={row} />
      </Stack>
      {isAsking && (
        <ConfirmByName title="Give up what is lost?" name={row.name} action="Repair, and give it up" onConfirm={() => repair(false)} onClose={() => setAsking(false)}>
          The points that need what is lost in {visible(row.name)} lose those files for ever. All other files stay. The plan names what is concerned.
        </ConfirmByName>
      )}
    </Card>
  );
}

function Rebuild({ row }: { row: Repository }) {
  const task = useTask(row.name, "rebuild");
  const params = { path: { repository: row.name } };
  const rebuild = () => void task.start("rebuild", () => take(client.POST("/api/v1/repositories/{repository}/rebuild", { params })));
  return (
    <div className={classes.part}>
      <Text size="sm">The catalog is a cache of its owner. It can be made anew from the repository alone; points can be read meanwhile.</Text>
      <TaskState task={task} what="A rebuild" />
      <Button variant="default" size="xs" mt={6} disabled={task.isRunning} loading={task.busy !== ""} onClick={rebuild}>
        Make the catalog anew
      </Button>
    </div>
  );
}
