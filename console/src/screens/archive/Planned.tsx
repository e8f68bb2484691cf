/** What the archive operations in force would take now. Looking changes nothing. */
import { Alert, Button, Loader, Text } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { client, type Schemas, take } from "../../api/client";
import { Card } from "../../parts/Card";
import { Copyable } from "../../parts/Equivalent";
import { formatBytes, formatCount, shellWord, visible } from "../../parts/format";
import { Moment } from "../../parts/Moment";
import { Problem } from "../../parts/Problem";
import { type Column, VirtualTable } from "../../parts/VirtualTable";
import { encodedPath } from "../restore/paths";
import { leftWord, type Plan, planKey } from "./archive";
import classes from "./archive.module.css";

type PlannedFile = Schemas["PlannedFile"];

const NAMED = 500;

/** Asked for, not by itself: each source goes through all it captured last. */
export function Planned() {
  const asked = useMutation({ mutationFn: () => take(client.GET("/api/v1/archive/plan", { params: { query: { limit: NAMED } } })) });
  const [chosen, setChosen] = useState("");
  const plans = asked.data?.plans ?? [];
  const shown = plans.find((plan) => planKey(plan) === chosen) ?? plans[0];
  const silent = asked.data?.silent ?? [];
  return (
    <Card
      title="What would be archived now"
      actions={
        <Button size="xs" variant="default" loading={asked.isPending} onClick={() => asked.mutate()}>
          Look what would go
        </Button>
      }
      flush
    >
      {asked.error && <Problem error={asked.error} onRetry={() => asked.mutate()} />}
      {silent.length > 0 && <Alert role="alert" color="gray" variant="light" title={`No answer from ${silent.map(visible).join(", ")}: what would go there is missing here.`} />}
      {asked.data ? (
        <div role="status">
          <VirtualTable
            label="What would be archived"
            rows={plans}
            columns={COLUMNS}
            rowKey={planKey}
            maxHeight="28vh"
            selected={shown ? planKey(shown) : ""}
            onOpen={(plan) => setChosen(planKey(plan))}
            empty="No archive operation is in force."
          />
        </div>
      ) : (
        <Text size="sm" c="dimmed" className={classes.bar}>
          {asked.isPending ? <Loader size="xs" aria-label="Asking the machines" /> : "By the rules in force, and by what was captured last. Looking changes nothing."}
        </Text>
      )}
      {shown && shown.first.length > 0 && <Files plan={shown} />}
    </Card>
  );
}

function Files({ plan }: { plan: Plan }) {
  return (
    <>
      <VirtualTable label={`Files of ${visible(plan.dataset)} that would go`} rows={plan.first} columns={FILES} rowKey={encodedPath} rowHeight={34} maxHeight="36vh" />
      <div className={classes.bar}>
        <Text size="sm" c="dimmed">
          {plan.files > plan.first.length ? `The first ${formatCount(plan.first.length)} of ${formatCount(plan.files)} files.` : ""}
        </Text>
        <Copyable text={`holdfast archive plan ${shellWord(plan.dataset)}`} what="command" />
      </div>
    </>
  );
}

const COLUMNS: Column<Plan>[] = [
  { key: "dataset", title: "Dataset", width: "minmax(150px, 2fr)", sortBy: (plan) => plan.dataset, cell: (plan) => visible(plan.dataset) },
  { key: "operation", title: "Operation", width: "minmax(90px, 1fr)", cell: (plan) => visible(plan.operation) },
  { key: "why", title: "Takes", width: "minmax(150px, 2fr)", cell: (plan) => <span title={plan.why}>{visible(plan.why)}</span> },
  { key: "leave", title: "Leaves", width: "110px", cell: (plan) => leftWord(plan.leave) },
  { key: "files", title: "Files", width: "84px", align: "right", sortBy: (plan) => plan.files, cell: (plan) => formatCount(plan.files) },
  { key: "size", title: "Size", width: "90px", align: "right", sortBy: (plan) => plan.size_bytes, cell: (plan) => formatBytes(plan.size_bytes) },
];

const FILES: Column<PlannedFile>[] = [
  {
    key: "path",
    title: "File",
    width: "minmax(220px, 3fr)",
    sortBy: (file) => file.path,
    cell: (file) => (
      <div className={classes.line} title={visible(file.path)}>
        {visible(file.path)}
      </div>
    ),
  },
  { key: "modified", title: "Last changed", width: "160px", sortBy: (file) => file.modified_at, cell: (file) => <Moment time={file.modified_at} /> },
  { key: "size", title: "Size", width: "90px", align: "right", sortBy: (file) => file.size_bytes, cell: (file) => formatBytes(file.size_bytes) },
];
