/** Seven days of 24 hours, painted with the mouse or the keyboard. */
import { type KeyboardEvent, useRef, useState } from "react";
import { bytesOf, DAYS, HOURS, painted, type Rate, type Week } from "./week";
import classes from "./week.module.css";

type Cell = readonly [number, number];

const NAMES = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const STEPS: Record<string, Cell> = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

/** `rate` is what is painted. */
export function WeekTable({ week, rate, onChange }: { week: Week; rate: Rate; onChange: (week: Week) => void }) {
  const [at, setAt] = useState<Cell>([0, 0]);
  const drawn = useRef<{ from: Cell; before: Week } | null>(null);
  const cells = useRef(new Map<string, HTMLButtonElement>());

  const paint = (to: Cell) => {
    if (drawn.current) onChange(painted(drawn.current.before, drawn.current.from, to, rate));
  };
  const go = (event: KeyboardEvent) => {
    const step = STEPS[event.key];
    if (!step) return;
    event.preventDefault();
    const next: Cell = [Math.min(Math.max(at[0] + step[0], 0), DAYS.length - 1), Math.min(Math.max(at[1] + step[1], 0), HOURS - 1)];
    // With Shift the way is painted, too.
    if (event.shiftKey) onChange(painted(week, at, next, rate));
    setAt(next);
    cells.current.get(next.join())?.focus();
  };
  return (
    <div className={classes.frame}>
      <table className={classes.grid} role="grid" aria-label="Hours of the week" onPointerUp={() => (drawn.current = null)} onPointerLeave={() => (drawn.current = null)}>
        <thead>
          <tr>
            <th aria-hidden />
            {Array.from({ length: HOURS }, (_, hour) => (
              <th key={hour} scope="col">
                {hour}
              </th>
            ))}
          </tr>
        </thead>
        <tbody onKeyDown={go}>
          {week.hours.map((hours, day) => (
            <tr key={DAYS[day]}>
              <th scope="row">{NAMES[day]}</th>
              {hours.map((told, hour) => (
                <td key={hour} role="gridcell">
                  <button
                    type="button"
                    ref={(element) => {
                      if (element) cells.current.set([day, hour].join(), element);
                    }}
                    className={classes.cell}
                    data-rate={told === "full" || told === "closed" ? told : "limited"}
                    tabIndex={at[0] === day && at[1] === hour ? 0 : -1}
                    aria-label={`${NAMES[day]} ${hour} o'clock: ${told}`}
                    title={told}
                    onFocus={() => setAt([day, hour])}
                    onPointerDown={(event) => {
                      event.currentTarget.releasePointerCapture(event.pointerId);
                      drawn.current = { from: [day, hour], before: week };
                    }}
                    onPointerEnter={() => paint([day, hour])}
                    onClick={() => onChange(painted(week, [day, hour], [day, hour], rate))}
                  >
                    {mark(told)}
                  </button>
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** Not by colour alone: nothing where it is open, a cross where it is closed, the figure of a rate. */
function mark(rate: Rate): string {
  if (rate === "full") return "";
  if (rate === "closed") return "×";
  const bytes = bytesOf(rate);
  if (bytes === null) return "?";
  const [size, unit] = bytes >= 1e9 ? [bytes / 1e9, "G"] : bytes >= 1e6 ? [bytes / 1e6, "M"] : [bytes / 1e3, "k"];
  return `${Math.round(size)}${unit}`;
}
