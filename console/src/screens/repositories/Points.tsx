/** The points of a repository, newest first: filter them, look into one, choose some and change them. */
import { Button, Checkbox, Loader, Select } from "@mantine/core";
import { IconHourglass, IconLock, IconTag } from "@tabler/icons-react";
import { useMemo, useState } from "react";
import { Link, useLocation } from "wouter";
import { to } from "../../app/places";
import { Card } from "../../parts/Card";
import { useNow } from "../../parts/clock";
import { proofHolds } from "../../parts/drills";
import { counted, formatBytes, formatCount, formatTime, visible } from "../../parts/format";
import { Moment } from "../../parts/Moment";
import { State } from "../../parts/State";
import { useFilters } from "../../parts/useFilters";
import { type Column, VirtualTable } from "../../parts/VirtualTable";
import { ChangePoints, type ChangeKind } from "./ChangePoints";
import type { Point } from "./figures";
import { chosenPoints, isLocked, MARKS, rowKeyOf } from "./marks";
import classes from "./Repositories.module.css";
import { useMay } from "../../api/rights";
import { OnlyFor } from "../../parts/OnlyFor";

const NAMES = ["dataset", "operation", "mark", "tag"] as const;
/** So many the API takes in one call. */
const MOST = 1_000;
const ACTS: readonly [ChangeKind, string][] = [
  ["tag", "Tag …"],
  ["lock", "Lock until …"],
  ["expire", "Expire …"],
  ["forget", "Forget …"],
];

/** `points` null: still asked for. */
export function Points({ repository, points }: { repository: string; points: readonly Point[] | null }) {
  const [filter, put] = useFilters(NAMES);
  const [, go] = useLocation();
  const [ticked, setTicked] = useState<ReadonlySet<string>>(new Set());
  const [act, setAct] = useState<ChangeKind | null>(null);
  const nowMs = useNow();
  const rows = useMemo(() => chosenPoints(points ?? [], filter, nowMs), [points, filter, nowMs]);
  // What went meanwhile is chosen no more.
  const chosen = useMemo(() => (points ?? []).filter((point) => ticked.has(rowKeyOf(point))), [points, ticked]);
  const mayChange = useMay()("points.change");
  const columns = useMemo(() => [...(mayChange ? [tickColumn(ticked, setTicked)] : []), ...COLUMNS, marksColumn(nowMs)], [ticked, nowMs, mayChange]);
  const distinct = (of: (point: Point) => readonly string[]) => [...new Set((points ?? []).flatMap(of))].filter(Boolean).sort();
  const select = (key: (typeof NAMES)[number], label: string, data: readonly (string | { value: string; label: string })[], w: number) => (
    <Select size="xs" w={w} aria-label={label} placeholder={`Any ${label.toLowerCase()}`} clearable searchable data={[...data]} value={filter[key] || null} onChange={(value) => put({ [key]: value ?? "" })} />
  );
  const tags = distinct((point) => [...point.tags, ...point.inherited]);
  const free = rows.filter((point) => !point.foreign);
  return (
    <Card
      title={points ? counted(rows.length, "point") : "Points"}
      actions={
        <>
          {select("dataset", "Dataset", distinct((point) => [point.dataset]), 180)}
          {select("operation", "Operation", distinct((point) => [point.operation]), 140)}
          {select("mark", "Mark", MARKS, 150)}
          {tags.length > 0 && select("tag", "Tag", tags, 130)}
        </>
      }
      flush
    >
      <VirtualTable
        label="Points"
        rows={rows}
        columns={columns}
        rowKey={rowKeyOf}
        onOpen={(point) => go(restoreOf(point))}
        maxHeight="52vh"
        empty={points ? "No point fits." : <Loader size="sm" aria-label="Asking for the points" />}
      />
      <OnlyFor activity="points.change">
        <div className={classes.bar} role="group" aria-label="With the chosen points">
          <span aria-live="polite">{chosen.length > 0 ? `${counted(chosen.length, "point")} chosen` : "Tick points to change them."}</span>
          {ACTS.map(([kind, label]) => (
            <Button key={kind} size="compact-sm" variant="default" disabled={chosen.length === 0 || chosen.length > MOST} onClick={() => setAct(kind)}>
              {label}
            </Button>
          ))}
          {free.length > 0 && chosen.length < free.length && (
            <Button size="compact-sm" variant="subtle" onClick={() => setTicked(new Set(free.slice(0, MOST).map(rowKeyOf)))}>
              {free.length > MOST ? `Choose the newest ${formatCount(MOST)} shown` : `Choose all ${formatCount(free.length)} shown`}
            </Button>
          )}
          {chosen.length > 0 && (
            <Button size="compact-sm" variant="subtle" onClick={() => setTicked(new Set())}>
              Choose none
            </Button>
          )}
          {chosen.length > MOST && <span>At most {formatCount(MOST)} at once.</span>}
        </div>
      </OnlyFor>
      {act && <ChangePoints kind={act} repository={repository} points={chosen} onDone={() => setTicked(new Set())} onClose={() => setAct(null)} />}
    </Card>
  );
}

const restoreOf = (point: Point): string => to.restore({ dataset: point.dataset, point: point.id });

function tickColumn(ticked: ReadonlySet<string>, onTick: (next: ReadonlySet<string>) => void): Column<Point> {
  return {
    key: "tick",
    title: "",
    width: "28px",
    cell: (point) => {
      const key = rowKeyOf(point);
      const tick = () => {
        const next = new Set(ticked);
        if (!next.delete(key)) next.add(key);
        onTick(next);
      };
      return (
        <span className={classes.check} onClick={(event) => event.stopPropagation()}>
          <Checkbox
            size="sm"
            checked={ticked.has(key)}
            disabled={point.foreign}
            onChange={tick}
            aria-label={`Choose ${visible(point.dataset)} ${visible(point.operation)} of ${formatTime(point.time)}`}
          />
        </span>
      );
    },
  };
}

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
  { key: "dataset", title: "Dataset", width: "minmax(120px, 1.1fr)", sortBy: (point) => point.dataset, cell: (point) => visible(point.dataset) },
  { key: "operation", title: "Operation", width: "minmax(84px, 0.5fr)", sortBy: (point) => point.operation, cell: (point) => visible(point.operation) || "–" },
  { key: "files", title: "Files", width: "76px", align: "right", sortBy: (point) => point.files, cell: (point) => formatCount(point.files) },
  { key: "bytes", title: "Restored", width: "88px", align: "right", sortBy: (point) => point.bytes, cell: (point) => formatBytes(point.bytes) },
  { key: "added", title: "Added", width: "84px", align: "right", sortBy: (point) => point.added_bytes, cell: (point) => formatBytes(point.added_bytes) },
];

function marksColumn(nowMs: number): Column<Point> {
  return { key: "marks", title: "Marks", width: "minmax(190px, 1.3fr)", cell: (point) => <Marks point={point} nowMs={nowMs} /> };
}

function Marks({ point, nowMs }: { point: Point; nowMs: number }) {
  const proof = proofHolds(point.proof);
  return (
    <span className={classes.marks} title={point.tags.map(visible).join(", ") || undefined}>
      {point.foreign && <span className={classes.mark}>not Holdfast&apos;s, read-only</span>}
      {point.suspect && <State state="failed" label="suspect" quiet />}
      {point.held_until && (
        <span className={classes.mark}>
          <IconLock size={13} aria-hidden /> held until <Day time={point.held_until} />
        </span>
      )}
      {proof !== null && (
        <State state={proof ? "ok" : "failed"} label={proof ? "proven" : "not proven"} quiet />
      )}
      {isLocked(point, nowMs) && (
        <span className={classes.mark}>
          <IconLock size={13} aria-hidden /> locked until <Day time={point.locked_until!} />
        </span>
      )}
      {point.expires_at && (
        <span className={classes.mark}>
          <IconHourglass size={13} aria-hidden /> expires <Day time={point.expires_at} />
        </span>
      )}
      {point.warnings > 0 && <State state="warning" label={counted(point.warnings, "warning")} quiet />}
      {point.tags.map((tag) => (
        <span key={tag} className={classes.mark}>
          <IconTag size={13} aria-hidden /> {visible(tag)}
        </span>
      ))}
      {point.inherited.length > 0 && (
        <span className={classes.mark} title="Inherited of its node, policy and flows">
          {point.inherited.map(visible).join(", ")}
        </span>
      )}
    </span>
  );
}

function Day({ time }: { time: string }) {
  return (
    <time dateTime={time} title={formatTime(time)}>
      {formatTime(time).slice(0, 10)}
    </time>
  );
}
