/** One node: how it does, what its rules make it do, what it protects and stores, and sending it away. */
import { Button, Group, Loader, Text } from "@mantine/core";
import { IconPencil, IconServer2, IconTransfer, IconUserX } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { client, take } from "../../api/client";
import { useStatus } from "../../api/queries";
import { to } from "../../app/places";
import { useDraft } from "../../draft/draft";
import { mappingAt } from "../../draft/edits";
import { type Node, useLive } from "../../live/store";
import { shellWord, visible } from "../../parts/format";
import { NotThere } from "../../parts/NotThere";
import { Page } from "../../parts/Page";
import { Problem } from "../../parts/Problem";
import { State, stateOf } from "../../parts/State";
import { NodeInDocument } from "../policies/PartFields";
import { Examine } from "./Examine";
import { NewestJobs, NodeDoes } from "./NodeDoes";
import { NodeFacts, NodeFindings } from "./NodeFacts";
import classes from "./Nodes.module.css";
import { findingsOf, lossOf } from "./nodes";
import { MoveNode } from "./MoveNode";
import { RenameNode } from "./RenameNode";
import { RevokeNode } from "./RevokeNode";
import { RulesCard } from "./RulesCard";
import { WaitingNodes } from "./WaitingNodes";
import { OnlyFor } from "../../parts/OnlyFor";

export default function NodeScreen({ name }: { name: string }) {
  const { node, connection } = useLive((live) => ({ node: live.nodes.find((each) => each.name === name) ?? null, connection: live.connection }));
  return (
    <Page
      title={visible(name)}
      lead={node ? <State state={stateOf(node.state)} label={node.state} /> : undefined}
      cli={`holdfast nodes show ${shellWord(name)}`}
      api={`GET /api/v1/nodes/${encodeURIComponent(name)}/rules`}
      actions={
        node &&
        node.state !== "revoked" && (
          <OnlyFor activity="nodes.manage">
            <Group gap="xs">
              <Change node={node} />
              <SendAway node={node} />
            </Group>
          </OnlyFor>
        )
      }
    >
      {!node && connection === "connecting" && <Loader aria-label="Asking for the node" />}
      {!node && connection !== "connecting" && (
        <NotJoined name={name} />
      )}
      {node && <Details node={node} />}
    </Page>
  );
}

/** The document may name machines before they join. */
function NotJoined({ name }: { name: string }) {
  const isDrawn = name in mappingAt(useDraft().values, ["nodes"]);
  return isDrawn ? (
    <NotThere icon={IconServer2} title="It has not joined yet" href={to.addNode} see="Add a node">
      The document names it, so it can be drawn and compiled. What it is to do begins when a machine has joined by this name.
    </NotThere>
  ) : (
    <NotThere icon={IconServer2} title="No node of this name has joined" href="/nodes" see="See all nodes">
      It may have another name now.
    </NotThere>
  );
}

function Details({ node }: { node: Node }) {
  const status = useStatus();
  // What it has in force changes with these; a node that comes back tells its limits.
  const key = ["node-rules", node.name, node.generation, node.wanted_generation, node.state];
  const rules = useQuery({
    queryKey: key,
    queryFn: ({ signal }) => take(client.GET("/api/v1/nodes/{node}/rules", { params: { path: { node: node.name } }, signal })),
  });
  return (
    <>
      {node.state === "waiting" && (
        <OnlyFor activity="nodes.manage">
          <WaitingNodes nodes={[node]} />
        </OnlyFor>
      )}
      {node.state === "revoked" && (
        <Text>
          It was sent away: its key is refused. To have it back, join it anew with a token made by <code>holdfast master token --replace</code>.
        </Text>
      )}
      <NodeFindings findings={findingsOf(node, status.data?.findings ?? [])} />
      {rules.error && <Problem error={rules.error} onRetry={() => void rules.refetch()} />}
      {status.error && <Problem error={status.error} onRetry={() => void status.refetch()} />}
      <div className={classes.columns}>
        <div className={classes.column}>
          <NodeFacts node={node} limits={rules.data?.limits ?? null} isAsking={rules.isPending} />
          <NodeInDocument node={node.name} />
          {node.state === "online" && <Examine node={node} />}
          <NewestJobs node={node} />
        </div>
        <div className={classes.column}>
          <RulesCard node={node} rules={rules.data} />
          {status.data && <NodeDoes node={node} status={status.data} />}
        </div>
      </div>
    </>
  );
}

function Change({ node }: { node: Node }) {
  const [asking, setAsking] = useState<"rename" | "move" | null>(null);
  const close = () => setAsking(null);
  return (
    <>
      <Button variant="default" leftSection={<IconPencil size={16} aria-hidden />} onClick={() => setAsking("rename")}>
        Rename
      </Button>
      <Button variant="default" leftSection={<IconTransfer size={16} aria-hidden />} onClick={() => setAsking("move")}>
        Move
      </Button>
      {asking === "rename" && <RenameNode node={node} onClose={close} />}
      {asking === "move" && <MoveNode node={node} onClose={close} />}
    </>
  );
}

function SendAway({ node }: { node: Node }) {
  const status = useStatus();
  const [isAsking, setAsking] = useState(false);
  return (
    <>
      <Button variant="default" leftSection={<IconUserX size={16} aria-hidden />} onClick={() => setAsking(true)}>
        Send away
      </Button>
      {isAsking && <RevokeNode node={node} loss={status.data ? lossOf(node.name, status.data) : null} onClose={() => setAsking(false)} />}
    </>
  );
}
