/** Which node, group or repository a vertex stands for. */
import { Select } from "@mantine/core";
import { useMemo } from "react";
import { useDraft } from "../../draft/draft";
import { mappingAt } from "../../draft/edits";
import { useLive } from "../../live/store";
import { visible } from "../../parts/format";
import { knownNode, setVertex } from "./changes";
import type { VertexKind } from "./drawing";
import type { VertexInspectorProps } from "./VertexInspector";

const LABELS: Record<VertexKind, string> = {
  node: "Node",
  group: "Group",
  repository: "Repository",
  mirror: "On node",
  relay: "Through node",
};

export function SubjectChoice({ drawing, vertex, drawer }: VertexInspectorProps) {
  const { values } = useDraft();
  const joined = useLive((live) => live.nodes.filter((node) => node.state !== "revoked").map((node) => node.name));
  const section = vertex.kind === "group" ? "groups" : vertex.kind === "repository" ? "repositories" : "nodes";
  const data = useMemo(() => {
    // Those that have joined come first.
    const names = new Set([...(section === "nodes" ? joined : []), ...Object.keys(mappingAt(values, [section]))]);
    if (vertex.subject !== "") names.add(vertex.subject);
    return [...names].map((name) => ({ value: name, label: visible(name) }));
  }, [values, section, joined, vertex.subject]);
  const choose = (name: string | null) => {
    if (name === null || name === vertex.subject) return;
    const change = setVertex(drawing.flow, vertex.name, vertex.kind, name);
    drawer.apply({ edits: [...knownNode(values, vertex.kind, name), ...change.edits], label: `Let ${vertex.name} stand for ${name}` });
  };
  return (
    <Select
      label={LABELS[vertex.kind]}
      placeholder="Choose"
      data={data}
      value={vertex.subject || null}
      onChange={choose}
      searchable={data.length > 8}
      limit={100}
      allowDeselect={false}
      nothingFoundMessage="Nothing has that name"
      error={vertex.subject === "" ? "Not chosen yet" : undefined}
      {...(data.length === 0 ? { description: section === "nodes" ? "No node has joined yet: add one under Nodes." : "There is none yet: make one below." } : {})}
    />
  );
}
