/** The last days of a dataset as a strip: each state has its own shape, so that it can be read without colours. */
import { Text } from "@mantine/core";
import classes from "./DayStrip.module.css";
import { type Day, DAY_STATES, DAY_WORDS, type DayState, dayText, stripText } from "./strip";

const WIDTH = 8;
const GAP = 2;
const HEIGHT = 24;

export function DayStrip({ days }: { days: readonly Day[] }) {
  if (days.length === 0)
    return (
      <Text size="xs" c="dimmed">
        No days on record yet
      </Text>
    );
  return (
    <svg role="img" aria-label={stripText(days)} width={days.length * (WIDTH + GAP)} height={HEIGHT} className={classes.strip}>
      {days.map((day, index) => (
        <g key={day.date} transform={`translate(${index * (WIDTH + GAP)} 0)`}>
          <title>{dayText(day)}</title>
          <rect width={WIDTH + GAP} height={HEIGHT} className={classes.touch} />
          <Sign state={day.state} />
        </g>
      ))}
    </svg>
  );
}

/** Full bar; bar with a point; bar with a cross; half bar; empty frame; dot. */
function Sign({ state }: { state: DayState }) {
  switch (state) {
    case "ok":
      return <rect width={WIDTH} height={HEIGHT} rx={2} className={classes.ok} />;
    case "warning":
      return <path d="M4 0 L8 8 V22 a2 2 0 0 1 -2 2 H2 a2 2 0 0 1 -2 -2 V8 Z" className={classes.warning} />;
    case "failed":
      return (
        <>
          <rect width={WIDTH} height={HEIGHT} rx={2} className={classes.failed} />
          <path d="M2 8.5 L6 15.5 M6 8.5 L2 15.5" className={classes.cross} />
        </>
      );
    case "overdue":
      return (
        <>
          <rect x={0.75} y={0.75} width={WIDTH - 1.5} height={HEIGHT - 1.5} rx={2} className={classes.overdueFrame} />
          <rect y={HEIGHT / 2} width={WIDTH} height={HEIGHT / 2} rx={2} className={classes.overdue} />
        </>
      );
    case "gap":
      return <rect x={0.75} y={0.75} width={WIDTH - 1.5} height={HEIGHT - 1.5} rx={2} className={classes.gap} />;
    case "none":
      return <circle cx={WIDTH / 2} cy={HEIGHT - 4} r={2} className={classes.none} />;
  }
}

/** What the signs mean. */
export function StripLegend() {
  return (
    <ul className={classes.legend} aria-label="What the days of the strip mean">
      {DAY_STATES.map((state) => (
        <li key={state}>
          <svg width={WIDTH} height={HEIGHT} aria-hidden>
            <Sign state={state} />
          </svg>
          {DAY_WORDS[state]}
        </li>
      ))}
    </ul>
  );
}
