/** Whether everything can be read, when that was last proven, and looking now: at the structure, at a part, at every byte. */
import { Button, Group, Progress as Bar, Stack, Text } from "@mantine/core";
import { client, take } from "../../api/client";
import { Card } from "../../parts/Card";
import { formatBytes } from "../../parts/format";
import { Moment } from "../../parts/Moment";
import { State } from "../../parts/State";
import { proofOf, type Repository } from "./figures";
import classes from "./Repositories.module.css";
import { TaskState } from "./TaskState";
import { useTask } from "./useTask";
import { OnlyFor } from "../../parts/OnlyFor";

const PART = "10%";
const SCRUB_RATIO = 0.05;

export function CheckNow({ row }: { row: Repository }) {
  const task = useTask(row.name, "check");
  const proof = proofOf(row);
  const params = { path: { repository: row.name } };
  const check = (what: string, read_data: boolean, subset = "") =>
    void task.start(what, () => take(client.POST("/api/v1/repositories/{repository}/check", { params, body: { read_data, subset } })));
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
        <TaskState task={task} what="A check" />
        <OnlyFor activity="repositories.care">
          <Group gap="xs">
            <Button variant="default" disabled={task.isRunning} loading={task.busy === "structure"} onClick={() => check("structure", false)}>
              Check the structure
            </Button>
            <Button variant="default" disabled={task.isRunning} loading={task.busy === "part"} onClick={() => check("part", false, PART)}>
              Read a tenth
            </Button>
            <Button variant="default" disabled={task.isRunning} loading={task.busy === "data"} onClick={() => check("data", true)}>
              Read every byte
            </Button>
          </Group>
          <Text size="xs" c="dimmed">
            The structure takes little. Reading every byte reads {formatBytes(row.stored_bytes)}. None of them changes or repairs anything.
          </Text>
        </OnlyFor>
        <Scrub row={row} />
      </Stack>
    </Card>
  );
}

/** Its owner reads a part each day by itself; this says how far that is. */
function Scrub({ row }: { row: Repository }) {
  const task = useTask(row.name, "scrub");
  const percent = Math.round(100 * row.scrub_done_ratio);
  const params = { path: { repository: row.name } };
  const scrub = () =>
    void task.start("scrub", () => take(client.POST("/api/v1/repositories/{repository}/scrub", { params, body: { ratio: SCRUB_RATIO } })));
  return (
    <div className={classes.part}>
      <Text size="sm" fw={600}>
        Scrub: {row.scrubbed_at ? `${percent} % of this pass is read` : "not begun"}
      </Text>
      <Bar value={percent} aria-label="Read in this pass of the scrub" my={4} />
      <Text size="sm">
        Last <Moment time={row.scrubbed_at} ago />. Every byte last proven: <Moment time={row.proven_at} ago />.
      </Text>
      <TaskState task={task} what="A scrub" />
      <OnlyFor activity="repositories.care">
        <Button variant="default" size="xs" mt={6} disabled={task.isRunning} loading={task.busy !== ""} onClick={scrub}>
          Read the next part now
        </Button>
      </OnlyFor>
    </div>
  );
}
