/** The points of a repository, newest first; each leads to the restore screen. */
import { Loader, Select } from "@mantine/core";
import { useMemo } from "react";
import { Link, useLocation } from "wouter";
import { to } from "../../app/places";
import { Card } from "../../parts/Card";
import { counted, formatBytes, formatCount, visible } from "../../parts/format";
import { Moment } from "../../parts/Moment";
import { State } from "../../parts/State";
import { useFilters } from "../../parts/useFilters";
import { type Column, VirtualTable } from "../../parts/VirtualTable";
import type { Point } from "./figures";
import classes from "./Repositories.module.css";

const NAMES = ["dataset", "operation"] as const;

/** `points` null: still asked for. */
export function Points({ points }: { points: readonly Point[] | null }) {
  const [filter, put] = useFilters(NAMES);
  const [, go] = useLocation();
  const rows = useMemo(
    () =>
      (points ?? [])
        .filter((point) => (!filter.dataset || point.dataset === filter.dataset) && (!filter.operation || point.operation === filter.operation))
        .sort((a, b) => Date.parse(b.time) - Date.parse(a.time)),
    [points, filter],
  );
  const choices = (key: "dataset" | "operation") => [...new Set((points ?? []).map((point) => point[key]))].filter(Boolean).sort();
  const select = (key: "dataset" | "operation", label: string, any: string, w: number) => (
    <Select size="xs" w={w} aria-label={label} placeholder={any} clearable searchable data={choices(key)} value={filter[key] || null} onChange={(value) => put({ [key]: value ?? "" })} />
  );
  return (
    <Card
      title={points ? counted(rows.length, "point") : "Points"}
      actions={
        <>
          {select("dataset", "Dataset", "Any dataset", 180)}
          {select("operation", "Operation", "Any operation", 140)}
        </>
      }
      flush
    >
      <div className={classes.wide}>
        <VirtualTable
          label="Points"
          rows={rows}
          columns={COLUMNS}
          rowKey={(point) => `${point.id}/${point.dataset_id}/${point.operation}`}
          onOpen={(point) => go(restoreOf(point))}
          maxHeight="52vh"
          empty={points ? "No point yet." : <Loader size="sm" aria-label="Asking for the points" />}
        />
      </div>
    </Card>
  );
}

const restoreOf = (point: Point): string => to.restore({ dataset: point.dataset, point: point.id });

const COLUMNS: Column<Point>[] = [
  {
    key: "time",
    title: "Point",
    width: "176px",
    sortBy: (point) => point.time,
    cell: (point) => (
      <Link href={restoreOf(point)} className={classes.name}>
        <Moment time={point.time} />
      </Link>
    ),
  },
  { key: "dataset", title: "Dataset", width: "minmax(140px, 1.2fr)", sortBy: (point) => point.dataset, cell: (point) => visible(point.dataset) },
  { key: "operation", title: "Operation", width: "minmax(90px, 0.6fr)", sortBy: (point) => point.operation, cell: (point) => visible(point.operation) || "not Holdfast's" },
  { key: "files", title: "Files", width: "90px", align: "right", sortBy: (point) => point.files, cell: (point) => formatCount(point.files) },
  { key: "bytes", title: "Size restored", width: "110px", align: "right", sortBy: (point) => point.bytes, cell: (point) => formatBytes(point.bytes) },
  { key: "added", title: "Added", width: "96px", align: "right", sortBy: (point) => point.added_bytes, cell: (point) => formatBytes(point.added_bytes) },
  {
    key: "worth",
    title: "Worth a look",
    width: "minmax(110px, 0.7fr)",
    cell: (point) => {
      if (point.warnings > 0) return <State state="warning" label={counted(point.warnings, "warning")} quiet />;
      if (point.locked_until) return <span>locked until <Moment time={point.locked_until} /></span>;
      return <span className={classes.line}>{point.tags.map(visible).join(", ")}</span>;
    },
  },
];
