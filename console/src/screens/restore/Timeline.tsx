/**
 * A dataset over time. Click, or walk with the arrow keys, to choose a moment: points are marks, in the band any moment can be chosen, and
 * gaps are hatched. The list beside it says the same.
 */
import { ActionIcon, Button, Group, SegmentedControl, VisuallyHidden } from "@mantine/core";
import { IconChevronLeft, IconChevronRight, IconZoomIn, IconZoomOut } from "@tabler/icons-react";
import type { KeyboardEvent, MouseEvent } from "react";
import { counted, formatTime } from "../../parts/format";
import {
  endAround,
  type Gap,
  gapsAt,
  marksOf,
  panned,
  pickedAt,
  pieceOf,
  shareOf,
  type SpanName,
  spanOf,
  SPANS,
  stepped,
  type Stop,
  ticksOf,
  timeOfAddress,
  type View,
  zoomed,
} from "./timeline";
import classes from "./Timeline.module.css";

/** The address of the window: which span, and up to when (empty = now). */
export interface Window {
  span: SpanName;
  until: string;
}

interface TimelineProps {
  dataset: string;
  span: SpanName;
  view: View;
  nowMs: number;
  /** Oldest first. */
  stops: readonly Stop[];
  band: View | null;
  gaps: readonly Gap[];
  chosen: { id: string; atMs: number } | null;
  onPick: (id: string) => void;
  onWindow: (window: Window) => void;
}

const PRESETS = [
  { value: "1h", label: "Last hour" },
  { value: "1d", label: "Last day" },
  { value: "30d", label: "Last 30 days" },
] as const satisfies readonly { value: SpanName; label: string }[];
const NEAR_PX = 5;

export function Timeline(props: TimelineProps) {
  return (
    <section className={classes.timeline} aria-label="Timeline">
      <Head {...props} />
      <Track {...props} />
      <div className={classes.ticks} aria-hidden>
        {ticksOf(props.view).map((tick) => (
          <span key={tick.atMs} style={{ left: `${tick.left}%` }}>
            {tick.words}
          </span>
        ))}
      </div>
      <div className={classes.legend}>
        <span>
          <span className={`${classes.sample} ${classes.pointSample}`} /> a point
        </span>
        {props.band && (
          <span>
            <span className={`${classes.sample} ${classes.bandSample}`} /> any moment can be chosen, since {formatTime(new Date(props.band.fromMs).toISOString())}
          </span>
        )}
        {props.gaps.length > 0 && (
          <span>
            <span className={`${classes.sample} ${classes.gapSample}`} /> a gap: changes may be missing
          </span>
        )}
      </div>
    </section>
  );
}

function Head({ span, view, nowMs, stops, chosen, onPick, onWindow }: TimelineProps) {
  const zoom = (step: -1 | 1) => {
    const next = zoomed(span, step);
    onWindow({ span: next, until: endAround(chosen?.atMs ?? null, next, view, nowMs) });
  };
  const newest = stops.at(-1);
  const newestPoint = stops.findLast((stop) => stop.kind === "point");
  const tool = (label: string, Icon: typeof IconZoomIn, act: () => void, disabled = false) => (
    <ActionIcon variant="default" size="md" aria-label={label} title={label} onClick={act} disabled={disabled}>
      <Icon size={17} aria-hidden />
    </ActionIcon>
  );
  const pick = (stop: Stop) => {
    onPick(stop.id);
    if (stop.atMs < view.fromMs || stop.atMs > view.toMs) onWindow({ span, until: endAround(stop.atMs, span, { fromMs: stop.atMs, toMs: stop.atMs }, nowMs) });
  };
  return (
    <div className={classes.head}>
      <SegmentedControl
        size="xs"
        aria-label="How much of the time"
        data={[...PRESETS]}
        value={view.toMs >= nowMs ? span : ""}
        onChange={(name) => onWindow({ span: name as SpanName, until: "" })}
      />
      <Group gap={6}>
        {tool("Earlier", IconChevronLeft, () => onWindow({ span, until: panned(view, -1, nowMs) }))}
        {tool("Later", IconChevronRight, () => onWindow({ span, until: panned(view, 1, nowMs) }), view.toMs >= nowMs)}
        {tool("Zoom in", IconZoomIn, () => zoom(-1), span === SPANS[0].name)}
        {tool("Zoom out", IconZoomOut, () => zoom(1), span === SPANS.at(-1)!.name)}
      </Group>
      <span className={classes.span}>
        {spanOf(span)!.title}: {formatTime(new Date(view.fromMs).toISOString())} to {view.toMs >= nowMs ? "now" : formatTime(new Date(view.toMs).toISOString())}
      </span>
      <Group gap={6}>
        {newest && (
          <Button size="compact-sm" variant="default" onClick={() => pick(newest)}>
            Newest
          </Button>
        )}
        {newestPoint && newestPoint !== newest && (
          <Button size="compact-sm" variant="default" onClick={() => pick(newestPoint)}>
            Newest point
          </Button>
        )}
      </Group>
    </div>
  );
}

function Track(props: TimelineProps) {
  const { dataset, span, view, nowMs, stops, band, gaps, chosen, onPick, onWindow } = props;
  const pick = (id: string | null) => id !== null && onPick(id);
  const onClick = (event: MouseEvent<HTMLDivElement>) => {
    const box = event.currentTarget.getBoundingClientRect();
    const perPixelMs = (view.toMs - view.fromMs) / box.width;
    pick(pickedAt(view.fromMs + (event.clientX - box.left) * perPixelMs, NEAR_PX * perPixelMs, { dataset, stops, band }));
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const atMs = chosen?.atMs ?? view.toMs;
    const shown = stops.filter((stop) => stop.atMs >= view.fromMs && stop.atMs <= view.toMs);
    const zoom = (step: -1 | 1) => {
      const next = zoomed(span, step);
      onWindow({ span: next, until: endAround(chosen?.atMs ?? null, next, view, nowMs) });
    };
    const acts: Record<string, () => void> = {
      ArrowLeft: () => pick(stepped(atMs, -1, view, { dataset, stops, band })),
      ArrowRight: () => pick(stepped(atMs, 1, view, { dataset, stops, band })),
      Home: () => pick(shown[0]?.id ?? null),
      End: () => pick(shown.at(-1)?.id ?? null),
      PageUp: () => onWindow({ span, until: panned(view, -1, nowMs) }),
      PageDown: () => onWindow({ span, until: panned(view, 1, nowMs) }),
      "+": () => zoom(-1),
      "-": () => zoom(1),
    };
    acts.ArrowDown = acts.ArrowLeft!;
    acts.ArrowUp = acts.ArrowRight!;
    const act = acts[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
  };
  const shownMs = Math.max(view.fromMs, Math.min(view.toMs, chosen?.atMs ?? view.toMs));
  return (
    <>
      <div
        className={classes.track}
        role="slider"
        tabIndex={0}
        aria-label="Moment that is shown"
        aria-describedby="timeline-keys"
        aria-valuemin={Math.floor(view.fromMs / 1000)}
        aria-valuemax={Math.ceil(view.toMs / 1000)}
        aria-valuenow={Math.round(shownMs / 1000)}
        aria-valuetext={chosen ? chosenWords(chosen, stops, gaps) : "nothing chosen"}
        onClick={onClick}
        onKeyDown={onKeyDown}
      >
        {band && <Piece className={classes.band} sinceMs={band.fromMs} untilMs={band.toMs} view={view} />}
        {gaps.map((gap) => (
          <Piece key={`${gap.since} ${gap.until} ${gap.path}`} className={classes.gap} sinceMs={Date.parse(gap.since)} untilMs={Date.parse(gap.until)} view={view} />
        ))}
        {marksOf(stops, view).map((mark) => (
          <span key={`${mark.kind} ${mark.left}`} className={classes.mark} data-kind={mark.kind} style={{ left: `${mark.left}%` }} />
        ))}
        {chosen && shownMs === chosen.atMs && <span className={classes.chosen} style={{ left: `${shareOf(chosen.atMs, view)}%` }} />}
      </div>
      <VisuallyHidden id="timeline-keys">
        Left and right: the state before and after. Page up and down: earlier and later. Plus and minus: zoom. {counted(stops.length, "state")} and{" "}
        {counted(gaps.length, "gap")} are listed under Moments.
      </VisuallyHidden>
    </>
  );
}

function Piece({ className, sinceMs, untilMs, view }: { className: string | undefined; sinceMs: number; untilMs: number; view: View }) {
  const piece = pieceOf(sinceMs, untilMs, view);
  return piece && <span className={className} style={{ left: `${piece.left}%`, width: `${piece.width}%` }} />;
}

function chosenWords(chosen: { id: string; atMs: number }, stops: readonly Stop[], gaps: readonly Gap[]): string {
  const kind = stops.find((stop) => stop.id === chosen.id)?.kind ?? (timeOfAddress(chosen.id) === null ? "point" : "moment");
  const inGap = gapsAt(gaps, chosen.atMs).length > 0 ? ", in a gap" : "";
  return `${formatTime(new Date(chosen.atMs).toISOString())}, ${kind === "point" ? "a point" : "between points"}${inGap}`;
}
