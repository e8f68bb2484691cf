/** Whoever did not answer is named: what is shown lacks what they have. */
import { Alert, List } from "@mantine/core";
import { IconPlugConnectedX } from "@tabler/icons-react";
import type { Schemas } from "../api/client";
import { visible } from "./format";

export function Unreachable({ rows, what }: { rows: readonly Schemas["Unreachable"][] | undefined; what: string }) {
  if (!rows || rows.length === 0) return null;
  const title = rows.length === 1 ? "A repository does not answer" : `${rows.length} repositories do not answer`;
  return (
    <Alert role="alert" color="gray" variant="light" icon={<IconPlugConnectedX aria-hidden />} title={`${title}. ${what}`}>
      <List size="sm">
        {rows.slice(0, 10).map((row) => (
          <List.Item key={`${row.node}/${row.repository}`}>
            {visible(row.repository)} on {visible(row.node)}: {row.error.message}
          </List.Item>
        ))}
        {rows.length > 10 && <List.Item>and {rows.length - 10} more</List.Item>}
      </List>
    </Alert>
  );
}
