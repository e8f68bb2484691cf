/** Hours of a week or days of a month: one stop for Tab, walked with the arrow keys; each cell says in words what it is. */
import { VisuallyHidden } from "@mantine/core";
import { type KeyboardEvent, useEffect, useRef } from "react";
import { dayTitle, plusDays, WEEKDAYS } from "../policies/calendar";
import { daysOf, type Filling, keyOf, tellDay, tellHour, type Told, turned, type View } from "./hours";
import classes from "./schedules.module.css";

export interface Place {
  date: string;
  hour: number;
}

interface GridProps {
  label: string;
  view: View;
  filling: Filling;
  at: Place;
  today: string;
  onAt: (at: Place) => void;
}

const HOURS = Array.from({ length: 24 }, (_, hour) => hour);

export function Grid({ label, view, filling, at, today, onAt }: GridProps) {
  const box = useRef<HTMLTableElement>(null);
  const byKeys = useRef(false);
  useEffect(() => {
    if (byKeys.current) box.current?.querySelector<HTMLElement>('[tabindex="0"]')?.focus();
    byKeys.current = false;
  }, [at, view]);
  const onKeyDown = (event: KeyboardEvent) => {
    const to = stepped(view, at, event.key);
    if (!to) return;
    event.preventDefault();
    byKeys.current = true;
    onAt(to);
  };
  const days = daysOf(view, at.date);
  const cell = (place: Place, told: Told, title: string) => {
    const isAt = place.date === at.date && (view === "month" || place.hour === at.hour);
    return (
      <td key={view === "week" ? place.hour : place.date} role="gridcell">
        <button
          type="button"
          className={classes.cell}
          data-tone={told.tone}
          data-out={(view === "month" && place.date.slice(0, 7) !== at.date.slice(0, 7)) || undefined}
          data-today={place.date === today || undefined}
          aria-pressed={isAt}
          tabIndex={isAt ? 0 : -1}
          title={told.words}
          onClick={() => onAt(place)}
        >
          <VisuallyHidden>
            {title}: {told.words}
          </VisuallyHidden>
          <span aria-hidden>
            {view === "month" && <span className={classes.date}>{Number(place.date.slice(8))}</span>}
            {told.text}
          </span>
        </button>
      </td>
    );
  };
  return (
    <div className={classes.frame}>
      <table ref={box} role="grid" aria-label={label} className={classes.grid} data-view={view} onKeyDown={onKeyDown}>
        <thead>
          <tr>
            {view === "week" && <th aria-hidden />}
            {(view === "week" ? HOURS : WEEKDAYS).map((head) => (
              <th key={head} scope="col">
                {typeof head === "string" ? head.slice(0, 3) : head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {view === "week"
            ? days.map((date) => (
                <tr key={date}>
                  <th scope="row" aria-current={date === today ? "date" : undefined}>
                    {weekdayOf(date).slice(0, 3)} {Number(date.slice(8))}
                  </th>
                  {HOURS.map((hour) => cell({ date, hour }, tellHour(filling, keyOf(date, hour)), `${dayTitle(date)}, ${hour} o'clock`))}
                </tr>
              ))
            : weeksOf(days).map((week) => (
                <tr key={week[0]}>{week.map((date) => cell({ date, hour: at.hour }, tellDay(filling, date), dayTitle(date)))}</tr>
              ))}
        </tbody>
      </table>
    </div>
  );
}

const weekdayOf = (date: string): string => dayTitle(date).split(",")[0]!;
const weeksOf = (days: readonly string[]): string[][] => Array.from({ length: days.length / 7 }, (_, week) => days.slice(week * 7, week * 7 + 7));

/** Where a key leads; null for a key that leads nowhere. */
function stepped(view: View, at: Place, key: string): Place | null {
  const day = (days: number): Place => ({ ...at, date: plusDays(at.date, days) });
  const hour = (hours: number): Place => ({ ...at, hour: Math.min(23, Math.max(0, at.hour + hours)) });
  const isWeek = view === "week";
  switch (key) {
    case "ArrowLeft":
      return isWeek ? hour(-1) : day(-1);
    case "ArrowRight":
      return isWeek ? hour(1) : day(1);
    case "ArrowUp":
      return day(isWeek ? -1 : -7);
    case "ArrowDown":
      return day(isWeek ? 1 : 7);
    case "PageUp":
      return { ...at, date: turned(view, at.date, -1) };
    case "PageDown":
      return { ...at, date: turned(view, at.date, 1) };
    case "Home":
      return isWeek ? hour(-24) : { ...at, date: `${at.date.slice(0, 7)}-01` };
    case "End":
      return isWeek ? hour(24) : { ...at, date: plusDays(turned("month", at.date, 1), -1) };
    default:
      return null;
  }
}

