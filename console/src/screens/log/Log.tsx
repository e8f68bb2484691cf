/** The log: what the nodes and the Master had to say, newest first and live; lines are acknowledged, and taken elsewhere. */
import { Button, Checkbox, Loader, Text } from "@mantine/core";
import { IconDownload } from "@tabler/icons-react";
import { useMemo, useState } from "react";
import { useMay } from "../../api/rights";
import { asApiError } from "../../api/client";
import { Card } from "../../parts/Card";
import { counted, formatCount, visible } from "../../parts/format";
import { Moment } from "../../parts/Moment";
import { Page } from "../../parts/Page";
import { Problem } from "../../parts/Problem";
import { State, stateOf } from "../../parts/State";
import { useFilters } from "../../parts/useFilters";
import { type Column, VirtualTable } from "../../parts/VirtualTable";
import { Acknowledge } from "./Acknowledge";
import { Line } from "./Line";
import { beginsSession, callOf, commandOf, exportOf, type LogFilter, type LogLine, NAMES, openOf } from "./log";
import classes from "./Log.module.css";
import { Filters } from "./LogFilters";
import { useLog } from "./useLog";

/** So many the API takes in one call. */
const MOST = 10_000;
const REFUSED = 403;

export default function Log() {
  const [filter, put] = useFilters(NAMES);
  const log = useLog(filter);
  const { error } = log.pages;
  const isRefused = error !== null && asApiError(error).status === REFUSED;
  return (
    <Page
      title="Log"
      lead="What the nodes and the Master had to say, newest first. What somebody has seen to can be acknowledged."
      actions={!isRefused && <Exports filter={filter} />}
      cli={commandOf(filter)}
      api={callOf(filter)}
    >
      {error && <Problem error={error} {...(!isRefused && { onRetry: () => void log.pages.refetch() })} />}
      {!isRefused && <Lines filter={filter} put={put} log={log} />}
    </Page>
  );
}

function Exports({ filter }: { filter: LogFilter }) {
  return (["csv", "jsonl"] as const).map((format) => (
    <Button key={format} component="a" href={exportOf(filter, format)} download variant="default" size="xs" leftSection={<IconDownload size={15} aria-hidden />}>
      Export as {format === "csv" ? "CSV" : "JSON lines"}
    </Button>
  ));
}

interface LinesProps {
  filter: LogFilter;
  put: (change: Partial<LogFilter>) => void;
  log: ReturnType<typeof useLog>;
}

function Lines({ filter, put, log }: LinesProps) {
  const { rows, more, pages } = log;
  const may = useMay()("log.acknowledge", "everything");
  const [ticked, setTicked] = useState<ReadonlySet<number>>(new Set());
  const [asked, setAsked] = useState<readonly number[] | null>(null);
  const [opened, setOpened] = useState<LogLine | null>(null);
  const chosen = useMemo(() => openOf(rows, ticked), [rows, ticked]);
  const columns = useMemo(() => [...(may ? [tickColumn(ticked, setTicked)] : []), ...COLUMNS], [may, ticked]);
  const isFiltered = NAMES.some((name) => filter[name] !== "");
  const nothing = isFiltered ? "No line fits this filter." : "Nothing was said yet. Nodes and the Master write here what goes wrong, and what begins and ends.";
  const open = rows.filter((line) => line.acknowledged_at === null).length;
  return (
    <Card title={more ? `${formatCount(rows.length)} lines and more` : counted(rows.length, "line")} flush>
      <Filters filter={filter} put={put} />
      <VirtualTable
        label="Log"
        rows={rows}
        columns={columns}
        rowKey={(line) => String(line.number)}
        rowHeight={52}
        maxHeight="58vh"
        onOpen={setOpened}
        begins={beginsSession}
        onEnd={log.readMore}
        empty={pages.isPending ? <Loader size="sm" aria-label="Reading the log" /> : pages.error ? "Not read." : nothing}
      />
      {may && (
        <div className={classes.bar} role="group" aria-label="With the chosen lines">
          <span aria-live="polite">{chosen.length > 0 ? `${counted(chosen.length, "line")} chosen` : "Tick lines to acknowledge them."}</span>
          <Button size="compact-sm" variant="default" disabled={chosen.length === 0 || chosen.length > MOST} onClick={() => setAsked(chosen)}>
            Acknowledge …
          </Button>
          {open > chosen.length && (
            <Button size="compact-sm" variant="subtle" onClick={() => setTicked(new Set(rows.map((line) => line.number)))}>
              Choose all {formatCount(open)} open lines shown
            </Button>
          )}
          {chosen.length > 0 && (
            <Button size="compact-sm" variant="subtle" onClick={() => setTicked(new Set())}>
              Choose none
            </Button>
          )}
          {chosen.length > MOST && <span>At most {formatCount(MOST)} at once.</span>}
        </div>
      )}
      {pages.isFetchingNextPage && (
        <Text size="sm" c="dimmed" className={classes.more} role="status">
          Reading older lines …
        </Text>
      )}
      {asked && <Acknowledge numbers={asked} onClose={() => setAsked(null)} />}
      {opened && <Line line={opened} mayAcknowledge={may} onAcknowledge={() => setAsked([opened.number])} onClose={() => setOpened(null)} />}
    </Card>
  );
}

function tickColumn(ticked: ReadonlySet<number>, onTick: (next: ReadonlySet<number>) => void): Column<LogLine> {
  const tick = (number: number) => {
    const next = new Set(ticked);
    if (!next.delete(number)) next.add(number);
    onTick(next);
  };
  return {
    key: "tick",
    title: "",
    width: "28px",
    cell: (line) =>
      line.acknowledged_at === null && (
        <span className={classes.check} onClick={(event) => event.stopPropagation()}>
          <Checkbox size="sm" checked={ticked.has(line.number)} onChange={() => tick(line.number)} aria-label={`Choose line ${line.number}`} />
        </span>
      ),
  };
}

const COLUMNS: Column<LogLine>[] = [
  { key: "time", title: "When", width: "176px", cell: (line) => <Moment time={line.time} /> },
  { key: "severity", title: "Severity", width: "104px", cell: (line) => <State state={stateOf(line.severity)} label={line.severity} /> },
  { key: "node", title: "From", width: "112px", cell: (line) => visible(line.node_name || line.node.slice(0, 8) || "Master") },
  {
    key: "message",
    title: "What",
    width: "minmax(240px, 1fr)",
    cell: (line) => (
      <>
        <span className={classes.line} title={visible(line.message)}>
          {visible(line.message)}
        </span>
        <span className={classes.second}>{visible(line.code)}</span>
      </>
    ),
  },
  { key: "seen", title: "Acknowledged", width: "minmax(110px, 0.4fr)", cell: (line) => <Seen line={line} /> },
];

function Seen({ line }: { line: LogLine }) {
  if (line.acknowledged_at === null) return "no";
  return (
    <>
      <span className={classes.line}>
        {visible(line.acknowledged_by)}, <Moment time={line.acknowledged_at} ago />
      </span>
      <span className={classes.second} title={visible(line.comment)}>
        {visible(line.comment)}
      </span>
    </>
  );
}
