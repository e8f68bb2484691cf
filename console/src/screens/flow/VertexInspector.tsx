/** One vertex: its name, what it stands for, and what its kind needs beside that. */
import { Anchor, Button, Group, TextInput, Title } from "@mantine/core";
import { IconArrowRight, IconTrash } from "@tabler/icons-react";
import { Link } from "wouter";
import { to } from "../../app/places";
import { useDraft } from "../../draft/draft";
import { mappingAt } from "../../draft/edits";
import { visible } from "../../parts/format";
import { useTyped } from "../policies/fields";
import { JobsAtOnce } from "../policies/PartFields";
import { nameProblem } from "./changes";
import classes from "./draw.module.css";
import type { Drawing, DrawnVertex } from "./drawing";
import { KIND_WORDS } from "./elements";
import { GroupFacts } from "./GroupFacts";
import { MirrorPath } from "./MirrorPath";
import { PolicyChoice } from "./PolicyChoice";
import { RepositoryFacts } from "./RepositoryFacts";
import { SubjectChoice } from "./SubjectChoice";
import type { Drawer } from "./useDrawing";
import { KIND_ICONS } from "./VertexNode";

export interface VertexInspectorProps {
  drawing: Drawing;
  vertex: DrawnVertex;
  drawer: Drawer;
}

export function VertexInspector(props: VertexInspectorProps) {
  const { vertex, drawer } = props;
  const { values } = useDraft();
  const Icon = KIND_ICONS[vertex.kind];
  const isNode = vertex.kind === "node" || vertex.kind === "mirror" || vertex.kind === "relay";
  const isKnown = Object.hasOwn(mappingAt(values, ["nodes"]), vertex.subject);
  return (
    <>
      <div>
        <Title order={2} size="h4">
          {visible(vertex.name)}
        </Title>
        <span className={classes.kindLine}>
          <Icon size={15} aria-hidden /> {KIND_WORDS[vertex.kind]}
        </span>
      </div>
      <NameField {...props} />
      <SubjectChoice {...props} />
      {isNode && vertex.subject !== "" && isKnown && (
        <Anchor component={Link} href={to.node(vertex.subject)} size="sm">
          See node {visible(vertex.subject)}
        </Anchor>
      )}
      {vertex.kind === "node" && isKnown && <JobsAtOnce path={["nodes", vertex.subject]} description="So many of its jobs run at once." />}
      {vertex.kind === "repository" && <RepositoryFacts {...props} />}
      {vertex.kind === "group" && <GroupFacts {...props} />}
      {vertex.kind === "mirror" && <MirrorPath {...props} />}
      {(vertex.kind === "node" || vertex.kind === "group") && <PolicyChoice {...props} />}
      <Group gap="xs">
        {vertex.kind !== "mirror" && (
          <Button
            variant="light"
            size="xs"
            leftSection={<IconArrowRight size={15} aria-hidden />}
            onClick={() => drawer.ask({ what: "connect", from: vertex.name })}
          >
            Connect to …
          </Button>
        )}
        <Button
          variant="default"
          size="xs"
          leftSection={<IconTrash size={15} aria-hidden />}
          onClick={() => drawer.drop([`vertex:${vertex.name}`])}
        >
          Remove from the drawing
        </Button>
      </Group>
    </>
  );
}

function NameField({ drawing, vertex, drawer }: VertexInspectorProps) {
  const others = drawing.vertices.filter((each) => each !== vertex).map((each) => each.name);
  const typing = useTyped(vertex.name, (typed) => {
    if (nameProblem(typed.trim(), others) === null && typed.trim() !== vertex.name) drawer.rename(vertex.name, typed.trim());
  });
  const problem = typing.value === vertex.name ? null : nameProblem(typing.value.trim(), others);
  return <TextInput label="Name in the drawing" {...typing} error={problem} />;
}
