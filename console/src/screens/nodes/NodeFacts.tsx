/** What is known of a node: addresses, versions, its key, its clock, its own limits, and what it has found. */
import { Text } from "@mantine/core";
import { Link } from "wouter";
import type { Schemas } from "../../api/client";
import { useDraft } from "../../draft/draft";
import type { Node } from "../../live/store";
import { Card } from "../../parts/Card";
import { sentence, visible } from "../../parts/format";
import { Moment } from "../../parts/Moment";
import { State, stateOf } from "../../parts/State";
import { clockWord, tagsOf } from "./nodes";
import lines from "../../parts/Rows.module.css";
import classes from "./Nodes.module.css";

interface NodeFactsProps {
  node: Node;
  /** null: not told. */
  limits: Schemas["LimitsTold"] | null;
  isAsking: boolean;
}

export function NodeFacts({ node, limits, isAsking }: NodeFactsProps) {
  const tags = tagsOf(useDraft().values).get(node.name) ?? [];
  return (
    <Card title="The machine">
      <dl className={classes.facts}>
        <dt>Last seen</dt>
        <dd>{node.state === "online" ? "now" : <Moment time={node.last_seen} ago />}</dd>
        <dt>Address</dt>
        <dd>{visible(node.address) || "not known"}</dd>
        <dt>Version</dt>
        <dd>{visible(node.version) || "not known"}</dd>
        <dt>Clock</dt>
        <dd>
          <Clock node={node} />
        </dd>
        <dt>Tags</dt>
        <dd>{tags.length > 0 ? tags.map(visible).join(", ") : "none"}</dd>
        <dt>Key</dt>
        <dd className={classes.key}>{node.fingerprint}</dd>
        <dt>It may read</dt>
        <dd>{limits ? folders(limits.read) : unknown(isAsking)}</dd>
        <dt>It may write</dt>
        <dd>{limits ? folders(limits.write) : unknown(isAsking)}</dd>
        <dt>Hooks</dt>
        <dd>{limits ? limits.hooks ? `from ${visible(limits.hooks)}` : "none allowed" : unknown(isAsking)}</dd>
      </dl>
      <Text size="sm" c="dimmed" mt="md">
        The address stands in the <Link href="/document">document</Link> under <code>nodes</code>. The limits are set on the machine alone, in its limits.toml.
      </Text>
    </Card>
  );
}

function Clock({ node }: { node: Node }) {
  const word = clockWord(node.clock_offset_ms);
  if (word) return <State state="warning" label={`${word} of the Master`} quiet />;
  if (node.clock_offset_ms === null) return "not known";
  return node.state === "online" ? "agrees with the Master" : "agreed when it was last seen";
}

const folders = (roots: readonly string[] | null): string => (roots === null ? "everywhere" : roots.length === 0 ? "nothing" : roots.map(visible).join(", "));
const unknown = (isAsking: boolean): string => (isAsking ? "asking …" : "not known: it does not answer");

export function NodeFindings({ findings }: { findings: readonly Schemas["Finding"][] }) {
  if (findings.length === 0) return null;
  return (
    <Card title="Worth a look">
      <ul className={lines.list}>
        {findings.map((finding, index) => (
          <li key={index}>
            <State state={stateOf(finding.severity)} label={finding.severity} />
            <div className={lines.grow}>
              <Text size="sm">{sentence(visible(finding.message))}</Text>
              {finding.hint && (
                <Text size="sm" c="dimmed">
                  {sentence(visible(finding.hint))}
                </Text>
              )}
            </div>
          </li>
        ))}
      </ul>
    </Card>
  );
}
