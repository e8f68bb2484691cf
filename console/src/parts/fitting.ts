/** What of a table has room: all columns, those that a narrow screen needs, or each row as a list of them. Pure. */

/** As `VirtualTable` has it. */
interface Track {
  /** A CSS grid track, like `120px` or `minmax(160px, 2fr)`. */
  width: string;
  wide?: boolean;
}

const GAP = 12;
const PADDING = 36;
const HALF_LINE = 130;
/** What grows from here on is text; figures and words grow from less. */
const GROWS = 110;

const leastOf = ({ width }: Track): number => Number(/^(?:minmax\()?(\d+)px/.exec(width)?.[1] ?? 0);

/** Whether half a line of a narrow screen would be too little for it. */
export function takesLine(track: Track): boolean {
  const least = leastOf(track);
  return least > HALF_LINE || (track.width.includes("fr") && (least === 0 || least >= GROWS));
}

/** Pixels below which something would be cut off or lie outside. */
export function leastWidth(columns: readonly Track[]): number {
  return columns.reduce((sum, column) => sum + leastOf(column), 0) + GAP * Math.max(0, columns.length - 1) + PADDING;
}

/** `width`: of the table's place; 0 = not known yet. `stacked`: not even the columns that matter have room beside each other, so all of them
 * are shown, one below the other. */
export function fit<Column extends Track>(columns: readonly Column[], width: number): { columns: readonly Column[]; stacked: boolean } {
  if (width === 0 || leastWidth(columns) <= width) return { columns, stacked: false };
  const narrow = columns.filter((column) => !column.wide);
  return leastWidth(narrow) <= width ? { columns: narrow, stacked: false } : { columns, stacked: true };
}
