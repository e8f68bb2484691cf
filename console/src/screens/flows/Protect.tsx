/** The first flow in five answers; the drawing then shows what came of them, nothing is saved before one says so. */
import { Button, Checkbox, Group, Modal, Radio, Select, Stack, Text, TextInput } from "@mantine/core";
import { useState } from "react";
import { Link, useLocation } from "wouter";
import { to } from "../../app/places";
import { edit, useDraft } from "../../draft/draft";
import { mappingAt } from "../../draft/edits";
import { useLive } from "../../live/store";
import { FolderPicker } from "../../parts/FolderPicker";
import { visible } from "../../parts/format";
import { sayFailed } from "../../parts/notices";
import { submits } from "../flow/forms";
import { isFolder, protect } from "./template";

const EVERY = [
  { value: "15m", label: "every 15 minutes" },
  { value: "1h", label: "every hour" },
  { value: "6h", label: "every 6 hours" },
  { value: "1d", label: "every day" },
];

export function Protect({ onClose }: { onClose: () => void }) {
  const { values } = useDraft();
  const [, go] = useLocation();
  const joined = useLive((live) => live.nodes.filter((node) => node.state !== "revoked").map((node) => node.name));
  const nodes = [...new Set([...joined, ...Object.keys(mappingAt(values, ["nodes"]))])];
  const repositories = Object.keys(mappingAt(values, ["repositories"]));
  const [node, setNode] = useState<string | null>(nodes.length === 1 ? nodes[0]! : null);
  const [folder, setFolder] = useState("");
  const [isNew, setNew] = useState(repositories.length === 0);
  const [repository, setRepository] = useState<string | null>(repositories[0] ?? null);
  const [keeper, setKeeper] = useState<string | null>(null);
  const [location, setLocation] = useState("");
  const [every, setEvery] = useState("1h");
  const [hasMirror, setHasMirror] = useState(false);
  const [mirrorNode, setMirrorNode] = useState<string | null>(null);
  const [mirrorPath, setMirrorPath] = useState("");
  const [isPicking, setPicking] = useState(false);

  const where = isNew ? (keeper && isFolder(location) ? { node: keeper, location } : null) : repository;
  const mirror = hasMirror ? (mirrorNode && isFolder(mirrorPath) ? { node: mirrorNode, path: mirrorPath } : null) : null;
  const isReady = node !== null && isFolder(folder) && where !== null && (!hasMirror || mirror !== null);
  const draw = () => {
    if (!isReady) return;
    const made = protect(values, { node, folder, repository: where, mirror, every });
    edit(made.edits, `Protect ${folder} of ${node}`).catch(sayFailed);
    go(to.flow(made.flow));
  };
  const choices = nodes.map((each) => ({ value: each, label: visible(each) }));
  const nodeSelect = { data: choices, placeholder: "Choose", searchable: nodes.length > 8, limit: 100, allowDeselect: false };
  return (
    <Modal opened onClose={onClose} title="Protect a computer" size="lg">
      {nodes.length === 0 ? (
        <Stack>
          <Text>No node has joined yet. Add the computer first; it takes one command there.</Text>
          <Button component={Link} href={to.addNode}>
            Add a node
          </Button>
        </Stack>
      ) : (
        <form onSubmit={submits(draw)}>
          <Stack gap="md">
            <Select label="Which computer" value={node} onChange={setNode} {...nodeSelect} data-autofocus />
            <Group align="flex-end" gap="xs" wrap="nowrap">
              <TextInput
                label="Which folder"
                placeholder="/home"
                value={folder}
                onChange={(event) => setFolder(event.currentTarget.value.trim())}
                error={folder !== "" && !isFolder(folder) ? "A whole path, beginning with /" : undefined}
                autoComplete="off"
                flex={1}
              />
              <Button variant="default" onClick={() => setPicking(true)}>
                Browse
              </Button>
            </Group>
            <Radio.Group label="Where to" value={isNew ? "new" : "there"} onChange={(value) => setNew(value === "new")}>
              <Group mt={6} gap="lg">
                <Radio value="there" label="A repository there is" disabled={repositories.length === 0} />
                <Radio value="new" label="A new one" />
              </Group>
            </Radio.Group>
            {isNew ? (
              <Group grow align="flex-start">
                <Select label="On node" value={keeper} onChange={setKeeper} description="Best another machine" {...nodeSelect} />
                <TextInput
                  label="Folder there"
                  description="New or empty. Holdfast makes it."
                  placeholder="/srv/holdfast/main"
                  value={location}
                  onChange={(event) => setLocation(event.currentTarget.value.trim())}
                  error={location !== "" && !isFolder(location) ? "A whole path, beginning with /" : undefined}
                  autoComplete="off"
                />
              </Group>
            ) : (
              <Select
                label="Repository"
                data={repositories.map((each) => ({ value: each, label: visible(each) }))}
                value={repository}
                onChange={setRepository}
                allowDeselect={false}
              />
            )}
            <Select label="How often" data={EVERY} value={every} onChange={(value) => setEvery(value ?? "1h")} allowDeselect={false} />
            <Checkbox
              label="Keep a plain copy on another node, too"
              description="A mirror: files one can open without Holdfast"
              checked={hasMirror}
              onChange={(event) => setHasMirror(event.currentTarget.checked)}
            />
            {hasMirror && (
              <Group grow align="flex-start">
                <Select label="Copy on node" value={mirrorNode} onChange={setMirrorNode} {...nodeSelect} />
                <TextInput
                  label="Folder for the copy"
                  placeholder="/srv/mirror"
                  value={mirrorPath}
                  onChange={(event) => setMirrorPath(event.currentTarget.value.trim())}
                  error={mirrorPath !== "" && !isFolder(mirrorPath) ? "A whole path, beginning with /" : undefined}
                  autoComplete="off"
                />
              </Group>
            )}
            <Text size="sm" c="dimmed">
              This draws the flow. Look at it, then save and activate it. Points stay 24 hours, 30 days and 12 months; change that in the policy.
            </Text>
            <Group justify="flex-end">
              <Button variant="default" onClick={onClose}>
                Cancel
              </Button>
              <Button type="submit" disabled={!isReady}>
                Draw it
              </Button>
            </Group>
          </Stack>
        </form>
      )}
      {isPicking && (
        <FolderPicker
          node={node ?? ""}
          onClose={() => setPicking(false)}
          onPick={(path, of) => {
            setFolder(path);
            setNode(of);
            setPicking(false);
          }}
        />
      )}
    </Modal>
  );
}
