/** All nodes: who is there, who waits to be let in, and how far their rules are. */
import { Badge, Button, Group, Select, Text, TextInput } from "@mantine/core";
import { IconPlus, IconSearch, IconServer2 } from "@tabler/icons-react";
import { useMemo } from "react";
import { Link, useLocation } from "wouter";
import { useStatus } from "../../api/queries";
import { to } from "../../app/places";
import { useDraft } from "../../draft/draft";
import { type Node, useLive } from "../../live/store";
import { Card } from "../../parts/Card";
import { Empty } from "../../parts/Empty";
import { counted, visible } from "../../parts/format";
import { Moment } from "../../parts/Moment";
import { Page } from "../../parts/Page";
import { State, stateOf } from "../../parts/State";
import { useFilters } from "../../parts/useFilters";
import { type Column, VirtualTable } from "../../parts/VirtualTable";
import { clockWord, findingsOf, fits, NODE_STATES, rulesWord, tagsOf } from "./nodes";
import lines from "../../parts/Rows.module.css";
import { UpgradeOrder } from "./UpgradeOrder";
import { WaitingNodes } from "./WaitingNodes";
import { OnlyFor } from "../../parts/OnlyFor";

const NAMES = ["state", "tag", "text"] as const;

export default function Nodes() {
  const { nodes, connection } = useLive(({ nodes, connection }) => ({ nodes, connection }));
  const { values } = useDraft();
  const tags = useMemo(() => tagsOf(values), [values]);
  const waiting = nodes.filter((node) => node.state === "waiting");
  const isEmpty = nodes.length === 0 && connection === "live";
  return (
    <Page
      title="Nodes"
      lead="The machines whose data is protected, and those that store it. They go on by themselves when the Master is away."
      cli="holdfast nodes"
      api="GET /api/v1/nodes"
      actions={
        <OnlyFor activity="nodes.manage">
          <Button component={Link} href={to.addNode} leftSection={<IconPlus size={16} aria-hidden />}>
            Add a node
          </Button>
        </OnlyFor>
      }
    >
      {waiting.length > 0 && (
        <OnlyFor activity="nodes.manage">
          <WaitingNodes nodes={waiting} />
        </OnlyFor>
      )}
      <UpgradeOrder />
      {isEmpty ? (
        <Card>
          <Empty
            icon={IconServer2}
            title="No node has joined yet"
            action={
              <OnlyFor activity="nodes.manage">
                <Button component={Link} href={to.addNode}>
                  Add a node
                </Button>
              </OnlyFor>
            }
          >
            A node is a machine that runs Holdfast&apos;s agent. Join the machine that has your data, and the one that shall store it; both may be the
            same.
          </Empty>
        </Card>
      ) : (
        <NodeTable nodes={nodes} tags={tags} />
      )}
    </Page>
  );
}

function NodeTable({ nodes, tags }: { nodes: readonly Node[]; tags: ReadonlyMap<string, readonly string[]> }) {
  const [, go] = useLocation();
  const [filter, put] = useFilters(NAMES);
  const known = useMemo(() => [...new Set([...tags.values()].flat())].sort(), [tags]);
  const rows = useMemo(() => nodes.filter((node) => fits(node, tags.get(node.name) ?? [], filter)), [nodes, tags, filter]);
  const now = useStatus().data?.findings;
  const findings = useMemo(() => new Map(nodes.map((node) => [node.name, findingsOf(node, now ?? [])])), [nodes, now]);
  const columns = useMemo(() => columnsWith(tags, known, findings), [tags, known, findings]);
  return (
    <Card
      title={rows.length === nodes.length ? counted(nodes.length, "node") : `${rows.length} of ${counted(nodes.length, "node")}`}
      actions={
        <>
          <TextInput
            size="xs"
            aria-label="Find a node"
            placeholder="Name, address, version"
            leftSection={<IconSearch size={14} aria-hidden />}
            value={filter.text}
            onChange={(event) => put({ text: event.currentTarget.value })}
          />
          <Select size="xs" w={120} aria-label="State" placeholder="Any state" clearable data={[...NODE_STATES]} value={filter.state || null} onChange={(state) => put({ state: state ?? "" })} />
          {known.length > 0 && (
            <Select size="xs" w={120} aria-label="Tag" placeholder="Any tag" clearable searchable data={known} value={filter.tag || null} onChange={(tag) => put({ tag: tag ?? "" })} />
          )}
        </>
      }
      flush
    >
      <VirtualTable
        label="Nodes"
        rows={rows}
        columns={columns}
        rowKey={(node) => node.id}
        rowHeight={44}
        maxHeight="64vh"
        onOpen={(node) => go(to.node(node.name))}
        empty="No node fits this filter."
      />
    </Card>
  );
}

type Findings = ReadonlyMap<string, ReturnType<typeof findingsOf>>;

function columnsWith(tags: ReadonlyMap<string, readonly string[]>, known: readonly string[], findings: Findings): Column<Node>[] {
  const found = (node: Node) => findings.get(node.name) ?? node.findings;
  return [
    { key: "name", title: "Name", width: "minmax(120px, 1.2fr)", sortBy: (node) => node.name, cell: (node) => <Link href={to.node(node.name)} className={lines.name}>{visible(node.name)}</Link> },
    { key: "state", title: "State", width: "104px", sortBy: (node) => node.state, cell: (node) => <State state={stateOf(node.state)} label={node.state} /> },
    { key: "rules", title: "Rules", width: "124px", sortBy: (node) => rulesWord(node).word, cell: (node) => <Rules node={node} /> },
    { key: "address", title: "Address", width: "minmax(130px, 1fr)", sortBy: (node) => node.address, cell: (node) => visible(node.address) || "not known" },
    { key: "version", title: "Version", width: "80px", sortBy: (node) => node.version, cell: (node) => visible(node.version) || "–" },
    { key: "seen", title: "Last seen", width: "108px", sortBy: (node) => (node.state === "online" ? "9" : (node.last_seen ?? "")), cell: (node) => (node.state === "online" ? "now" : <Moment time={node.last_seen} ago />) },
    { key: "found", title: "Worth a look", width: "minmax(110px, 0.8fr)", sortBy: (node) => -found(node).length, cell: (node) => <Worth node={node} findings={found(node)} /> },
    ...(known.length > 0 ? [{ key: "tags", title: "Tags", width: "minmax(90px, 0.8fr)", cell: (node: Node) => <Tags tags={tags.get(node.name) ?? []} /> }] : []),
  ];
}

function Rules({ node }: { node: Node }) {
  const { state, word } = rulesWord(node);
  return (
    <span title={`In force: ${node.generation || "none"}, newest made for it: ${node.wanted_generation || "none"}`}>
      <State state={state} label={word} quiet />
    </span>
  );
}

function Worth({ node, findings }: { node: Node; findings: ReturnType<typeof findingsOf> }) {
  const clock = clockWord(node.clock_offset_ms);
  const said = [clock && `clock ${clock}`, findings.length > 0 && counted(findings.length, "finding")].filter(Boolean).join(", ");
  const words = findings.map((finding) => visible(finding.message)).join("\n");
  const worst = findings.some((finding) => finding.severity === "error") ? "failed" : clock || findings.some((finding) => finding.severity === "warning") ? "warning" : "off";
  if (!said) return <Text size="sm" c="dimmed">nothing</Text>;
  return (
    <span title={words}>
      <State state={worst} label={said} quiet />
    </span>
  );
}

/** So many have room. */
const TAGS = 2;

function Tags({ tags }: { tags: readonly string[] }) {
  return (
    <Group gap={4} wrap="nowrap" title={tags.map(visible).join(", ")}>
      {tags.slice(0, tags.length > TAGS ? TAGS - 1 : TAGS).map((tag) => (
        <Badge key={tag} variant="default" size="sm" tt="none" fw={500}>
          {visible(tag)}
        </Badge>
      ))}
      {tags.length > TAGS && `+${tags.length - TAGS + 1}`}
    </Group>
  );
}
