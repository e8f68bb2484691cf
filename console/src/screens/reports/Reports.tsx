/** Reports of what is on record: five kinds as tables, of a span, and as files to keep. */
import { Button, Loader, SegmentedControl, Stack, Text, TextInput } from "@mantine/core";
import { IconDownload } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { asApiError, client, take } from "../../api/client";
import { Card } from "../../parts/Card";
import { formatTime, sentence, shellWord, visible } from "../../parts/format";
import { Moment } from "../../parts/Moment";
import { Page } from "../../parts/Page";
import { Problem } from "../../parts/Problem";
import { useFilters } from "../../parts/useFilters";
import { type Column, VirtualTable } from "../../parts/VirtualTable";
import { callOf, cellText, DEFAULT_SINCE, fileOf, isNumber, jsonName, type Kind, kindOf, KINDS, type Report, type Table, valueOf } from "./reports";
import classes from "./Reports.module.css";
import { ReportSchedules } from "./ReportSchedules";

const REFUSED = 403;

export default function Reports() {
  const [filter, put] = useFilters(["kind", "since"]);
  const kind = kindOf(filter.kind);
  const since = filter.since || DEFAULT_SINCE;
  const found = useQuery({
    queryKey: ["report", kind, since],
    queryFn: ({ signal }) => take(client.GET("/api/v1/reports/{kind}", { params: { path: { kind }, query: { since } }, signal })),
    // It is of a moment: who wants a newer one asks again.
    staleTime: Infinity,
    gcTime: 0,
  });
  const isRefused = found.error !== null && asApiError(found.error).status === REFUSED;
  return (
    <Page
      title="Reports"
      lead={KINDS.find((each) => each.kind === kind)?.lead}
      actions={found.data && <Files kind={kind} since={since} report={found.data} />}
      cli={`holdfast report ${kind} --since ${shellWord(since)}`}
      api={callOf(kind, since)}
    >
      {!isRefused && (
        <div className={classes.choice}>
          <SegmentedControl
            aria-label="Which report"
            className={classes.kinds}
            data={KINDS.map(({ kind: value, title }) => ({ value, label: title }))}
            value={kind}
            onChange={(value) => put({ kind: value })}
          />
          <Since key={since} since={since} onSince={(value) => put({ since: value === DEFAULT_SINCE ? "" : value })} />
        </div>
      )}
      {found.error && <Problem error={found.error} {...(!isRefused && { onRetry: () => void found.refetch() })} />}
      {found.isPending && <Loader aria-label="Loading" />}
      {found.data && <Shown report={found.data} />}
      {!isRefused && <ReportSchedules kind={kind} />}
    </Page>
  );
}

function Since({ since, onSince }: { since: string; onSince: (since: string) => void }) {
  const [typed, setTyped] = useState(since);
  const tell = () => {
    if (typed.trim() !== since) onSince(typed.trim());
  };
  return (
    <TextInput
      size="xs"
      w={180}
      aria-label="Since"
      placeholder="30d, or a time"
      leftSection={<Text size="xs">since</Text>}
      leftSectionWidth={48}
      value={typed}
      onChange={(event) => setTyped(event.currentTarget.value)}
      onBlur={tell}
      onKeyDown={(event) => {
        if (event.key === "Enter") tell();
      }}
    />
  );
}

function Files({ kind, since, report }: { kind: Kind; since: string; report: Report }) {
  const files = [
    ["CSV", fileOf(kind, since, "csv"), true],
    ["JSON", valueOf(kind, since), jsonName(report)],
    ["HTML", fileOf(kind, since, "html"), true],
  ] as const;
  return files.map(([format, href, name]) => (
    <Button key={format} component="a" href={href} download={name} variant="default" size="xs" leftSection={<IconDownload size={15} aria-hidden />}>
      Download as {format}
    </Button>
  ));
}

function Shown({ report }: { report: Report }) {
  return (
    <Stack>
      <Text>
        <strong>{sentence(visible(report.summary))}</strong> <span className={classes.span}>{formatTime(report.since)} to {formatTime(report.until)}</span>
      </Text>
      {report.tables.map((table) => (
        <Card key={table.title} title={visible(table.title)} flush>
          {table.note && (
            <Text size="sm" c="dimmed" className={classes.note}>
              {sentence(visible(table.note))}
            </Text>
          )}
          <VirtualTable label={table.title} rows={table.rows.map((cells, number) => ({ cells, number }))} columns={columnsOf(table)} rowKey={(row) => String(row.number)} maxHeight="60vh" empty="None." />
        </Card>
      ))}
    </Stack>
  );
}

interface Row {
  cells: Table["rows"][number];
  number: number;
}

/** What is not known sorts below all that is. */
function columnsOf(table: Table): Column<Row>[] {
  return table.columns.map(({ name, unit }, index) => ({
    key: String(index),
    title: visible(name),
    width: isNumber(unit) ? "minmax(96px, 1fr)" : "minmax(110px, 1.6fr)",
    sortBy: ({ cells }) => cells[index] ?? (isNumber(unit) ? -Infinity : ""),
    ...(isNumber(unit) && { align: "right" as const }),
    cell: ({ cells }) => {
      const cell = cells[index] ?? null;
      if (unit === "time" && typeof cell === "string" && !Number.isNaN(Date.parse(cell))) return <Moment time={cell} />;
      const text = cellText(cell, unit);
      return <span title={text}>{text}</span>;
    },
  }));
}
