/** The points of a dataset, newest first, with quick picks. */
import { Group, TextInput } from "@mantine/core";
import { useState } from "react";
import { counted, formatBytes, formatTime } from "../../parts/format";
import { Moment as Time } from "../../parts/Moment";
import { type Column, VirtualTable } from "../../parts/VirtualTable";
import { type Moment, momentAt } from "./moments";
import classes from "./Restore.module.css";

interface MomentsProps {
  moments: readonly Moment[];
  selected: string | undefined;
  onSelect: (id: string) => void;
}

const COLUMNS: Column<Moment>[] = [
  {
    key: "time",
    title: "When",
    width: "minmax(0, 1fr)",
    sortBy: (moment) => moment.point.time,
    cell: ({ point, repositories }) => (
      <span className={classes.moment}>
        <strong>{formatTime(point.time)}</strong>
        <span className={classes.sub}>
          <Time time={point.time} ago /> · {point.operation} · {repositories.join(", ")}
        </span>
      </span>
    ),
  },
  {
    key: "files",
    title: "Files",
    width: "72px",
    align: "right",
    sortBy: (moment) => moment.point.files,
    cell: ({ point }) => (
      <span className={classes.moment} title={`${counted(point.files, "file")}, ${formatBytes(point.bytes)}`}>
        {point.files.toLocaleString("en")}
        <span className={classes.sub}>{formatBytes(point.bytes)}</span>
      </span>
    ),
  },
];

export function Moments({ moments, selected, onSelect }: MomentsProps) {
  return (
    <>
      <AtTime moments={moments} onSelect={onSelect} />
      <VirtualTable
        label="Moments that can be restored"
        rows={moments}
        columns={COLUMNS}
        rowKey={(moment) => moment.id}
        rowHeight={52}
        maxHeight="min(56vh, 560px)"
        selected={selected}
        onOpen={(moment) => onSelect(moment.id)}
      />
    </>
  );
}

/** "As it was at ...": the newest point at or before. */
function AtTime({ moments, onSelect }: Omit<MomentsProps, "selected">) {
  const [time, setTime] = useState("");
  const found = time ? momentAt(moments, new Date(time).toISOString()) : null;
  return (
    <Group px={18} pb={10}>
      <TextInput
        type="datetime-local"
        label="As it was at"
        value={time}
        onChange={(event) => {
          const value = event.currentTarget.value;
          setTime(value);
          const hit = value ? momentAt(moments, new Date(value).toISOString()) : null;
          if (hit) onSelect(hit.id);
        }}
        error={time && !found ? "All points are later than that." : undefined}
        w="100%"
      />
    </Group>
  );
}
