/** What keep rules would have left of the last 13 months: counts in a sentence, days as a grid, and all of it as a list. */
import { Text } from "@mantine/core";
import { useMemo, useState } from "react";
import type { Schemas } from "../../api/client";
import type { Value } from "../../draft/edits";
import { counted, formatCount } from "../../parts/format";
import { Moment } from "../../parts/Moment";
import { Problem } from "../../parts/Problem";
import { type Calendar, calendarOf, type Day, dayTitle, timeIn } from "./calendar";
import { CalendarGrid } from "./CalendarGrid";
import classes from "./KeepCalendar.module.css";
import type { Times } from "./rhythm";
import { SPAN_DAYS, useKeepPreview } from "./useKeepPreview";

interface KeepCalendarProps {
  name: string;
  keep: { [key: string]: Value };
  times: Times;
}

export function KeepCalendar({ name, keep, times }: KeepCalendarProps) {
  const preview = useKeepPreview(keep, times);
  if (preview.error) return <Problem error={preview.error} onRetry={() => void preview.refetch()} />;
  if (!preview.data) return <Text size="sm">Reckoning which points would stay …</Text>;
  if (!preview.data.valid)
    return (
      <Text size="sm" c="dimmed">
        The calendar comes back when the rules can be read: {preview.data.diagnostics.map((each) => each.message).join("; ")}.
      </Text>
    );
  return (
    <div className={classes.whole} aria-busy={preview.isPlaceholderData} data-stale={preview.isPlaceholderData || undefined}>
      <Sentence preview={preview.data} note={times.note} />
      <Days key={times.zone} name={name} preview={preview.data} zone={times.zone} />
    </div>
  );
}

function Sentence({ preview, note }: { preview: Schemas["KeepPreviewView"]; note: string }) {
  const oldest = preview.kept.at(-1);
  return (
    <div>
      <Text size="sm" role="status">
        Of {counted(preview.taken_total, "point")} taken in {preview.truncated ? "that time" : `${SPAN_DAYS} days`},{" "}
        <b>{formatCount(preview.kept_total)} would be there now</b>
        {oldest && preview.kept_total <= preview.kept.length && (
          <>
            ; the oldest from <Moment time={oldest.time} />
          </>
        )}
        .
      </Text>
      <Text size="xs" c="dimmed">
        Reckoned as if this had run by its schedule all the time. {note}
        {preview.truncated && ` Only the newest ${formatCount(preview.taken_total)} points were reckoned with.`}
        {preview.kept_total > preview.kept.length && ` The newest ${formatCount(preview.kept.length)} are shown.`}
      </Text>
    </div>
  );
}

function Days({ name, preview, zone }: { name: string; preview: Schemas["KeepPreviewView"]; zone: string }) {
  const calendar = useMemo(() => calendarOf(preview.kept, preview.to, zone), [preview, zone]);
  const [date, setDate] = useState(calendar.last);
  const day = calendar.rows.flat().find((each) => each?.date === date) ?? { date, points: [] };
  return (
    <>
      <CalendarGrid label={`Days of which ${name} would have points`} calendar={calendar} date={date} onDate={setDate} />
      <div className={classes.legend}>
        <span className={classes.key} data-level={0} aria-hidden /> no point
        <span className={classes.key} data-level={1} aria-hidden /> one
        <span className={classes.key} data-level={2} aria-hidden>
          9
        </span>{" "}
        several, how many
      </div>
      <Text size="sm" className={classes.day} aria-live="polite">
        <b>{dayTitle(day.date)}</b> ({zone}): {pointsText(day, zone)}
      </Text>
      <List calendar={calendar} zone={zone} />
    </>
  );
}

const MOST_TIMES = 8;

/** `3 points: 16:00 (daily, monthly), 15:00 (hourly) and 1 more`. */
function pointsText(day: Day, zone: string, most = MOST_TIMES): string {
  if (day.points.length === 0) return "no point.";
  const clock = timeIn(zone);
  const shown = day.points.slice(0, most).map((point) => `${clock(point.time)} (${point.reasons.join(", ")})`);
  const more = day.points.length > most ? ` and ${day.points.length - most} more` : "";
  return `${counted(day.points.length, "point")}: ${shown.join(", ")}${more}.`;
}

/** The same without looking at a grid; made when it is opened, since it may be long. */
function List({ calendar, zone }: { calendar: Calendar; zone: string }) {
  const [isOpen, setOpen] = useState(false);
  const days = isOpen ? calendar.rows.flat().filter((day): day is Day => day !== null && day.points.length > 0) : [];
  days.sort((a, b) => b.date.localeCompare(a.date));
  return (
    <details className={classes.list} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>The same as a list</summary>
      <ul tabIndex={0} aria-label="Days with points">
        {days.map((day) => (
          <li key={day.date}>
            {dayTitle(day.date)}: {pointsText(day, zone, 48)}
          </li>
        ))}
      </ul>
    </details>
  );
}
