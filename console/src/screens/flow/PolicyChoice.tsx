/** Which policies a source has. */
import { Anchor, Button, Checkbox, Group, Text } from "@mantine/core";
import { IconPlus } from "@tabler/icons-react";
import { Link, useLocation } from "wouter";
import { to } from "../../app/places";
import { useDraft } from "../../draft/draft";
import { freeName, mappingAt, set, valueAt } from "../../draft/edits";
import { visible } from "../../parts/format";
import { newPolicy, type Template } from "../policies/changes";
import { toggle } from "./changes";
import { type Drawing, texts } from "./drawing";
import type { VertexInspectorProps } from "./VertexInspector";

export function PolicyChoice({ drawing, vertex, drawer }: VertexInspectorProps) {
  const { values } = useDraft();
  const [, go] = useLocation();
  const known = Object.keys(mappingAt(values, ["policies"]));
  const path = ["flows", drawing.flow, "vertices", vertex.name, "policies"];
  const isListed = Array.isArray(vertex.fields.policies);
  const toggled = (policy: string) => {
    const isOn = vertex.policies.includes(policy);
    drawer.apply(toggle(isListed ? [...vertex.policies] : null, path, policy, isOn ? `Take ${policy} off ${vertex.name}` : `Give ${policy} to ${vertex.name}`));
  };
  const create = () => {
    const name = freeName(`${vertex.name}-data`, known);
    const policies = isListed ? set([...path, vertex.policies.length], name) : set(path, [name]);
    // Which folders is asked there: none is right for everybody.
    const folders = set(["policies", name, "classification", "paths"], []);
    drawer.apply({ edits: [...newPolicy(name, "", templateFor(drawing)), folders, policies], label: `New policy ${name}` });
    go(to.policy(name, drawing.flow));
  };
  return (
    <div role="group" aria-label="Policies">
      <Text size="sm" fw={500}>
        Policies
      </Text>
      {[...new Set([...known, ...vertex.policies])].map((policy) => {
        const paths = pathsOf(valueAt(values, ["policies", policy, "classification", "paths"]));
        return (
          <Group key={policy} justify="space-between" wrap="nowrap" gap="xs" mih={30}>
            <Checkbox label={visible(policy)} checked={vertex.policies.includes(policy)} onChange={() => toggled(policy)} />
            <Anchor component={Link} href={to.policy(policy, drawing.flow)} size="xs" aria-label={`${paths}: open policy ${visible(policy)}`}>
              {paths}
            </Anchor>
          </Group>
        );
      })}
      <Button variant="subtle" size="compact-sm" h={28} leftSection={<IconPlus size={15} aria-hidden />} onClick={create}>
        New policy
      </Button>
    </div>
  );
}

/** What is drawn already says what is wanted: points, a plain copy, or both. */
function templateFor({ vertices }: Drawing): Template {
  const hasMirror = vertices.some(({ kind }) => kind === "mirror");
  const hasRepository = vertices.some(({ kind }) => kind === "repository");
  if (!hasMirror) return "backup";
  return hasRepository ? "backup-and-mirror" : "mirror";
}

function pathsOf(value: Parameters<typeof texts>[0]): string {
  const paths = texts(value);
  const [first] = paths;
  if (first === undefined) return "open";
  const more = paths.length > 1 ? ` +${paths.length - 1}` : "";
  return (first.length > 18 ? `…${visible(first.slice(-17))}` : visible(first)) + more;
}
