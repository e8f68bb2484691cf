/** Before a node is sent away: what stops, in numbers, and what stays. */
import { List, Text } from "@mantine/core";
import { client, take } from "../../api/client";
import type { Node } from "../../live/store";
import { useBusy } from "../../parts/acting";
import { ConfirmByName } from "../../parts/ConfirmByName";
import { counted, formatBytes, visible } from "../../parts/format";
import { sayDone } from "../../parts/notices";
import type { Loss } from "./nodes";

/** `loss` null: the Master has not told yet. */
export function RevokeNode({ node, loss, onClose }: { node: Node; loss: Loss | null; onClose: () => void }) {
  const { busy, attempt } = useBusy();
  const revoke = () =>
    attempt(async () => {
      await take(client.POST("/api/v1/nodes/{node}/revoke", { params: { path: { node: node.name } } }));
      sayDone(`${visible(node.name)} is sent away`, "Its key is refused from now on.");
      onClose();
    });
  return (
    <ConfirmByName title={`Send ${visible(node.name)} away?`} name={node.name} action="Send it away" busy={busy} onConfirm={() => void revoke()} onClose={onClose}>
      <Text size="sm">Its key is refused from now on. To have it back it must join anew.</Text>
      {loss ? <Losses loss={loss} /> : <Text size="sm">What it protects is not known just now.</Text>}
      <Text size="sm">What is stored stays where it is. Points of it in repositories of other nodes can still be restored.</Text>
    </ConfirmByName>
  );
}

function Losses({ loss }: { loss: Loss }) {
  const points = loss.repositories.reduce((sum, row) => sum + row.points, 0);
  const bytes = loss.repositories.reduce((sum, row) => sum + row.stored_bytes, 0);
  if (loss.own.length + loss.received.length + loss.repositories.length === 0) return <Text size="sm">No protection depends on it.</Text>;
  return (
    <List size="sm" my={6}>
      {loss.own.length > 0 && <List.Item>{counted(loss.own.length, "dataset")} of it {loss.own.length === 1 ? "is" : "are"} protected no more.</List.Item>}
      {loss.received.length > 0 && <List.Item>{counted(loss.received.length, "dataset")} of other nodes can no longer be sent to it.</List.Item>}
      {loss.repositories.length > 0 && (
        <List.Item>
          {counted(loss.repositories.length, "repository", "repositories")} with {counted(points, "point")} ({formatBytes(bytes)}) cannot be reached from here any more.
        </List.Item>
      )}
    </List>
  );
}
