/**
 * A table that draws only the rows in sight: a hundred thousand scroll like ten. Rows can be walked with the arrow keys and opened with
 * Enter. Sorting is by the columns that say how. Where the columns have no room beside each other, they stand below each other.
 */
import { UnstyledButton } from "@mantine/core";
import { IconArrowDown, IconArrowUp, IconArrowsSort } from "@tabler/icons-react";
import { useVirtualizer } from "@tanstack/react-virtual";
import { type KeyboardEvent, type ReactNode, type RefObject, useLayoutEffect, useMemo, useRef, useState } from "react";
import { fit, takesLine } from "./fitting";
import classes from "./VirtualTable.module.css";

export interface Column<Row> {
  key: string;
  title: string;
  /** A CSS grid track, like `120px` or `minmax(160px, 2fr)`. */
  width: string;
  cell: (row: Row) => ReactNode;
  /** What to sort by; without it the column cannot be sorted. */
  sortBy?: (row: Row) => string | number;
  align?: "right";
  /** Left out where that gives the others room. */
  wide?: boolean;
}

interface VirtualTableProps<Row> {
  /** What the table shows, for those who do not see it. */
  label: string;
  rows: readonly Row[];
  columns: readonly Column<Row>[];
  rowKey: (row: Row) => string;
  /** Pixels; the table is as high as its rows up to this. */
  maxHeight?: number | string;
  /** Where the columns are beside each other; else a row is as high as it needs. */
  rowHeight?: number;
  selected?: string | undefined;
  onOpen?: (row: Row) => void;
  /** A row before which something new begins: it has a line across. */
  begins?: (row: Row) => boolean;
  /** Called when the end comes into sight: time to get more. */
  onEnd?: () => void;
  empty?: ReactNode;
}

/** Of a stacked row, about. */
const STACKED_LINE = 28;

export function VirtualTable<Row>(props: VirtualTableProps<Row>) {
  const frame = useRef<HTMLDivElement>(null);
  const width = useWidth(frame);
  const { columns, stacked } = useMemo(() => fit(props.columns, width), [props.columns, width]);
  const { label, rowKey, maxHeight = "60vh", rowHeight = 40, selected, onOpen, begins, onEnd, empty } = props;
  const [order, setOrder] = useState<{ key: string; down: boolean } | null>(null);
  const rows = useMemo(() => sorted(props.rows, columns, order), [props.rows, columns, order]);
  const [cursor, setCursor] = useState(0);
  const box = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => box.current,
    estimateSize: () => (stacked ? STACKED_LINE * (columns.length / 2 + 1) : rowHeight),
    // How high a row is was measured for the row, wherever sorting has put it.
    ...(stacked && { getItemKey: (index: number) => rowKey(rows[index]!) }),
    overscan: stacked ? 4 : 12,
    onChange: (instance) => {
      const last = instance.getVirtualItems().at(-1);
      if (onEnd && last && last.index >= rows.length - 1) onEnd();
    },
  });
  useLayoutEffect(() => virtual.measure(), [virtual, stacked]);
  const tracks = stacked ? {} : { gridTemplateColumns: columns.map((column) => column.width).join(" ") };

  const move = (to: number) => {
    const next = Math.max(0, Math.min(rows.length - 1, to));
    setCursor(next);
    virtual.scrollToIndex(next);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const page = Math.floor((box.current?.clientHeight ?? 400) / rowHeight);
    const steps: Record<string, number> = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -1e9, End: 1e9 };
    const step = steps[event.key];
    const row = rows[cursor];
    if (step !== undefined) move(cursor + step);
    else if (event.key === "Enter" && row !== undefined && onOpen && event.target === event.currentTarget) onOpen(row);
    else return;
    event.preventDefault();
  };

  return (
    <div ref={frame} className={classes.frame} data-stacked={stacked || undefined} role="table" aria-label={label} aria-rowcount={rows.length + 1}>
      <div role="rowgroup" className={classes.headGroup}>
        <div role="row" aria-rowindex={1} className={classes.head} style={tracks}>
          {columns.map((column) => (
            <Head key={column.key} column={column} order={order} onOrder={setOrder} />
          ))}
        </div>
      </div>
      {rows.length === 0 && <div className={classes.empty}>{empty ?? "Nothing here."}</div>}
      <div
        ref={box}
        role="rowgroup"
        className={classes.body}
        style={{ maxHeight }}
        tabIndex={rows.length > 0 ? 0 : -1}
        aria-label={`${label}: rows`}
        onKeyDown={onKeyDown}
      >
        <div style={{ height: virtual.getTotalSize(), position: "relative" }} role="presentation">
          {virtual.getVirtualItems().map((item) => {
            const row = rows[item.index]!;
            return (
              <div
                key={rowKey(row)}
                ref={stacked ? virtual.measureElement : undefined}
                data-index={item.index}
                role="row"
                aria-rowindex={item.index + 2}
                aria-selected={selected === undefined ? undefined : rowKey(row) === selected}
                className={classes.row}
                data-cursor={item.index === cursor || undefined}
                data-opens={onOpen !== undefined || undefined}
                data-begins={begins?.(row) || undefined}
                style={{ ...tracks, ...(!stacked && { height: rowHeight }), transform: `translateY(${item.start}px)` }}
                onClick={() => {
                  setCursor(item.index);
                  onOpen?.(row);
                }}
              >
                {columns.map((column) => (
                  <div key={column.key} role="cell" className={classes.cell} data-align={column.align} data-line={takesLine(column) || undefined}>
                    {stacked && column.title && (
                      <span className={classes.label} aria-hidden>
                        {column.title}
                      </span>
                    )}
                    {stacked ? <div className={classes.value}>{column.cell(row)}</div> : column.cell(row)}
                  </div>
                ))}
              </div>
            );
          })}
        </div>
      </div>
    </div>
  );
}

/** Of what is drawn there, in pixels; 0 before it is. */
function useWidth(frame: RefObject<HTMLDivElement | null>): number {
  const [width, setWidth] = useState(0);
  useLayoutEffect(() => {
    const drawn = frame.current;
    if (!drawn) return;
    const observer = new ResizeObserver(() => setWidth(drawn.clientWidth));
    observer.observe(drawn);
    return () => observer.disconnect();
  }, [frame]);
  return width;
}

interface HeadProps<Row> {
  column: Column<Row>;
  order: { key: string; down: boolean } | null;
  onOrder: (order: { key: string; down: boolean } | null) => void;
}

function Head<Row>({ column, order, onOrder }: HeadProps<Row>) {
  const isOurs = order?.key === column.key;
  const Icon = !isOurs ? IconArrowsSort : order.down ? IconArrowDown : IconArrowUp;
  const next = !isOurs ? { key: column.key, down: false } : order.down ? null : { key: column.key, down: true };
  return (
    <div
      role="columnheader"
      className={classes.cell}
      data-align={column.align}
      data-sorts={column.sortBy !== undefined || undefined}
      aria-sort={isOurs ? (order.down ? "descending" : "ascending") : undefined}
    >
      {column.sortBy ? (
        <UnstyledButton className={classes.sort} onClick={() => onOrder(next)}>
          {column.title}
          <Icon size={14} aria-hidden />
        </UnstyledButton>
      ) : (
        column.title
      )}
    </div>
  );
}

function sorted<Row>(rows: readonly Row[], columns: readonly Column<Row>[], order: { key: string; down: boolean } | null) {
  const by = columns.find((column) => column.key === order?.key)?.sortBy;
  if (!order || !by) return rows;
  const sign = order.down ? -1 : 1;
  return [...rows].sort((one, other) => {
    const a = by(one);
    const b = by(other);
    return sign * (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b)));
  });
}
