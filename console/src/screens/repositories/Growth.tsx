/** How a repository has grown, from what its points added. */
import { Text } from "@mantine/core";
import { Card } from "../../parts/Card";
import { formatBytes, formatTime } from "../../parts/format";
import { growthOf, type Point, stairs } from "./figures";
import classes from "./Repositories.module.css";

const WIDTH = 600;
const HEIGHT = 120;

export function Growth({ points }: { points: readonly Point[] }) {
  const growth = growthOf(points);
  const first = growth.steps[0];
  const last = growth.steps.at(-1);
  if (!first || !last) return null;
  const { line, area } = stairs(growth, WIDTH, HEIGHT);
  const isShort = last.at - first.at < 2 * 86_400_000;
  const day = (at: number) => formatTime(new Date(at).toISOString()).slice(0, isShort ? 16 : 10);
  const said = `From ${formatBytes(first.bytes)} on ${day(first.at)} to ${formatBytes(last.bytes)} on ${day(last.at)}, in ${points.length} points`;
  return (
    <Card title="Growth" actions={<Text size="sm">{formatBytes(last.bytes)} added in all</Text>}>
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
      <Text size="xs" c="dimmed" mt={6}>
        What the points that are there now added when they were stored. What expired points added is not in it.
      </Text>
    </Card>
  );
}
