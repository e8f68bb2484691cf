/** Parts of what is stored, restored on trial: how that stands for each dataset here, and trying one now. */
import { Button, Select, Stack, Text } from "@mantine/core";
import { useState } from "react";
import { client, take } from "../../api/client";
import { useLive } from "../../live/store";
import { Card } from "../../parts/Card";
import { drillWord, worstFirst } from "../../parts/drills";
import { counted, formatBytes, sentence, visible } from "../../parts/format";
import { Moment } from "../../parts/Moment";
import { State } from "../../parts/State";
import type { Point, Repository } from "./figures";
import classes from "./Repositories.module.css";
import { TaskState } from "./TaskState";
import { useTask } from "./useTask";
import { OnlyFor } from "../../parts/OnlyFor";

export function Drills({ row, points }: { row: Repository; points: readonly Point[] }) {
  const task = useTask(row.name, "drill");
  const datasets = [...new Set([...row.drills.map((each) => each.dataset), ...points.filter((each) => !each.foreign).map((each) => each.dataset)])].sort();
  const [chosen, setChosen] = useState<string | null>(null);
  const dataset = chosen ?? datasets[0] ?? "";
  const [on, setOn] = useState("");
  const nodes = useLive((live) => live.nodes);
  const begin = () => {
    const params = { path: { repository: row.name } };
    void task.start("drill", () => take(client.POST("/api/v1/repositories/{repository}/drill", { params, body: { dataset, sample: "", point: "", on } })));
  };
  return (
    <Card title="Restored on trial">
      <Stack gap="sm">
        {row.drills.length === 0 && (
          <Text size="sm">
            Nothing of it is restored on trial by itself. A policy with <code>drill</code> has files of it restored, compared and shown to a script of yours, as often as it
            says.
          </Text>
        )}
        {worstFirst(row.drills).map((drill) => {
          const { state, word } = drillWord(drill);
          return (
            <div key={drill.dataset_id} className={classes.part}>
              <State state={state} label={word} /> <b>{visible(drill.dataset)}</b>, <Moment time={drill.proven_at} ago never="never proven" />
              {drill.last?.problem && <Text size="sm">{sentence(visible(drill.last.problem))}</Text>}
              {drill.last && !drill.last.problem && (
                <Text size="sm" c="dimmed">
                  {counted(drill.last.files, "file")}, {formatBytes(drill.last.size_bytes)}, of the point of <Moment time={drill.last.point_at} />
                  {drill.last.on && `, on ${visible(drill.last.on)}`}.{" "}
                  {drill.last.note && sentence(visible(drill.last.note))}
                </Text>
              )}
              {drill.due_at && (
                <Text size="sm" c="dimmed">
                  To be proven again by <Moment time={drill.due_at} />.
                </Text>
              )}
            </div>
          );
        })}
        <TaskState task={task} what="A drill" />
        {datasets.length > 1 && <Select size="xs" aria-label="Dataset to try" data={datasets} value={dataset} onChange={setChosen} allowDeselect={false} />}
        {datasets.length > 0 && (
          <Select
            size="xs"
            label="On the machine"
            data={[{ value: "", label: "as the policy says" }, ...nodes.map((node) => node.name)]}
            value={on}
            onChange={(node) => setOn(node ?? "")}
            allowDeselect={false}
          />
        )}
        {datasets.length > 0 && (
          <OnlyFor activity="repositories.care">
            <Button variant="default" size="xs" disabled={task.isRunning} loading={task.busy !== ""} onClick={begin}>
              Restore a sample of {visible(dataset)} on trial now
            </Button>
          </OnlyFor>
        )}
      </Stack>
    </Card>
  );
}
