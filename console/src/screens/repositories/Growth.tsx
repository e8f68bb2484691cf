/** How much a repository stored over time: what the Master has on record; while that is young, what its points added. */
import { Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { client, take } from "../../api/client";
import { keys } from "../../api/queries";
import { Card } from "../../parts/Card";
import { formatBytes, formatTime } from "../../parts/format";
import { growthOf, grownIn, type Point, recordedGrowth, stairs, type Growth as Steps } from "./figures";
import classes from "./Repositories.module.css";

const WIDTH = 600;
const HEIGHT = 120;
const DAY_MS = 86_400_000;

export function Growth({ name, points }: { name: string; points: readonly Point[] }) {
  const found = useQuery({
    queryKey: [...keys.repositories, "growth", name],
    queryFn: ({ signal }) => take(client.GET("/api/v1/repositories/{repository}/growth", { params: { path: { repository: name } }, signal })),
  });
  const recorded = found.data ? recordedGrowth(found.data) : { steps: [] };
  const first = recorded.steps[0];
  const last = recorded.steps.at(-1);
  const isRecorded = first !== undefined && last !== undefined && last.at - first.at >= DAY_MS;
  const growth = isRecorded ? recorded : growthOf(points);
  if (growth.steps.length === 0) return null;
  const month = isRecorded ? grownIn(recorded, 30 * DAY_MS) : null;
  return (
    <Card title="Growth" actions={month !== null && <Text size="sm">{month < 0 ? `${formatBytes(-month)} less` : `${formatBytes(month)} more`} in 30 days</Text>}>
      <Chart growth={growth} what={isRecorded ? "stored" : "added"} />
      <Text size="xs" c="dimmed" mt={6}>
        {isRecorded
          ? "What its packs took, as its owner told it. Where the line is straight, nothing changed or the owner was away."
          : "What the points that are there now added when they were stored. After a day on record, what is stored is shown instead."}
      </Text>
    </Card>
  );
}

function Chart({ growth, what }: { growth: Steps; what: string }) {
  const first = growth.steps[0]!;
  const last = growth.steps.at(-1)!;
  const { line, area } = stairs(growth, WIDTH, HEIGHT);
  const isShort = last.at - first.at < 2 * DAY_MS;
  const day = (at: number) => formatTime(new Date(at).toISOString()).slice(0, isShort ? 16 : 10);
  const said = `From ${formatBytes(first.bytes)} ${what} on ${day(first.at)} to ${formatBytes(last.bytes)} on ${day(last.at)}`;
  return (
    <>
      <svg role="img" aria-label={said} viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" className={classes.chart}>
        <title>{said}</title>
        <path d={area} className={classes.area} />
        <path d={line} className={classes.curve} />
        <line x1={0} y1={HEIGHT} x2={WIDTH} y2={HEIGHT} className={classes.base} />
      </svg>
      <div className={classes.axis}>
        <span>
          {day(first.at)}: {formatBytes(first.bytes)}
        </span>
        <span>
          {day(last.at)}: {formatBytes(last.bytes)}
        </span>
      </div>
    </>
  );
}
