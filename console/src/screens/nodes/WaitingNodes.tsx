/** Machines that have joined and wait: somebody compares the key, then lets them in or sends them away. */
import { Button, Group, Text } from "@mantine/core";
import { useState } from "react";
import { client, take } from "../../api/client";
import type { Node } from "../../live/store";
import { Card } from "../../parts/Card";
import { counted, visible } from "../../parts/format";
import { sayDone, sayFailed } from "../../parts/notices";
import { State } from "../../parts/State";
import lines from "../../parts/Rows.module.css";
import classes from "./Nodes.module.css";

export function WaitingNodes({ nodes }: { nodes: readonly Node[] }) {
  return (
    <Card title={`${counted(nodes.length, "node")} ${nodes.length === 1 ? "waits" : "wait"} to be let in`}>
      <Text size="sm" c="dimmed">
        Compare each key with the one that the join command printed on that machine. If they differ, it is another machine.
      </Text>
      <ul className={lines.list}>
        {nodes.map((node) => (
          <li key={node.id}>
            <State state="warning" label="waiting" />
            <div className={lines.grow}>
              <Text fw={600}>{visible(node.name)}</Text>
              <Text size="sm" c="dimmed">
                {visible(node.address) || "Address not known yet"}
              </Text>
              <Key node={node} />
            </div>
            <LetIn node={node} />
          </li>
        ))}
      </ul>
    </Card>
  );
}

export function Key({ node }: { node: Node }) {
  return (
    <div>
      <Text size="xs" c="dimmed" span>
        Key{" "}
      </Text>
      <span className={classes.key}>{node.fingerprint}</span>
    </div>
  );
}

/** Both ways to end the waiting. */
export function LetIn({ node }: { node: Node }) {
  const [busy, setBusy] = useState<"" | "in" | "away">("");
  const act = async (which: "in" | "away") => {
    setBusy(which);
    const params = { path: { node: node.name } };
    try {
      if (which === "in") await take(client.POST("/api/v1/nodes/{node}/authorise", { params }));
      else await take(client.POST("/api/v1/nodes/{node}/revoke", { params }));
      sayDone(which === "in" ? `${visible(node.name)} is let in` : `${visible(node.name)} is sent away`);
    } catch (error) {
      sayFailed(error);
    } finally {
      setBusy("");
    }
  };
  return (
    <Group gap="xs">
      <Button size="sm" loading={busy === "in"} disabled={busy !== ""} onClick={() => void act("in")}>
        Authorise
      </Button>
      <Button size="sm" variant="default" loading={busy === "away"} disabled={busy !== ""} onClick={() => void act("away")}>
        Send away
      </Button>
    </Group>
  );
}
