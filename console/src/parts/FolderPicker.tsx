/** Choose a folder by looking through those of a node, within what the machine's own limits let be seen. */
import { Alert, Anchor, Button, Group, Loader, Modal, Select, Stack, Text, TextInput, UnstyledButton } from "@mantine/core";
import { IconFolder, IconFolderOff } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { client, type Schemas, take } from "../api/client";
import { useLive } from "../live/store";
import classes from "./FolderPicker.module.css";
import { visible } from "./format";
import { Problem } from "./Problem";

interface FolderPickerProps {
  /** Whose folders are shown first; empty = the first node that is online. */
  node?: string;
  onPick: (path: string, node: string) => void;
  onClose: () => void;
}

export function FolderPicker({ node: first = "", onPick, onClose }: FolderPickerProps) {
  const nodes = useLive((live) => live.nodes);
  const online = nodes.filter((each) => each.state === "online").map((each) => each.name);
  const [chosen, setChosen] = useState(first);
  const [path, setPath] = useState("/");
  const node = online.includes(chosen) ? chosen : (online[0] ?? "");
  return (
    <Modal opened onClose={onClose} title="Choose a folder" size="lg">
      <Stack gap="sm">
        <Select
          label="On node"
          data={online}
          value={node || null}
          allowDeselect={false}
          onChange={(name) => {
            setChosen(name ?? "");
            setPath("/");
          }}
          placeholder="No node is online"
        />
        {node ? (
          <Folders key={node + path} node={node} path={path} onOpen={setPath} />
        ) : (
          <Text size="sm">No node is online, so nothing can be looked at. Type the path instead.</Text>
        )}
        <Group justify="space-between">
          <Text size="sm" className={classes.path}>
            {visible(path)}
          </Text>
          <Group gap="xs">
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button disabled={!node} onClick={() => onPick(path, node)}>
              Take this folder
            </Button>
          </Group>
        </Group>
      </Stack>
    </Modal>
  );
}

function Folders({ node, path, onOpen }: { node: string; path: string; onOpen: (path: string) => void }) {
  const [typed, setTyped] = useState("");
  const found = useQuery({
    queryKey: ["folders", node, path],
    queryFn: ({ signal }) =>
      take(
        client.POST("/api/v1/nodes/{node}/folders", {
          params: { path: { node } },
          body: { path: path.replaceAll("%", "%25") },
          signal,
        }),
      ),
    retry: false,
  });
  const folders = found.data?.folders.filter((folder) => folder.name.toLowerCase().includes(typed.toLowerCase())) ?? [];
  return (
    <Stack gap="xs">
      <Crumbs path={path} onOpen={onOpen} />
      <TextInput
        label="Name contains"
        value={typed}
        onChange={(event) => setTyped(event.currentTarget.value)}
        data-autofocus
        autoComplete="off"
      />
      <div className={classes.list} aria-busy={found.isPending}>
        {found.isPending && <Loader size="sm" m="md" aria-label="Loading the folders" />}
        {found.error && <Problem error={found.error} onRetry={() => void found.refetch()} />}
        {found.data?.error && (
          <Alert color="gray" icon={<IconFolderOff aria-hidden />} title={found.data.error.message}>
            {found.data.error.hint}
          </Alert>
        )}
        {folders.map((folder) => (
          <Row key={folder.name + folder.path_raw} folder={folder} onOpen={onOpen} />
        ))}
        {found.data && !found.data.error && folders.length === 0 && (
          <Text size="sm" c="dimmed" p="xs">
            {typed ? "No folder here has that in its name." : "There are no folders in this one."}
          </Text>
        )}
      </div>
      {found.data?.more && (
        <Text size="sm" c="dimmed">
          There are more folders than are listed. Type the rest of the path by hand.
        </Text>
      )}
    </Stack>
  );
}

function Row({ folder, onOpen }: { folder: Schemas["Folder"]; onOpen: (path: string) => void }) {
  if (folder.path_raw)
    return (
      <div className={classes.row} data-off>
        <IconFolderOff size={18} aria-hidden />
        <span className={classes.name}>{visible(folder.name)}</span>
        <Text size="xs" component="span">
          its name cannot be picked here; take the folder above it
        </Text>
      </div>
    );
  return (
    <UnstyledButton className={classes.row} onClick={() => onOpen(folder.path)}>
      <IconFolder size={18} aria-hidden />
      <span className={classes.name}>{visible(folder.name)}</span>
    </UnstyledButton>
  );
}

function Crumbs({ path, onOpen }: { path: string; onOpen: (path: string) => void }) {
  const parts = path.split("/").filter(Boolean);
  return (
    <nav aria-label="Folders above" className={classes.crumbs}>
      <Anchor component="button" type="button" size="sm" onClick={() => onOpen("/")}>
        Top
      </Anchor>
      {parts.map((part, index) => (
        <span key={index}>
          {" / "}
          <Anchor component="button" type="button" size="sm" onClick={() => onOpen(`/${parts.slice(0, index + 1).join("/")}`)}>
            {visible(part)}
          </Anchor>
        </span>
      ))}
    </nav>
  );
}
