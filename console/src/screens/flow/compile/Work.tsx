/** What each node will do once the flow is active, and what changes there by it. */
import { Text } from "@mantine/core";
import {
  IconArrowForwardUp,
  IconCircleMinus,
  IconCirclePlus,
  IconCopy,
  IconDatabase,
  IconDownload,
  IconEye,
  IconGauge,
  IconPencil,
  IconUpload,
} from "@tabler/icons-react";
import { type ComponentType, useMemo } from "react";
import { Card } from "../../../parts/Card";
import { formatCount, visible } from "../../../parts/format";
import { type Column, VirtualTable } from "../../../parts/VirtualTable";
import type { CompileReport } from "../useCompile";
import classes from "./compile.module.css";
import { type ChangeKind, type ChangeRow, changeRows, countVerbs, type Verb, type WorkRow, workRows } from "./grouping";
import { Who } from "./Who";

type Icon = ComponentType<{ size?: number; "aria-hidden"?: boolean }>;

const VERBS: Record<Verb, [Icon, string]> = {
  implements: [IconEye, "captures"],
  sends: [IconUpload, "sends"],
  receives: [IconDownload, "receives"],
  stores: [IconDatabase, "stores"],
  mirrors: [IconCopy, "mirrors"],
  forwards: [IconArrowForwardUp, "forwards"],
  limits: [IconGauge, "limits"],
};
const KINDS: Record<ChangeKind, [Icon, string]> = {
  starts: [IconCirclePlus, "starts"],
  changes: [IconPencil, "changes"],
  stops: [IconCircleMinus, "stops"],
};

function Word({ of: [Icon, word] }: { of: [Icon, string] }) {
  return (
    <span className={classes.verb}>
      <Icon size={16} aria-hidden />
      {word}
    </span>
  );
}

const who = <Row extends WorkRow | ChangeRow>(): Column<Row> => ({
  key: "who",
  title: "Node",
  width: "minmax(150px, 1.2fr)",
  cell: (row) => <Who nodes={row.nodes} repeat={!row.first} />,
  sortBy: (row) => row.nodes[0] ?? "",
});

const WORK: readonly Column<WorkRow>[] = [
  who(),
  { key: "verb", title: "Does", width: "110px", cell: (row) => <Word of={VERBS[row.verb]} />, sortBy: (row) => VERBS[row.verb][1] },
  { key: "dataset", title: "Dataset", width: "minmax(150px, 1.4fr)", cell: (row) => visible(row.dataset), sortBy: (row) => row.dataset },
  { key: "operations", title: "For", width: "minmax(110px, 1fr)", cell: (row) => visible(row.operations), sortBy: (row) => row.operations },
  { key: "detail", title: "Where", width: "minmax(160px, 2fr)", cell: (row) => <span title={visible(row.detail)}>{visible(row.detail)}</span> },
];

const CHANGES: readonly Column<ChangeRow>[] = [
  who(),
  { key: "kind", title: "What", width: "110px", cell: (row) => <Word of={KINDS[row.kind]} />, sortBy: (row) => row.kind },
  { key: "line", title: "Rule", width: "minmax(260px, 4fr)", cell: (row) => <span title={visible(row.line)}>{visible(row.line)}</span> },
];

export function Work({ report }: { report: CompileReport }) {
  const { nodes } = report.summary;
  const rows = useMemo(() => workRows(nodes), [nodes]);
  const counts = useMemo(() => [...countVerbs(nodes)], [nodes]);
  return (
    <Card title="What each node will do" flush>
      {rows.length === 0 ? (
        <Text size="sm" c="dimmed" className={classes.quiet}>
          {report.valid ? "Nothing: no mover carries anything." : "This is known when the errors are mended."}
        </Text>
      ) : (
        <>
          <div className={classes.counts}>
            <span>{formatCount(nodes.length)} {nodes.length === 1 ? "node" : "nodes"}:</span>
            {counts.map(([verb, count]) => (
              <span key={verb}>
                {VERBS[verb][1]} {formatCount(count)}
              </span>
            ))}
          </div>
          <VirtualTable label="What each node will do" rows={rows} columns={WORK} rowKey={(row) => row.key} maxHeight={360} rowHeight={34} />
        </>
      )}
    </Card>
  );
}

export function Changes({ report }: { report: CompileReport }) {
  const rows = useMemo(() => changeRows(report.changes), [report.changes]);
  if (rows.length === 0) return null;
  return (
    <Card title="What changes on which node" flush>
      <VirtualTable label="What changes on which node" rows={rows} columns={CHANGES} rowKey={(row) => row.key} maxHeight={300} rowHeight={34} />
      <Text size="sm" c="dimmed" className={classes.quiet} pt={10}>
        Where something stops, what is stored stays.
      </Text>
    </Card>
  );
}
