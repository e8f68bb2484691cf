/** Where a mirror keeps what it gets: one folder, or one for each captured folder. */
import { Button, Code, Group, Stack, Text, TextInput } from "@mantine/core";
import { useMemo } from "react";
import { useDraft } from "../../draft/draft";
import { isMapping, set, type Value, valueAt } from "../../draft/edits";
import { visible } from "../../parts/format";
import { fieldError } from "../policies/diagnostics";
import { useTyped } from "../policies/fields";
import { setVertex } from "./changes";
import { texts } from "./drawing";
import type { VertexInspectorProps } from "./VertexInspector";

export function MirrorPath({ drawing, vertex, drawer }: VertexInspectorProps) {
  const { values } = useDraft();
  const written = vertex.fields.path;
  const path = ["flows", drawing.flow, "vertices", vertex.name, "path"];
  const roots = useMemo(() => {
    const incoming = drawing.movers.filter((mover) => mover.to === vertex.name);
    const policies = new Set(incoming.flatMap((mover) => mover.carries.map((label) => label.split("/")[0] ?? "")));
    return [...policies].flatMap((policy) => texts(valueAt(values, ["policies", policy, "classification", "paths"])));
  }, [values, drawing, vertex.name]);
  const write = (value: Value, label = `Change path of ${vertex.name}`) => drawer.apply({ ...setVertex(drawing.flow, vertex.name, "path", value), label });
  if (isMapping(written))
    return (
      <Stack gap="xs" role="group" aria-label="A folder for each">
        {[...new Set([...Object.keys(written), ...roots])].map((root) => (
          <Folder
            key={root}
            label={visible(root)}
            written={typeof written[root] === "string" ? written[root] : ""}
            path={[...path, root]}
            onCommit={(folder) => drawer.apply({ edits: [set([...path, root], folder)], label: `Change path of ${vertex.name}` })}
          />
        ))}
        <Button variant="subtle" size="compact-sm" h={28} onClick={() => write(Object.values(written).find((each) => typeof each === "string") ?? "")}>
          One folder for all
        </Button>
      </Stack>
    );
  const folder = typeof written === "string" ? written : "";
  return (
    <Stack gap={6}>
      <Folder label="Folder on that node" written={folder} path={path} onCommit={(value) => write(value)} />
      <Text size="xs" c="dimmed">
        <Code>{"{node}"}</Code>, <Code>{"{policy}"}</Code> and <Code>{"{path}"}</Code> stand for the source&apos;s own.
      </Text>
      {roots.length > 1 && (
        <Group>
          <Button variant="subtle" size="compact-sm" h={28} onClick={() => write(Object.fromEntries(roots.map((root) => [root, folder && `${folder}${root}`])))}>
            A folder for each of {roots.length}
          </Button>
        </Group>
      )}
    </Stack>
  );
}

interface FolderProps {
  label: string;
  written: string;
  path: (string | number)[];
  onCommit: (folder: string) => void;
}

function Folder({ label, written, path, onCommit }: FolderProps) {
  const { diagnostics } = useDraft();
  const typing = useTyped(written, (typed) => onCommit(typed.trim()));
  const error = written === "" ? "Not chosen yet" : fieldError(diagnostics, path);
  return <TextInput label={label} placeholder="/srv/mirror/documents" {...typing} error={error} />;
}
