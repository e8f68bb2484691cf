/** A group of nodes: its members and how they are, or the making of a new one. */
import { Button, MultiSelect, Stack, TagsInput, Text, TextInput } from "@mantine/core";
import { useMemo, useState } from "react";
import { useLocation } from "wouter";
import { to } from "../../app/places";
import { useDraft } from "../../draft/draft";
import { freeName, mappingAt, set } from "../../draft/edits";
import { useLive } from "../../live/store";
import { counted, formatCount, visible } from "../../parts/format";
import { State, stateOf } from "../../parts/State";
import { type Column, VirtualTable } from "../../parts/VirtualTable";
import { nameProblem } from "./changes";
import { membersOf } from "./drawing";
import { submits } from "./forms";
import type { VertexInspectorProps } from "./VertexInspector";

interface Member {
  name: string;
  state: string;
}

const COLUMNS: readonly Column<Member>[] = [
  { key: "name", title: "Node", width: "minmax(0, 1fr)", cell: (row) => visible(row.name), sortBy: (row) => row.name },
  { key: "state", title: "State", width: "118px", cell: (row) => <State state={stateOf(row.state)} label={row.state} quiet />, sortBy: (row) => row.state },
];

export function GroupFacts(props: VertexInspectorProps) {
  const { values } = useDraft();
  const { subject } = props.vertex;
  const isThere = Object.hasOwn(mappingAt(values, ["groups"]), subject);
  return isThere ? <Members key={subject} group={subject} /> : <NewGroup {...props} />;
}

function Members({ group }: { group: string }) {
  const { values } = useDraft();
  const nodes = useLive((live) => live.nodes);
  const [, go] = useLocation();
  const rows = useMemo(() => {
    const states = new Map(nodes.map((node) => [node.name, node.state]));
    return membersOf(values, group).map((name): Member => ({ name, state: states.get(name) ?? "not joined" }));
  }, [values, group, nodes]);
  return (
    <Stack gap={4}>
      <Text size="sm" fw={500}>
        {counted(rows.length, "node")}, {formatCount(rows.filter((row) => row.state === "online").length)} online
      </Text>
      <VirtualTable
        label={`Nodes of ${visible(group)}`}
        rows={rows}
        columns={COLUMNS}
        rowKey={(row) => row.name}
        rowHeight={32}
        maxHeight={300}
        onOpen={(row) => go(to.node(row.name))}
        empty="The group has no nodes."
      />
    </Stack>
  );
}

function NewGroup({ drawing, vertex, drawer }: VertexInspectorProps) {
  const { values } = useDraft();
  const taken = Object.keys(mappingAt(values, ["groups"]));
  const nodes = Object.keys(mappingAt(values, ["nodes"]));
  const [name, setName] = useState(() => freeName("nodes", taken));
  const [listed, setListed] = useState<string[]>([]);
  const [tags, setTags] = useState<string[]>([]);
  const problem = nameProblem(name, taken);
  const isFull = (listed.length > 0) !== (tags.length > 0);
  const create = () => {
    if (problem !== null || !isFull) return;
    const edits = [
      set(["groups", name], tags.length > 0 ? { tags } : { nodes: listed }),
      set(["flows", drawing.flow, "vertices", vertex.name, "group"], name),
    ];
    drawer.apply({ edits, label: `New group ${name}` });
  };
  return (
    <Stack gap="xs" component="form" onSubmit={submits(create)} aria-label="New group">
      <Text size="sm" fw={600}>
        New group
      </Text>
      <TextInput label="Its name" value={name} onChange={(event) => setName(event.currentTarget.value)} error={problem} autoComplete="off" />
      <MultiSelect
        label="These nodes"
        data={nodes.map((each) => ({ value: each, label: visible(each) }))}
        value={listed}
        onChange={setListed}
        searchable
        limit={100}
        disabled={tags.length > 0}
        hidePickedOptions
      />
      <TagsInput label="or all with these tags" value={tags} onChange={setTags} disabled={listed.length > 0} />
      <Button type="submit" size="xs" disabled={problem !== null || !isFull}>
        Create
      </Button>
    </Stack>
  );
}
