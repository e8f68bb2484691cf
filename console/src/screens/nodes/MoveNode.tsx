/** A node to another machine: what to carry there by hand, and the command by which that machine takes its place. */
import { Button, Code, Group, List, Loader, Modal, Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { client, type Schemas, take } from "../../api/client";
import type { Node } from "../../live/store";
import { useTrying } from "../../parts/acting";
import { Copyable } from "../../parts/Equivalent";
import { visible } from "../../parts/format";
import { Problem } from "../../parts/Problem";

export function MoveNode({ node, onClose }: { node: Node; onClose: () => void }) {
  const [made, setMade] = useState<Schemas["NodeMove"] | null>(null);
  const { busy, error, attempt } = useTrying();
  const ask = (dry_run: boolean) => take(client.POST("/api/v1/nodes/{node}/move", { params: { path: { node: node.name } }, body: { dry_run, ttl_s: 86_400 } }));
  const plan = useQuery({ queryKey: ["node-move", node.name, node.generation], queryFn: () => ask(true) });
  const make = () =>
    attempt(async () => {
      setMade(await ask(false));
    });
  const failed = error ?? plan.error;
  return (
    <Modal opened onClose={onClose} size="lg" title={`Move ${visible(node.name)} to another machine`}>
      <Stack gap="sm">
        {failed !== null && <Problem error={failed} />}
        <Text size="sm">Stop it on the old machine, then carry this to the same places on the new one, with owners, modes and times:</Text>
        {plan.isPending && <Loader aria-label="Asking what it has" />}
        {plan.data && <Carry rows={plan.data.carry} />}
        {made?.token ? (
          <>
            <Text size="sm">Then run this there, and start the agent. From that moment on the key of the old machine opens nothing. The command works once, for one day.</Text>
            <Copyable text={made.token.command} what="command" />
          </>
        ) : (
          <Text size="sm">Nothing changes before the new machine joins.</Text>
        )}
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            Close
          </Button>
          {!made && (
            <Button onClick={() => void make()} loading={busy} disabled={!plan.data}>
              Make the join command
            </Button>
          )}
        </Group>
      </Stack>
    </Modal>
  );
}

function Carry({ rows }: { rows: readonly Schemas["Carried"][] }) {
  return (
    <List size="sm" spacing={6} aria-label="What to carry">
      {rows.map((row) => (
        <List.Item key={`${row.what} ${row.where}`}>
          <Code>{visible(row.where)}</Code> {visible(row.name)}
          <Text size="xs" c="dimmed">
            Left behind: {visible(row.otherwise)}
          </Text>
        </List.Item>
      ))}
    </List>
  );
}
