/** Of each operation and receiver: runs, points, and what retention would leave of them. */
import { Table } from "@mantine/core";
import type { Schemas } from "../../api/client";
import { formatCount, visible } from "../../parts/format";
import { Moment } from "../../parts/Moment";
import classes from "./schedules.module.css";

export function Lines({ lines }: { lines: readonly Schemas["SimulatedLine"][] }) {
  return (
    <div className={classes.lines} tabIndex={0} role="region" aria-label="Runs, points, and what retention would leave">
      <Table fz="sm" verticalSpacing={5}>
        <Table.Thead>
          <Table.Tr>
            {["Operation", "Receiver", "Datasets", "Runs of each", "Points", "Kept", "Oldest kept"].map((title) => (
              <Table.Th key={title}>{title}</Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {lines.map((line) => (
            <Table.Tr key={`${line.policy}/${line.operation} ${line.receiver} ${line.dataset}`}>
              <Table.Td>{visible(`${line.policy}/${line.operation}`)}</Table.Td>
              <Table.Td>{visible(line.receiver)}</Table.Td>
              <Table.Td>{formatCount(line.datasets)}</Table.Td>
              <Table.Td>{formatCount(line.runs)}</Table.Td>
              <Table.Td>{formatCount(line.points)}</Table.Td>
              <Table.Td>{formatCount(line.kept)}</Table.Td>
              <Table.Td>{line.oldest ? <Moment time={line.oldest} /> : "none"}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </div>
  );
}
