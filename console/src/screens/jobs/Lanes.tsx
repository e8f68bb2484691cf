/** What goes to each receiver of a running job. */
import { Group, Progress as Bar, Text } from "@mantine/core";
import { type Progress, useLive } from "../../live/store";
import { formatBytes, formatRate, sentence, visible } from "../../parts/format";
import { percentOf } from "../../parts/progress";
import { State } from "../../parts/State";
import classes from "./Jobs.module.css";

export function Lanes({ job, told }: { job: string; told: Progress | null }) {
  const progress = useLive((live) => live.progress.get(job) ?? null) ?? told;
  const lanes = progress?.lanes ?? [];
  if (lanes.length === 0) return null;
  return (
    <ul className={classes.lanes} aria-label="What goes to each receiver">
      {lanes.map((lane) => {
        const percent = percentOf(lane);
        const where = lane.action ? `${lane.receiver}: ${lane.action}` : lane.receiver;
        return (
          <li key={lane.delivery + lane.dataset}>
            <Group justify="space-between" gap="xs">
              <Text size="sm" fw={600}>
                {visible(where)}
              </Text>
              <State state={lane.waiting ? "off" : "running"} label={lane.waiting ? "waiting" : "sending"} quiet />
            </Group>
            <Bar value={percent ?? 0} aria-label={`Sent to ${lane.receiver}`} />
            <Text size="xs" c="dimmed">
              {formatBytes(lane.done_bytes)}
              {lane.total_bytes > 0 && ` of ${formatBytes(lane.total_bytes)}`}
              {lane.rate_bytes_s > 0 && `, ${formatRate(lane.rate_bytes_s)}`}
            </Text>
            {lane.bottleneck && (
              <Text size="xs" c="dimmed">
                {sentence(visible(lane.bottleneck.message))}
              </Text>
            )}
          </li>
        );
      })}
    </ul>
  );
}
