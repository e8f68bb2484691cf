/** One row per dataset: how it does, what protects it where, its newest point, its next run, its last 30 days. */
import { Group, SegmentedControl, Text, TextInput } from "@mantine/core";
import { useMediaQuery } from "@mantine/hooks";
import { IconSearch } from "@tabler/icons-react";
import { useMemo } from "react";
import { Link, useLocation } from "wouter";
import { to } from "../../app/places";
import { Card } from "../../parts/Card";
import { visible } from "../../parts/format";
import { Moment } from "../../parts/Moment";
import { State } from "../../parts/State";
import { useFilters } from "../../parts/useFilters";
import { type Column, VirtualTable } from "../../parts/VirtualTable";
import { DayStrip, StripLegend } from "./DayStrip";
import classes from "./Home.module.css";
import { type DatasetRow, neverOf, placeOf, STANDING_STATES, STANDING_WORDS, STANDINGS } from "./overview";
import type { Day } from "./strip";

interface DatasetTableProps {
  rows: readonly DatasetRow[];
  days: ReadonlyMap<string, readonly Day[]>;
  problem?: React.ReactNode;
}

const MANY = 8;
const FILTERS = ["dataset", "show"] as const;

export function DatasetTable({ rows, days, problem }: DatasetTableProps) {
  const [filter, put] = useFilters(FILTERS);
  const [, go] = useLocation();
  const isNarrow = useMediaQuery("(max-width: 62em)", false, { getInitialValueInEffect: false });
  const text = filter.dataset;
  const only = filter.show === "trouble";
  const shown = useMemo(
    () => rows.filter((row) => (!only || row.standing !== "protected") && row.label.toLowerCase().includes(text.toLowerCase())),
    [rows, only, text],
  );
  const columns = useMemo(() => (isNarrow ? narrow(days) : wide(days)), [isNarrow, days]);
  const filters = (rows.length > MANY || only || text) && (
    <Group gap="xs">
      <TextInput
        size="xs"
        aria-label="Find a dataset"
        placeholder="Find a dataset"
        leftSection={<IconSearch size={14} aria-hidden />}
        value={text}
        onChange={(event) => put({ dataset: event.currentTarget.value })}
      />
      <SegmentedControl
        size="xs"
        aria-label="Which datasets"
        data={[
          { value: "", label: "All" },
          { value: "trouble", label: "Not protected" },
        ]}
        value={only ? "trouble" : ""}
        onChange={(value) => put({ show: value })}
      />
    </Group>
  );
  return (
    <Card title="Datasets" actions={filters} flush>
      {problem && <div className={classes.inset}>{problem}</div>}
      <VirtualTable
        key={String(isNarrow)}
        label="Datasets"
        rows={shown}
        columns={columns}
        rowKey={(row) => row.protections[0]?.dataset_id ?? row.label}
        rowHeight={isNarrow ? 164 : 74}
        onOpen={(row) => go(to.restore({ dataset: row.label }))}
        empty="No dataset fits what you look for."
      />
      <StripLegend />
    </Card>
  );
}

function wide(days: DatasetTableProps["days"]): Column<DatasetRow>[] {
  return [
    { key: "state", title: "State", width: "112px", cell: stateCell, sortBy: (row) => STANDINGS.indexOf(row.standing) },
    { key: "dataset", title: "Dataset", width: "minmax(120px, 1fr)", cell: nameCell, sortBy: (row) => row.label },
    { key: "by", title: "Protected by", width: "minmax(174px, 1.4fr)", cell: (row) => <Places row={row} /> },
    { key: "newest", title: "Newest", width: "104px", cell: (row) => <Moment time={row.newestAt} ago never={neverOf(row, "none yet")} />, sortBy: (row) => row.newestAt ?? "" },
    { key: "next", title: "Next run", width: "104px", cell: nextCell, sortBy: (row) => row.dueAt ?? "9" },
    { key: "days", title: "Last 30 days", width: "300px", cell: (row) => <DayStrip days={days.get(row.label) ?? []} /> },
  ];
}

function narrow(days: DatasetTableProps["days"]): Column<DatasetRow>[] {
  return [
    {
      key: "all",
      title: "Dataset",
      width: "1fr",
      sortBy: (row) => row.label,
      cell: (row) => (
        <div className={classes.stack}>
          <Group gap="xs" wrap="nowrap" justify="space-between">
            {nameCell(row)}
            {stateCell(row)}
          </Group>
          <Places row={row} />
          <Text size="xs" c="dimmed">
            Newest point <Moment time={row.newestAt} ago never={neverOf(row, "none yet")} />, next run {nextCell(row)}
          </Text>
          <DayStrip days={days.get(row.label) ?? []} />
        </div>
      ),
    },
  ];
}

const stateCell = (row: DatasetRow) => <State state={STANDING_STATES[row.standing]} label={STANDING_WORDS[row.standing]} />;

const nameCell = (row: DatasetRow) => (
  <Link href={to.restore({ dataset: row.label })} className={classes.name} title={`${visible(row.label)}: get something back`}>
    {visible(row.label)}
  </Link>
);

const nextCell = (row: DatasetRow) =>
  row.running ? <State state="running" label="now" quiet /> : <Moment time={row.dueAt} ago never={neverOf(row, row.followed ? "as it changes" : "not scheduled")} />;

const LINES = 3;

function Places({ row }: { row: DatasetRow }) {
  const lines = row.protections.map((each) => `${each.operation} → ${visible(placeOf(each))}`);
  const shown = lines.length > LINES ? [...lines.slice(0, LINES - 1), `and ${lines.length - LINES + 1} more`] : lines;
  return (
    <div title={lines.join("\n")}>
      {shown.map((line, index) => (
        <div key={index} className={classes.line}>
          {line}
        </div>
      ))}
    </div>
  );
}
