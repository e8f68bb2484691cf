/** The days themselves: one stop for Tab, walked with the arrow keys or the mouse; a day says its date, its count and its shape. */
import { VisuallyHidden } from "@mantine/core";
import { type KeyboardEvent, memo, useEffect, useRef } from "react";
import { counted } from "../../parts/format";
import { type Calendar, type Day, dayTitle, moved, WEEKDAYS } from "./calendar";
import classes from "./KeepCalendar.module.css";

interface CalendarGridProps {
  label: string;
  calendar: Calendar;
  /** The day that is told of. */
  date: string;
  onDate: (date: string) => void;
}

const STEPS: Record<string, number> = { ArrowLeft: -7, ArrowRight: 7, ArrowUp: -1, ArrowDown: 1, PageUp: -28, PageDown: 28, Home: -1_000, End: 1_000 };

export function CalendarGrid({ label, calendar, date, onDate }: CalendarGridProps) {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    // Where it does not fit, today is what one wants to see first.
    box.current?.scrollTo({ left: box.current.scrollWidth });
  }, []);
  const onKeyDown = (event: KeyboardEvent) => {
    const days = STEPS[event.key];
    if (days === undefined) return;
    event.preventDefault();
    const to = moved(calendar, date, days);
    onDate(to);
    box.current?.querySelector<HTMLElement>(`[data-date="${to}"]`)?.focus();
  };
  const tracks = { gridTemplateColumns: `auto repeat(${calendar.weeks}, minmax(12px, 1fr))` };
  return (
    <div ref={box} className={classes.scroll}>
      <div
        role="grid"
        aria-label={label}
        className={classes.grid}
        style={tracks}
        onKeyDown={onKeyDown}
        onMouseOver={(event) => {
          const over = event.target instanceof HTMLElement ? event.target.dataset.date : undefined;
          if (over !== undefined) onDate(over);
        }}
      >
        <div className={classes.months} aria-hidden>
          {calendar.months.map(({ week, title }) => (
            <span key={title} style={{ gridColumn: week + 2, gridRow: 1 }}>
              {title}
            </span>
          ))}
        </div>
        {calendar.rows.map((row, index) => (
          <div key={index} role="row" className={classes.row}>
            <span role="rowheader" className={classes.weekday} style={{ gridRow: index + 2, gridColumn: 1 }}>
              {index % 2 === 0 ? WEEKDAYS[index]!.slice(0, 3) : <VisuallyHidden>{WEEKDAYS[index]}</VisuallyHidden>}
            </span>
            {row.map((day, week) =>
              day ? (
                <Cell key={day.date} day={day} row={index + 2} column={week + 2} isCurrent={day.date === date} onDate={onDate} />
              ) : (
                <span key={week} role="gridcell" style={{ gridRow: index + 2, gridColumn: week + 2 }} />
              ),
            )}
          </div>
        ))}
      </div>
    </div>
  );
}

interface CellProps {
  day: Day;
  row: number;
  column: number;
  isCurrent: boolean;
  onDate: (date: string) => void;
}

const Cell = memo(function Cell({ day, row, column, isCurrent, onDate }: CellProps) {
  const count = day.points.length;
  return (
    <span
      role="gridcell"
      className={classes.cell}
      style={{ gridRow: row, gridColumn: column }}
      data-date={day.date}
      data-level={Math.min(count, 2)}
      data-current={isCurrent || undefined}
      tabIndex={isCurrent ? 0 : -1}
      aria-label={`${dayTitle(day.date)}: ${count === 0 ? "no point" : counted(count, "point")}`}
      onFocus={() => onDate(day.date)}
    >
      {count > 1 ? count : ""}
    </span>
  );
});
