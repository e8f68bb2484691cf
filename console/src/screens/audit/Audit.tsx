/** The audit log: who asked what, newest first, and whether anybody changed the log. */
import { Button, Loader, Text, TextInput } from "@mantine/core";
import { useInfiniteQuery, useMutation } from "@tanstack/react-query";
import { client, type Schemas, take } from "../../api/client";
import { Card } from "../../parts/Card";
import { counted, formatCount, visible } from "../../parts/format";
import { Moment } from "../../parts/Moment";
import { Page } from "../../parts/Page";
import { Problem } from "../../parts/Problem";
import { State } from "../../parts/State";
import { useFilters } from "../../parts/useFilters";
import { type Column, VirtualTable } from "../../parts/VirtualTable";

type AuditRecord = Schemas["AuditRecord"];

const NAMES = ["user", "activity"] as const;
const PAGE = 500;

export default function Audit() {
  const [filter, put] = useFilters(NAMES);
  const pages = useInfiniteQuery({
    queryKey: ["audit", filter],
    queryFn: ({ pageParam, signal }) => take(client.GET("/api/v1/audit", { params: { query: { ...filter, before: pageParam, limit: PAGE } }, signal })),
    initialPageParam: 0,
    getNextPageParam: (last) => (last.more ? last.records.at(-1)?.number : undefined),
    gcTime: 0,
  });
  const rows = pages.data?.pages.flatMap((page) => page.records) ?? [];
  const readMore = () => {
    if (pages.hasNextPage && !pages.isFetchingNextPage) void pages.fetchNextPage();
  };
  const word = (name: (typeof NAMES)[number], label: string, placeholder: string) => (
    <TextInput size="xs" w={150} aria-label={label} placeholder={placeholder} value={filter[name]} onChange={(event) => put({ [name]: event.currentTarget.value.trim() })} />
  );
  return (
    <Page title="Audit" lead="Every change, search and restore that was asked of the Master, in a chain that shows what was done to it." cli="holdfast audit ls" api="GET /api/v1/audit">
      {pages.error && <Problem error={pages.error} onRetry={() => void pages.refetch()} />}
      <Verification />
      <Card
        title={pages.hasNextPage ? `${formatCount(rows.length)} records and more` : counted(rows.length, "record")}
        actions={
          <>
            {word("user", "User", "Any user")}
            {word("activity", "Activity", "Any activity")}
          </>
        }
        flush
      >
        <VirtualTable
          label="Audit records"
          rows={rows}
          columns={COLUMNS}
          rowKey={(record) => String(record.number)}
          maxHeight="66vh"
          onEnd={readMore}
          empty={pages.isPending ? <Loader size="sm" aria-label="Reading the audit log" /> : "No record fits this filter."}
        />
      </Card>
    </Page>
  );
}

function Verification() {
  const asked = useMutation({ mutationFn: () => take(client.GET("/api/v1/audit/verification")) });
  const found = asked.data;
  const witnesses = Object.keys(found?.witnesses ?? {}).map(visible);
  return (
    <Card
      title="Was it changed?"
      actions={
        <Button size="xs" variant="default" loading={asked.isPending} onClick={() => asked.mutate()}>
          Verify the log
        </Button>
      }
    >
      {asked.error && <Problem error={asked.error} onRetry={() => asked.mutate()} />}
      {!found && !asked.error && (
        <Text size="sm" c="dimmed">
          All records are held against each other, and against what the connected nodes keep of them.
        </Text>
      )}
      {found && (
        <div role="status">
          <State
            state={found.findings.length > 0 ? "failed" : "ok"}
            label={found.findings.length > 0 ? counted(found.findings.length, "finding") : `${counted(found.records, "record")}, none changed`}
          />
          <Text size="sm" mt={4}>
            {witnesses.length > 0 ? `Witnesses: ${witnesses.join(", ")}.` : "No connected node keeps anything of it yet: a log rewritten as a whole would look right."}
          </Text>
          {found.findings.map((finding) => (
            <Text key={`${finding.code} ${finding.number} ${finding.witness}`} size="sm">
              Record {formatCount(finding.number)}: {visible(finding.message)}.
            </Text>
          ))}
        </div>
      )}
    </Card>
  );
}

const COLUMNS: Column<AuditRecord>[] = [
  { key: "number", title: "Record", width: "76px", align: "right", cell: (record) => formatCount(record.number) },
  { key: "at", title: "When", width: "174px", cell: (record) => <Moment time={record.at} /> },
  { key: "user", title: "Who", width: "104px", cell: (record) => <span title={record.peer}>{visible(record.user) || "not signed in"}</span> },
  { key: "activity", title: "Activity", width: "minmax(130px, 150px)", cell: (record) => record.activity },
  { key: "target", title: "Asked of", width: "minmax(200px, 1fr)", cell: (record) => <span title={visible(record.arguments)}>{visible(record.target)}</span> },
  { key: "end", title: "End", width: "132px", cell: (record) => <End record={record} /> },
];

/** Of what was asked, the end is a record of its own. */
function End({ record }: { record: AuditRecord }) {
  if (record.phase !== "ended") return record.phase;
  return <State state={record.error ? "failed" : "ok"} label={`${record.error || "done"}${record.of ? ` (${formatCount(record.of)})` : ""}`} />;
}
