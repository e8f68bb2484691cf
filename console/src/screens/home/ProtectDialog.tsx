/** Protect one folder with one wish: the Master writes policy, repository and flow; the first run starts at once and is shown. */
import { Button, Group, Modal, Select, Stack, Text, TextInput } from "@mantine/core";
import { IconFolderOpen } from "@tabler/icons-react";
import { useState } from "react";
import { Link } from "wouter";
import { client, take } from "../../api/client";
import { keys, queryClient } from "../../api/queries";
import { runNow } from "../../api/trigger";
import { useLive } from "../../live/store";
import { useTrying } from "../../parts/acting";
import { FolderPicker } from "../../parts/FolderPicker";
import { Problem } from "../../parts/Problem";
import { FirstRunProgress, type Started } from "./FirstRunProgress";
import { complaints, EVERY_MOMENT, HOW_OFTEN, type Wish } from "./protecting";

interface ProtectDialogProps {
  /** The node to begin with; empty = the first that is online. */
  node?: string;
  onClose: () => void;
}

export function ProtectDialog({ node = "", onClose }: ProtectDialogProps) {
  const [started, setStarted] = useState<Started | null>(null);
  return (
    <Modal opened onClose={onClose} title={started ? "Protecting" : "Protect a folder"} size="lg">
      {started ? <FirstRunProgress started={started} onClose={onClose} /> : <WishForm first={node} onStarted={setStarted} onClose={onClose} />}
    </Modal>
  );
}

async function protect(wish: Wish): Promise<Started> {
  const made = await take(client.POST("/api/v1/protect", { body: wish }));
  void queryClient.invalidateQueries({ queryKey: keys.status });
  const trigger = await runNow(made.flow, { policy: made.policy, first: true });
  return { dataset: made.dataset, flow: made.flow, trigger, path: wish.path };
}

interface WishFormProps {
  first: string;
  onStarted: (started: Started) => void;
  onClose: () => void;
}

function WishForm({ first, onStarted, onClose }: WishFormProps) {
  const online = useLive((live) => live.nodes.filter((node) => node.state === "online").map((node) => node.name));
  const [wish, setWish] = useState<Wish>({ node: first || online[0] || "", path: "", location: "", every: "1h", cdp: "" });
  const [picking, setPicking] = useState<"path" | "location" | null>(null);
  const [tried, setTried] = useState(false);
  const { busy, error, attempt } = useTrying();
  const wrong = complaints(wish);
  const said = tried ? wrong : {};
  const put = (change: Partial<Wish>) => setWish({ ...wish, ...change });

  const submit = async () => {
    setTried(true);
    if (Object.keys(wrong).length > 0) return;
    await attempt(async () => {
      onStarted(await protect(wish));
    });
  };
  const browse = (field: "path" | "location") => (
    <Button variant="default" leftSection={<IconFolderOpen size={16} aria-hidden />} disabled={!wish.node} onClick={() => setPicking(field)}>
      Browse
    </Button>
  );
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        void submit();
      }}
    >
      <Stack>
        {error !== null && <Problem error={error} />}
        <Select
          label="Node"
          description="The machine that has the folder"
          data={online}
          value={wish.node || null}
          onChange={(value) => put({ node: value ?? "" })}
          allowDeselect={false}
          placeholder="No node is online"
          error={said.node}
        />
        <Group align="flex-end" gap="xs" wrap="nowrap">
          <TextInput
            label="Folder"
            description="Everything in it is protected"
            placeholder="/home/ann"
            value={wish.path}
            onChange={(event) => put({ path: event.currentTarget.value })}
            error={said.path}
            flex={1}
            data-autofocus
          />
          {browse("path")}
        </Group>
        <Group align="flex-end" gap="xs" wrap="nowrap">
          <TextInput
            label="Where to"
            description={`A folder of ${wish.node || "this node"}, best on another disk. It is made when it is not there`}
            placeholder="/mnt/disk/holdfast"
            value={wish.location}
            onChange={(event) => put({ location: event.currentTarget.value })}
            error={said.location}
            flex={1}
          />
          {browse("location")}
        </Group>
        <Select
          label="How often"
          data={HOW_OFTEN}
          value={wish.every}
          onChange={(value) => put({ every: value ?? "1h" })}
          allowDeselect={false}
        />
        <Select
          label="What can be restored"
          description="Changes are followed as they happen when it is every moment"
          data={EVERY_MOMENT}
          value={wish.cdp}
          onChange={(value) => put({ cdp: value ?? "" })}
          allowDeselect={false}
        />
        <Text size="sm" c="dimmed">
          To send it to another machine, to mirror it, or to leave parts of it out, <Link href="/flows">draw it instead</Link>.
        </Text>
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button type="submit" loading={busy}>
            Protect
          </Button>
        </Group>
      </Stack>
      {picking && (
        <FolderPicker
          node={wish.node}
          onPick={(path, node) => {
            put({ [picking]: path, node });
            setPicking(null);
          }}
          onClose={() => setPicking(null)}
        />
      )}
    </form>
  );
}
