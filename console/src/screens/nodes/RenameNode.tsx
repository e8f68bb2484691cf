/** Another name for a node: what follows is shown before it is done. */
import { Alert, Checkbox, Text, TextInput } from "@mantine/core";
import { IconAlertTriangle } from "@tabler/icons-react";
import { useState } from "react";
import { useLocation } from "wouter";
import { client, type Schemas, take } from "../../api/client";
import { to } from "../../app/places";
import { type Node, useLive } from "../../live/store";
import { useTrying } from "../../parts/acting";
import { counted, visible } from "../../parts/format";
import { FormDialog } from "../../parts/FormDialog";
import { sayDone } from "../../parts/notices";
import { Problem } from "../../parts/Problem";
import { nameComplaint } from "./joining";

export function RenameNode({ node, onClose }: { node: Node; onClose: () => void }) {
  const taken = useLive((live) => live.nodes.map((each) => each.name));
  const [, go] = useLocation();
  const [name, setName] = useState(node.name);
  const [looked, setLooked] = useState<Schemas["Renamed"] | null>(null);
  const [agreed, setAgreed] = useState(false);
  const { busy, error, attempt } = useTrying();
  const complaint = name === node.name ? "" : nameComplaint(name, taken);
  const isNew = name !== "" && name !== node.name && complaint === "";

  const send = (dry_run: boolean) =>
    attempt(async () => {
      const body = { name, dry_run, accept_new_copies: agreed };
      const answer = await take(client.POST("/api/v1/nodes/{node}/rename", { params: { path: { node: node.name } }, body }));
      if (dry_run) return setLooked(answer);
      sayDone(`${visible(answer.was)} is called ${visible(answer.name)}`, "The document is changed, and the rules go out with the new name.");
      onClose();
      go(to.node(answer.name));
    });
  return (
    <FormDialog
      title={`Rename ${visible(node.name)}`}
      action={looked ? "Rename it" : "See what follows"}
      leave="Keep the name"
      disabled={!isNew || (looked !== null && looked.mirrors.length > 0 && !agreed)}
      busy={busy}
      onSubmit={() => void send(looked === null)}
      onClose={onClose}
    >
      {error !== null && <Problem error={error} />}
      <TextInput
        label="New name"
        value={name}
        onChange={(event) => {
          setName(event.currentTarget.value.trim());
          setLooked(null);
          setAgreed(false);
        }}
        error={complaint || undefined}
        autoComplete="off"
        data-autofocus
      />
      <Text size="sm">It stays the same machine: its key, its points and its history stay. The document and the rules follow.</Text>
      {looked && <Follows looked={looked} agreed={agreed} onAgree={setAgreed} />}
    </FormDialog>
  );
}

function Follows({ looked, agreed, onAgree }: { looked: Schemas["Renamed"]; agreed: boolean; onAgree: (agreed: boolean) => void }) {
  return (
    <>
      <Text size="sm" data-testid="follows">
        {looked.flows.length > 0 ? `The rules of ${counted(looked.flows.length, "active flow")} go out anew.` : "No active flow names it."}
      </Text>
      {looked.mirrors.length > 0 && (
        <Alert color="yellow" icon={<IconAlertTriangle aria-hidden />}>
          <Text size="sm">
            {looked.mirrors.map(visible).join(", ")} has the node&apos;s name in its path. It begins anew in another place; the folder that is there stays.
          </Text>
          <Checkbox mt="xs" checked={agreed} onChange={(event) => onAgree(event.currentTarget.checked)} label="Let it begin anew" />
        </Alert>
      )}
    </>
  );
}
