/** All that the timeline shows as a list, newest first: points, moments between them, gaps. And "as it was at ...". */
import { Group, Text, TextInput } from "@mantine/core";
import { useState } from "react";
import { reasonOf } from "../../parts/following";
import { counted, formatBytes, formatDuration, formatTime, visible } from "../../parts/format";
import { Moment as Time } from "../../parts/Moment";
import { State } from "../../parts/State";
import { type Column, VirtualTable } from "../../parts/VirtualTable";
import type { Line } from "./moments";
import classes from "./Restore.module.css";

interface MomentsProps {
  lines: readonly Line[];
  selected: string | undefined;
  /** Said below the list, where it does not hold all. */
  note: string;
  onSelect: (line: Line) => void;
  /** What was at a time; false when nothing is as old as that. */
  onTime: (atMs: number) => boolean;
}

const COLUMNS: Column<Line>[] = [
  {
    key: "time",
    title: "When",
    width: "minmax(0, 1fr)",
    sortBy: (line) => line.time,
    cell: (line) => (
      <span className={classes.moment}>
        <strong>{formatTime(line.time)}</strong>
        <About line={line} />
      </span>
    ),
  },
  {
    key: "files",
    title: "Files",
    width: "72px",
    align: "right",
    sortBy: (line) => (line.kind === "gap" ? -1 : line.files),
    cell: (line) =>
      line.kind !== "gap" && (
        <span className={classes.moment} title={`${counted(line.files, "file")}, ${formatBytes(line.bytes)}`}>
          {line.files.toLocaleString("en")}
          <span className={classes.sub}>{formatBytes(line.bytes)}</span>
        </span>
      ),
  },
];

function About({ line }: { line: Line }) {
  if (line.kind === "gap") {
    const words = `gap of ${formatDuration(Math.max(1, (Date.parse(line.gap.until) - Date.parse(line.gap.since)) / 1000))}, below ${visible(line.gap.path)}: ${reasonOf(line.gap.reason)}`;
    return (
      <span className={classes.sub} title={words}>
        <State state="warning" label={words} quiet />
      </span>
    );
  }
  return (
    <span className={classes.sub}>
      <Time time={line.time} ago /> · {line.kind === "point" ? `${line.operation} · ${line.repositories.join(", ")}` : "between points"}
    </span>
  );
}

export function Moments({ lines, selected, note, onSelect, onTime }: MomentsProps) {
  return (
    <>
      <AtTime onTime={onTime} />
      <VirtualTable
        label="Moments that can be restored"
        rows={lines}
        columns={COLUMNS}
        rowKey={(line) => line.id}
        rowHeight={52}
        maxHeight="min(56vh, 560px)"
        selected={selected}
        onOpen={onSelect}
      />
      {note && (
        <Text size="xs" c="dimmed" px={18} py={8}>
          {note}
        </Text>
      )}
    </>
  );
}

/** "As it was at ...": the very moment where any can be had, else the newest point before. */
function AtTime({ onTime }: Pick<MomentsProps, "onTime">) {
  const [time, setTime] = useState("");
  const [isFound, setFound] = useState(true);
  return (
    <Group px={18} pb={10}>
      <TextInput
        type="datetime-local"
        step={1}
        label="As it was at"
        value={time}
        onChange={(event) => {
          const { value } = event.currentTarget;
          setTime(value);
          const atMs = new Date(value).getTime();
          setFound(Number.isNaN(atMs) || onTime(atMs));
        }}
        error={time && !isFound ? "All that can be restored is later than that." : undefined}
        w="100%"
      />
    </Group>
  );
}
