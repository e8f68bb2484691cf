/** One dataset: its timeline, the same as a list, and the folders of the moment that is chosen. */
import { Alert, Button, Loader, Text } from "@mantine/core";
import { IconAlertTriangle } from "@tabler/icons-react";
import { useMemo, useState } from "react";
import { Card } from "../../parts/Card";
import { useNow } from "../../parts/clock";
import { type Followed, gapSentence } from "../../parts/following";
import { formatCount } from "../../parts/format";
import { Problem } from "../../parts/Problem";
import type { Address } from "./address";
import { Browser } from "./Browser";
import { Compare } from "./Compare";
import { type Line, linesOf, type Moment } from "./moments";
import { Moments } from "./Moments";
import { QuickPicks } from "./QuickPicks";
import type { Wish } from "./RestoreDialog";
import classes from "./Restore.module.css";
import { addressAt, type Gap, gapsOf, spanOf, stopAt, stopsOf, timeOfAddress, usualSpan, type View, viewOf } from "./timeline";
import { Timeline } from "./Timeline";
import { MOST_MOMENTS, useAsOf, useExtent, useMomentsWithin } from "./useMoments";

interface OverTimeProps {
  dataset: string;
  /** Newest first. */
  points: readonly Moment[];
  /** How it is followed now; null = it is not. */
  followed: Followed | null;
  address: Address;
  change: (change: Partial<Address>, replace?: boolean) => void;
  onRestore: (wish: Wish) => void;
}

export function OverTime({ dataset, points, followed, address, change, onRestore }: OverTimeProps) {
  const nowMs = useNow();
  const extent = useExtent(dataset);
  const newest = extent.data?.moments[0];
  const { span, view } = useWindow(address, points, newest?.time, nowMs);
  const isLive = view.toMs >= nowMs;
  const within = useMomentsWithin(dataset, view, isLive, newest !== undefined);
  const { states, gaps, stops, lines } = useLines(points, extent.data, within.data);
  const band = bandOf(extent.data?.oldest_at, newest?.time, followed, nowMs);
  const id = useStable(address.point, stops.at(-1)?.id, extent.isPending);
  const shown = useChosen(id, points);
  const atMs = timeOfAddress(id) ?? (shown.moment ? Date.parse(shown.moment.point.time) : null);
  const pick = (point: string) => change({ point, dataset }, true);
  const pickTime = (wantedMs: number): boolean => {
    const found = band && wantedMs >= band.fromMs ? addressAt(dataset, Math.min(wantedMs, nowMs)) : stopAt(stops, wantedMs)?.id;
    if (found) pick(found);
    return found !== undefined;
  };
  const last = stops.at(-1);
  const compare = last && last.id !== id ? () => change({ other: last.id, point: id, dataset }) : null;
  const open = (line: Line) => {
    if (line.kind !== "gap") pick(line.id);
    else pickTime(Date.parse(line.time));
  };

  if (stops.length === 0 && !address.point)
    return extent.isPending ? (
      <Loader aria-label="Asking what can be restored" />
    ) : (
      <Text>
        {extent.error ? <Problem error={extent.error} onRetry={() => void extent.refetch()} /> : "Nothing of it can be restored yet."}
      </Text>
    );
  return (
    <>
      {extent.error && <Problem error={extent.error} onRetry={() => void extent.refetch()} />}
      <Card title="Over time" flush>
        <Timeline
          dataset={dataset}
          span={span}
          view={view}
          nowMs={nowMs}
          stops={stops}
          band={band}
          gaps={gaps}
          chosen={atMs === null ? null : { id, atMs }}
          onPick={pick}
          onWindow={(window) => change(window, true)}
        />
      </Card>
      <div className={classes.columns}>
        <Card title="Moments" flush>
          <QuickPicks
            dataset={dataset}
            points={points}
            latest={last?.id}
            nowMs={nowMs}
            onPick={pick}
            onTime={pickTime}
            onShow={(point, path) => change({ point, path, dataset, other: "" })}
          />
          <Moments
            lines={lines}
            selected={lines.some((line) => line.id === id) ? id : atMs === null ? undefined : stopAt(stops, atMs)?.id}
            note={noteOn(newest !== undefined, within.data?.more ?? false, states.length)}
            onSelect={open}
            onTime={pickTime}
          />
        </Card>
        <div className={classes.shown}>
          <InGaps gaps={shown.gaps} />
          {shown.moment && address.other && (
            <Compare
              moment={shown.moment}
              other={address.other}
              lines={lines}
              path={address.path}
              onOther={(other) => change({ other, point: id, dataset })}
              onPath={(path) => change({ path, point: id, dataset })}
              onRestore={onRestore}
            />
          )}
          {shown.moment && !address.other && (
            <Browser
              moment={shown.moment}
              atMs={timeOfAddress(id)}
              path={address.path}
              onPath={(path) => change({ path, point: id, dataset })}
              onRestore={onRestore}
              onShow={(point, path) => change({ point, path, dataset })}
              onCompare={compare}
            />
          )}
          {shown.isPending && <Loader aria-label="Asking what was there then" />}
          {shown.isGone && <Gone error={shown.error} onNewest={() => change({ point: "", path: "" })} />}
        </div>
      </div>
    </>
  );
}

/** What of the time is shown: as the address says, else what holds the newest few states. */
function useWindow(address: Address, points: readonly Moment[], newest: string | undefined, nowMs: number) {
  const usual = useMemo(
    () => usualSpan(stopsOf(points.map((each) => ({ id: each.id, time: each.point.time })), []), newest ? Math.min(nowMs, Date.parse(newest)) : nowMs),
    [points, newest, nowMs],
  );
  const span = spanOf(address.span)?.name ?? usual;
  return { span, view: viewOf(span, address.until, nowMs) };
}

type Extent = ReturnType<typeof useExtent>["data"];

function useLines(points: readonly Moment[], extent: Extent, within: Extent) {
  return useMemo(() => {
    // The newest is known before those of the span are, and may be newer than they.
    const states = [...new Map([...(extent?.moments ?? []), ...(within?.moments ?? [])].map((state) => [state.address, state])).values()];
    const gaps = gapsOf(extent?.gaps ?? []);
    const stops = stopsOf(
      points.map((each) => ({ id: each.id, time: each.point.time })),
      states,
    );
    return { states, gaps, stops, lines: linesOf(points, states, gaps) };
  }, [points, extent, within]);
}

/** Where any moment can be chosen: since the oldest one that is kept, until now while it is followed without trouble. */
function bandOf(oldest: string | null | undefined, newest: string | undefined, followed: Followed | null, nowMs: number): View | null {
  if (!oldest || !newest) return null;
  const isSure = followed?.state === "following" && followed.open_gap_since === null && followed.pending_since === null;
  return { fromMs: Date.parse(oldest), toMs: isSure ? nowMs : Date.parse(newest) };
}

/** The id in the address; without one, what was the newest when the screen opened: it does not run away from somebody who is reading. */
function useStable(asked: string, newest: string | undefined, isPending: boolean): string {
  const [first, setFirst] = useState("");
  if (!first && newest && !isPending) setFirst(newest);
  return asked || first || (isPending ? "" : (newest ?? ""));
}

interface Chosen {
  moment: Moment | null;
  gaps: readonly Gap[];
  isPending: boolean;
  isGone: boolean;
  error: unknown;
}

const NO_GAPS: readonly Gap[] = [];

function useChosen(id: string, points: readonly Moment[]): Chosen {
  const isAddress = id.includes("@");
  const asked = useAsOf(isAddress ? id : null);
  const found = asked.data?.point;
  const moment = useMemo<Moment | null>(
    () => (isAddress ? (found ? { id, point: { ...found, id }, repositories: [found.repository] } : null) : (points.find((each) => each.id === id) ?? null)),
    [id, isAddress, found, points],
  );
  const gaps = useMemo(() => (isAddress && asked.data ? gapsOf(asked.data.gaps) : NO_GAPS), [isAddress, asked.data]);
  const isPending = id === "" || (isAddress && asked.isPending);
  return { moment, gaps, isPending, isGone: !moment && !isPending, error: isAddress ? asked.error : null };
}

function InGaps({ gaps }: { gaps: readonly Gap[] }) {
  if (gaps.length === 0) return null;
  return (
    <Alert color="yellow" variant="light" role="status" icon={<IconAlertTriangle aria-hidden />} title="This moment lies in a gap">
      {gaps.map((gap) => (
        <div key={`${gap.since} ${gap.path}`}>{gapSentence(gap)}</div>
      ))}
      What you see is the newest state that was known then.
    </Alert>
  );
}

function Gone({ error, onNewest }: { error: unknown; onNewest: () => void }) {
  return (
    <Alert color="red" variant="light" role="alert" title="This point is not there any more, or its repository does not answer.">
      {error !== null && error !== undefined && <Problem error={error} />}
      <Button size="xs" variant="outline" color="red" onClick={onNewest}>
        Show the newest
      </Button>
    </Alert>
  );
}

function noteOn(hasMoments: boolean, isCut: boolean, count: number): string {
  if (!hasMoments) return "";
  if (isCut) return `Of the moments between points the newest ${formatCount(Math.min(count, MOST_MOMENTS))} of the time above are listed. Zoom in for others, or type a time.`;
  return "Moments between points are listed for the time above.";
}
