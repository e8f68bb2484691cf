/** The difference between two texts, line by line: added and removed by sign, word and colour. */
import { Button, Text, VisuallyHidden } from "@mantine/core";
import { useMemo, useState } from "react";
import { counted, formatCount, visible } from "../parts/format";
import classes from "./DiffView.module.css";
import { type DiffLine, diffLines, type Skipped, withContext } from "./lines";

const SIGNS = { added: "+", removed: "−", same: "" };
const SHOWN = 500;

interface DiffViewProps {
  before: string;
  after: string;
  /** What the two are, for those who do not see it. */
  label: string;
}

export function DiffView({ before, after, label }: DiffViewProps) {
  const lines = useMemo(() => diffLines(before, after), [before, after]);
  const rows = useMemo(() => withContext(lines), [lines]);
  const [most, setMost] = useState(SHOWN);
  const count = (kind: DiffLine["kind"]) => lines.filter((line) => line.kind === kind).length;
  if (before === after) return <Text size="sm">No difference: the texts are the same, byte for byte.</Text>;
  return (
    <>
      <Text size="sm" c="dimmed" mb={6}>
        {counted(count("added"), "line")} added, {formatCount(count("removed"))} removed
      </Text>
      <div className={classes.frame} tabIndex={0} role="region" aria-label={label}>
        <table className={classes.table}>
          <thead>
            <VisuallyHidden component="tr">
              <th>Line before</th>
              <th>Line after</th>
              <th>What</th>
              <th>Text</th>
            </VisuallyHidden>
          </thead>
          <tbody>
            {rows.slice(0, most).map((row, index) => (
              <Row key={index} row={row} />
            ))}
          </tbody>
        </table>
      </div>
      {rows.length > most && (
        <Button variant="subtle" size="xs" mt={6} onClick={() => setMost(most + SHOWN * 4)}>
          Show more of {formatCount(rows.length)} lines
        </Button>
      )}
    </>
  );
}

function Row({ row }: { row: DiffLine | Skipped }) {
  if (row.kind === "skipped")
    return (
      <tr>
        <td colSpan={4} className={classes.skipped}>
          {counted(row.count, "line")} alike
        </td>
      </tr>
    );
  return (
    <tr className={classes.row} data-kind={row.kind}>
      <td className={classes.number}>{row.before}</td>
      <td className={classes.number}>{row.after}</td>
      <td className={classes.sign}>
        <span aria-hidden>{SIGNS[row.kind]}</span>
        {row.kind !== "same" && <VisuallyHidden>{row.kind}</VisuallyHidden>}
      </td>
      <td className={classes.text}>{visible(row.text)}</td>
    </tr>
  );
}
