/** Versions that differ from the Master's, and whose turn it is to be upgraded. Nothing while all are alike. */
import { Badge, Group, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { client, take } from "../../api/client";
import { useLive } from "../../live/store";
import { Card } from "../../parts/Card";
import { counted, visible } from "../../parts/format";

const SHOWN = 50;

export function UpgradeOrder() {
  // Who connects says its version.
  const key = useLive((live) => live.nodes.map((node) => `${node.name} ${node.version}`).join());
  const order = useQuery({ queryKey: ["upgrades", key], queryFn: ({ signal }) => take(client.GET("/api/v1/nodes/upgrades", { signal })) });
  const different = (order.data?.nodes ?? []).filter((node) => node.standing !== "current" && node.standing !== "unknown");
  if (!order.data || different.length === 0) return null;
  return (
    <Card title="Upgrades">
      <Text size="sm" mb="xs">
        The Master is of version {order.data.master}. {order.data.master_first ? "It is to be upgraded first." : "One minor version of difference is supported."}
      </Text>
      {different.slice(0, SHOWN).map((node) => (
        <Group key={node.name} gap="xs">
          <Text size="sm" fw={600}>
            {visible(node.name)}
          </Text>
          <Text size="sm">{visible(node.version)}</Text>
          {node.next && <Badge variant="light">next</Badge>}
          <Text size="sm" c="dimmed">
            {visible(node.why)}
          </Text>
        </Group>
      ))}
      {different.length > SHOWN && <Text size="sm">and {counted(different.length - SHOWN, "more node")}</Text>}
    </Card>
  );
}
