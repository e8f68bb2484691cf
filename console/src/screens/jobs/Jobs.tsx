/** All jobs, newest first: what runs now on top, then the record, as far back as one scrolls. */
import { Autocomplete, Loader, Select, Text } from "@mantine/core";
import { IconSearch } from "@tabler/icons-react";
import { type ReactNode, useState } from "react";
import { Link, useLocation } from "wouter";
import { to } from "../../app/places";
import { isOver, type Job, useLive } from "../../live/store";
import { Card } from "../../parts/Card";
import { useNow } from "../../parts/clock";
import { counted, formatBytes, formatCount, formatDuration, visible } from "../../parts/format";
import { Moment } from "../../parts/Moment";
import { Page } from "../../parts/Page";
import { percentOf, placeWord } from "../../parts/progress";
import { Problem } from "../../parts/Problem";
import { State, stateOf } from "../../parts/State";
import { useFilters } from "../../parts/useFilters";
import { type Column, VirtualTable } from "../../parts/VirtualTable";
import { shortWait } from "../flow/monitor/waits";
import { causeWord, JOB_STATES, sumsOf, tookS, whatWord } from "./jobs";
import classes from "./Jobs.module.css";
import { useJobs } from "./useJobs";

const NAMES = ["state", "node", "rule", "flow", "tag"] as const;

export default function Jobs() {
  const [filter, put] = useFilters(NAMES);
  const [, go] = useLocation();
  const { rows, more, readMore, pages } = useJobs(filter);
  const isFiltered = NAMES.some((name) => filter[name] !== "");
  return (
    <Page title="Jobs" lead="Every run of a rule, each copy onward, restore and check." cli="holdfast jobs" api={`GET /api/v1/jobs${query(filter)}`}>
      {pages.error && <Problem error={pages.error} onRetry={() => void pages.refetch()} />}
      <Card title={more ? `${formatCount(rows.length)} jobs and more` : counted(rows.length, "job")} actions={<Filters filter={filter} put={put} tags={[...new Set(rows.flatMap((job) => job.tags))].sort()} />} flush>
        <VirtualTable
          label="Jobs"
          rows={rows}
          columns={COLUMNS}
          rowKey={(job) => job.id}
          rowHeight={52}
          maxHeight="66vh"
          onOpen={(job) => go(to.job(job.id))}
          onEnd={readMore}
          empty={pages.isPending ? <Loader size="sm" aria-label="Reading the jobs" /> : isFiltered ? "No job fits this filter." : "Nothing has run yet. The first job comes with the first active flow."}
        />
        {pages.isFetchingNextPage && (
          <Text size="sm" c="dimmed" className={classes.more} role="status">
            Reading older jobs …
          </Text>
        )}
      </Card>
    </Page>
  );
}

interface FiltersProps {
  filter: Record<(typeof NAMES)[number], string>;
  put: (change: Partial<Record<(typeof NAMES)[number], string>>) => void;
  /** Those of the jobs that are shown. */
  tags: readonly string[];
}

function Filters({ filter, put, tags }: FiltersProps) {
  const { nodes, flows } = useLive(({ nodes, flows }) => ({ nodes, flows }));
  const labels = [...new Set(flows.flatMap((flow) => flow.datasets))].sort();
  const one = (name: "state" | "node" | "flow" | "tag", label: string, any: string, data: readonly string[]) => (
    <Select size="xs" w={126} aria-label={label} placeholder={any} clearable searchable data={[...data]} value={filter[name] || null} onChange={(value) => put({ [name]: value ?? "" })} />
  );
  return (
    <>
      <RuleFilter key={filter.rule} rule={filter.rule} labels={labels} onRule={(rule) => put({ rule })} />
      {one("state", "State", "Any state", JOB_STATES)}
      {one("node", "Node", "Any node", [...new Set(nodes.map((node) => node.name))])}
      {one("flow", "Flow", "Any flow", flows.map((flow) => flow.name))}
      {(tags.length > 0 || filter.tag) && one("tag", "Tag", "Any tag", tags)}
    </>
  );
}

/** Asked for when it is chosen or Enter is pressed, not at each letter: the Master wants the whole name. */
function RuleFilter({ rule, labels, onRule }: { rule: string; labels: readonly string[]; onRule: (rule: string) => void }) {
  const [typed, setTyped] = useState(rule);
  return (
    <Autocomplete
      size="xs"
      w={190}
      aria-label="Dataset or rule"
      placeholder="Dataset or rule"
      leftSection={<IconSearch size={14} aria-hidden />}
      data={[...labels]}
      limit={20}
      value={typed}
      onChange={setTyped}
      onOptionSubmit={onRule}
      onBlur={() => onRule(typed.trim())}
      onKeyDown={(event) => {
        if (event.key === "Enter") onRule(typed.trim());
      }}
      clearable
    />
  );
}

const query = (filter: Record<string, string>): string => {
  const text = new URLSearchParams(Object.entries(filter).filter(([, value]) => value)).toString();
  return text ? `?${text}` : "";
};

const size = (bytes: number): string => (bytes > 0 ? formatBytes(bytes) : "–");

const COLUMNS: Column<Job>[] = [
  { key: "state", title: "State", width: "126px", cell: (job) => <JobState job={job} /> },
  { key: "rule", title: "What, on which node", width: "minmax(170px, 1fr)", cell: (job) => <What job={job} /> },
  {
    key: "started",
    title: "Started, why",
    width: "112px",
    cell: (job) => <TwoLines first={<Moment time={job.started_at ?? job.created_at} ago />} second={causeWord(job.cause)} />,
  },
  { key: "took", title: "Took", width: "84px", align: "right", cell: (job) => <Took job={job} /> },
  { key: "changed", title: "Changed", width: "68px", align: "right", cell: (job) => formatCount(sumsOf(job).changed) },
  { key: "read", title: "Read", width: "74px", align: "right", cell: (job) => size(sumsOf(job).read) },
  { key: "sent", title: "Sent", width: "74px", align: "right", cell: (job) => size(sumsOf(job).sent) },
  { key: "stored", title: "Stored", width: "74px", align: "right", cell: (job) => size(sumsOf(job).stored) },
  { key: "findings", title: "Findings", width: "66px", align: "right", cell: (job) => formatCount(job.findings_total) },
];

function What({ job }: { job: Job }) {
  const link = (
    <Link href={to.job(job.id)} className={classes.name} title={visible(job.rule)}>
      {visible(job.rule)}
    </Link>
  );
  const lanes = useLive((live) => (isOver(job) ? undefined : live.progress.get(job.id)?.lanes)) ?? [];
  const held = lanes.find((lane) => lane.bottleneck && lane.bottleneck.place !== "none")?.bottleneck;
  const words = [visible(job.node_name), job.kind === "run" ? "" : whatWord(job).toLowerCase(), held ? `held up by ${placeWord(held)}` : "", job.wait ? shortWait(job.wait) : ""];
  return <TwoLines first={link} second={words.filter(Boolean).join(", ")} />;
}

function TwoLines({ first, second }: { first: ReactNode; second: string }) {
  return (
    <>
      <div className={classes.line}>{first}</div>
      <div className={classes.second}>{second}</div>
    </>
  );
}

function JobState({ job }: { job: Job }) {
  const progress = useLive((live) => live.progress.get(job.id) ?? null);
  const percent = !isOver(job) && progress ? percentOf(progress) : null;
  return <State state={stateOf(job.state)} label={percent === null ? job.state : `${job.state} ${Math.floor(percent)} %`} />;
}

function Took({ job }: { job: Job }) {
  const seconds = tookS(job, useNow());
  if (seconds === null) return "–";
  return seconds < 1 ? "under 1 s" : formatDuration(seconds);
}
