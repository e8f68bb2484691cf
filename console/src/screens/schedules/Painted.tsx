/** When runs may start by a schedule as it stands in the form, and when they do; in the schedule's own zone. */
import { Loader, Text } from "@mantine/core";
import { useMemo } from "react";
import type { Value } from "../../draft/edits";
import { sentence } from "../../parts/format";
import { Problem } from "../../parts/Problem";
import { knownZone } from "../policies/calendar";
import { textOf } from "../policies/policy";
import { listed } from "../policies/words";
import { Calendar } from "./Calendar";
import { clockIn, dayOf, paintFilling, spansOn } from "./hours";
import classes from "./schedules.module.css";
import { usePainted, usePlace } from "./useCalendar";

const MOST_SPANS = 12;

export function Painted({ name, fields }: { name: string; fields: { [key: string]: Value } }) {
  const zone = knownZone(textOf(fields.zone) || "UTC");
  const place = usePlace(zone);
  const { data, error, refetch, isPlaceholderData } = usePainted(fields, place.view, place.at.date);
  const clock = useMemo(() => clockIn(zone), [zone]);
  const filling = useMemo(() => paintFilling(data?.open ?? [], data?.triggers ?? [], clock), [data, clock]);
  if (error) return <Problem error={error} onRetry={() => void refetch()} />;
  if (!data) return <Loader size="sm" aria-label="Loading" />;
  if (!data.valid)
    return (
      <Text size="sm" c="dimmed">
        The calendar comes back when the schedule can be read. {data.diagnostics.map((each) => sentence(each.message)).join(" ")}
      </Text>
    );
  const spans = spansOn(data.open, place.at.date, clock);
  const { starts } = dayOf(filling, place.at.date);
  return (
    <Calendar
      label={`When ${name} lets runs start`}
      zone={`By the clocks of ${zone}`}
      filling={filling}
      {...place}
      stale={isPlaceholderData}
      legend={
        <>
          <span className={classes.key} data-tone="open" aria-hidden /> a run that is due may start
          <span className={classes.key} aria-hidden>
            ×
          </span>{" "}
          it may not
          <span className={classes.key} aria-hidden>
            ●
          </span>{" "}
          a trigger time
        </>
      }
    >
      <Text size="sm">
        {spans.length === 0 ? "Closed all day." : `Open from ${listed(spans.slice(0, MOST_SPANS))}${spans.length > MOST_SPANS ? " and more" : ""}.`}
        {starts.length > 0 && ` Starts at ${listed(starts)}.`}
      </Text>
    </Calendar>
  );
}
