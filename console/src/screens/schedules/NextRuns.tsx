/** The calendar of the next runs of what is active. */
import { Anchor, Loader, Text } from "@mantine/core";
import { useMemo } from "react";
import { Link } from "wouter";
import { Card } from "../../parts/Card";
import { counted, formatCount, visible } from "../../parts/format";
import { Moment } from "../../parts/Moment";
import { Problem } from "../../parts/Problem";
import { listed } from "../policies/words";
import { Calendar } from "./Calendar";
import { clockIn, dayOf, hourOf, keyOf, type Run, runFilling } from "./hours";
import classes from "./schedules.module.css";
import { MOST_RUNS, useNextRuns, usePlace } from "./useCalendar";

const MOST_SHOWN = 100;
const LOCAL = clockIn();

export function NextRuns() {
  const place = usePlace();
  const { data, error, refetch } = useNextRuns(true);
  const runs = data?.runs ?? [];
  const isWhole = runs.length < MOST_RUNS;
  return (
    <Card title="Next runs">
      {error && <Problem error={error} onRetry={() => void refetch()} />}
      {!data && !error && <Loader size="sm" aria-label="Loading" />}
      {data && runs.length === 0 && (
        <Text size="sm">
          Nothing that is active runs by itself. Activate a{" "}
          <Anchor component={Link} href="/flows" underline="always">
            flow
          </Anchor>{" "}
          whose operations have an RPO or trigger times, and its runs stand here.
        </Text>
      )}
      {runs.length > 0 && <Filled runs={runs} isWhole={isWhole} place={place} />}
    </Card>
  );
}

function Filled({ runs, isWhole, place }: { runs: readonly Run[]; isWhole: boolean; place: ReturnType<typeof usePlace> }) {
  const filling = useMemo(() => runFilling(runs, isWhole, LOCAL), [runs, isWhole]);
  const { view, at } = place;
  const chosen = view === "week" ? hourOf(filling, keyOf(at.date, at.hour)) : dayOf(filling, at.date);
  return (
    <>
      <Text size="sm" mb="sm">
        {isWhole ? `${counted(runs.length, "run")} to come.` : `The next ${formatCount(runs.length)} runs are told.`} The first is <Moment time={runs[0]!.at} ago />, of{" "}
        {visible(runs[0]!.dataset)}
        {!isWhole && (
          <>
            ; they reach to <Moment time={runs.at(-1)!.at} />
          </>
        )}
        .
      </Text>
      <Calendar
        label="Next runs"
        zone="Local time"
        filling={filling}
        {...place}
        legend={
          <>
            <span className={classes.key} data-tone="some" aria-hidden>
              3
            </span>{" "}
            so many runs
            {!isWhole && (
              <>
                <span className={classes.key} data-tone="unknown" aria-hidden>
                  …
                </span>{" "}
                not told so far ahead
              </>
            )}
          </>
        }
      >
        <Chosen runs={chosen.runs} />
      </Calendar>
    </>
  );
}

function Chosen({ runs }: { runs: readonly Run[] }) {
  if (runs.length === 0) return <Text size="sm">No run to come that is told of.</Text>;
  return (
    <ul className={classes.runs} aria-label="Runs then" tabIndex={0}>
      {runs.slice(0, MOST_SHOWN).map((run) => (
        <li key={`${run.at} ${run.dataset}`}>
          <Moment time={run.at} />: {visible(run.dataset)} ({listed(run.operations.map(visible))})
        </li>
      ))}
      {runs.length > MOST_SHOWN && <li>and {formatCount(runs.length - MOST_SHOWN)} more</li>}
    </ul>
  );
}
