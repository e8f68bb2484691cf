/** A repository: where it lies, or the making of a new one. */
import { Anchor, Badge, Button, Group, Select, Stack, Text, TextInput } from "@mantine/core";
import { IconPlus } from "@tabler/icons-react";
import { useState } from "react";
import { Link } from "wouter";
import { to } from "../../app/places";
import { useDraft } from "../../draft/draft";
import { freeName, mappingAt, set } from "../../draft/edits";
import { useLive } from "../../live/store";
import { visible } from "../../parts/format";
import { JobsAtOnce } from "../policies/PartFields";
import { knownNode, nameProblem } from "./changes";
import { submits } from "./forms";
import { vertexThing } from "./things";
import type { VertexInspectorProps } from "./VertexInspector";

const text = (value: unknown): string => (typeof value === "string" ? value : "");

export function RepositoryFacts(props: VertexInspectorProps) {
  const { vertex } = props;
  const { values } = useDraft();
  const facts = mappingAt(values, ["repositories", vertex.subject]);
  const isThere = Object.hasOwn(mappingAt(values, ["repositories"]), vertex.subject);
  const [isNew, setNew] = useState(false);
  if (!isThere || isNew) return <NewRepository {...props} onDone={() => setNew(false)} {...(isThere ? { onCancel: () => setNew(false) } : {})} />;
  return (
    <Stack gap={4}>
      <Text size="sm" style={{ overflowWrap: "anywhere" }}>
        {visible(text(facts.location))} on {visible(text(facts.node))} {vertex.isRemote && <Badge variant="default">S3</Badge>}
      </Text>
      <JobsAtOnce path={["repositories", vertex.subject]} description="So many jobs may deliver to it at once." />
      <Group gap="xs">
        <Anchor component={Link} href={to.repository(vertex.subject)} size="sm">
          See repository {visible(vertex.subject)}
        </Anchor>
        <Button variant="subtle" size="compact-sm" h={28} leftSection={<IconPlus size={15} aria-hidden />} onClick={() => setNew(true)}>
          New repository
        </Button>
      </Group>
    </Stack>
  );
}

function NewRepository({ drawing, vertex, drawer, onDone, onCancel }: VertexInspectorProps & { onDone: () => void; onCancel?: () => void }) {
  const { values } = useDraft();
  const joined = useLive((live) => live.nodes.filter((node) => node.state !== "revoked").map((node) => node.name));
  const taken = Object.keys(mappingAt(values, ["repositories"]));
  const nodes = [...new Set([...joined, ...Object.keys(mappingAt(values, ["nodes"]))])];
  const [name, setName] = useState(() => freeName(taken.length === 0 ? "main" : vertex.name, taken));
  const [node, setNode] = useState<string | null>(nodes.length === 1 ? nodes[0]! : null);
  const [location, setLocation] = useState("");
  const problem = nameProblem(name, taken);
  const where = location.trim();
  const isWhere = where.startsWith("/") && where.length > 1;
  const create = () => {
    if (problem !== null || node === null || !isWhere) return;
    const edits = [
      ...knownNode(values, "node", node),
      set(["repositories", name], { node, location: where }),
      set(["flows", drawing.flow, "vertices", vertex.name, "repository"], name),
    ];
    drawer.apply({ edits, label: `New repository ${name}` });
    onDone();
    // The form goes, and the keyboard's focus with it.
    drawer.show(vertexThing(vertex.name));
  };
  return (
    <Stack gap="xs" component="form" onSubmit={submits(create)} aria-label="New repository">
      <Text size="sm" fw={600}>
        New repository
      </Text>
      <TextInput label="Its name" value={name} onChange={(event) => setName(event.currentTarget.value)} error={problem} autoComplete="off" />
      <Select
        label="On node"
        placeholder="Choose"
        data={nodes.map((each) => ({ value: each, label: visible(each) }))}
        value={node}
        onChange={setNode}
        searchable={nodes.length > 8}
        limit={100}
        allowDeselect={false}
      />
      <TextInput
        label="Folder on that node"
        description="New or empty. Holdfast makes it."
        placeholder="/srv/holdfast/main"
        value={location}
        onChange={(event) => setLocation(event.currentTarget.value)}
        error={where !== "" && !isWhere ? "Begin it with /" : undefined}
        autoComplete="off"
      />
      <Group gap="xs">
        <Button type="submit" size="xs" disabled={problem !== null || node === null || !isWhere}>
          Create
        </Button>
        {onCancel && (
          <Button size="xs" variant="default" onClick={onCancel}>
            Cancel
          </Button>
        )}
      </Group>
    </Stack>
  );
}
