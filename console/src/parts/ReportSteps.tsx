/** The lines of a plan, or of what was done: so many things, so many bytes, one file. */
import { Text } from "@mantine/core";
import type { Schemas } from "../api/client";
import { formatBytes, formatCount, sentence, visible } from "./format";
import { type Column, VirtualTable } from "./VirtualTable";
import classes from "./ReportSteps.module.css";

type Step = Schemas["Step"];

interface NumberedStep {
  number: number;
  step: Step;
}

const COLUMNS: Column<NumberedStep>[] = [
  {
    key: "what",
    title: "What",
    width: "minmax(120px, 1fr)",
    cell: ({ step }) => (
      <div title={visible(step.message)}>
        <div className={step.path ? classes.line : classes.text}>{sentence(visible(step.message))}</div>
        {step.path && (
          <Text size="xs" c="dimmed" className={classes.line} title={visible(step.path)}>
            {visible(step.path)}
          </Text>
        )}
      </div>
    ),
  },
  { key: "count", title: "Count", width: "56px", align: "right", cell: ({ step }) => (step.count > 0 ? formatCount(step.count) : "–") },
  { key: "size", title: "Size", width: "74px", align: "right", cell: ({ step }) => (step.size_bytes > 0 ? formatBytes(step.size_bytes) : "–") },
];

export function ReportSteps({ label, steps }: { label: string; steps: readonly Step[] }) {
  const rows = steps.map((step, number) => ({ number, step }));
  return <VirtualTable label={label} rows={rows} columns={COLUMNS} rowKey={(row) => String(row.number)} rowHeight={48} maxHeight="40vh" empty="There is nothing to do." />;
}
