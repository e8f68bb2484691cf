/** The vertices of the flow, a row each. */
import { Button, Text, VisuallyHidden } from "@mantine/core";
import { IconPlus } from "@tabler/icons-react";
import { Card } from "../../../parts/Card";
import { useDraft } from "../../../draft/draft";
import { isMapping, mappingAt } from "../../../draft/edits";
import { useLive } from "../../../live/store";
import { visible } from "../../../parts/format";
import { knownNode, nameProblem, setVertex } from "../changes";
import type { Drawing, DrawnVertex, VertexKind } from "../drawing";
import { KIND_WORDS, type Marks } from "../elements";
import { vertexThing } from "../things";
import type { Drawer } from "../useDrawing";
import { ChoiceCell, NamesCell, TextCell } from "./Cells";
import { changeKind, listEdits } from "./cells";
import classes from "./list.module.css";
import { RemoveRow, RowProblems } from "./RowEnd";

const KINDS = (Object.keys(KIND_WORDS) as VertexKind[]).map((kind) => [kind, KIND_WORDS[kind]] as const);
const COLUMNS = ["Name", "Kind", "Stands for", "Policies, or folder", ""];

interface VertexTableProps {
  drawing: Drawing;
  marks: ReadonlyMap<string, Marks>;
  selected: readonly string[];
  drawer: Drawer;
}

/** What each kind can stand for. */
function useSubjects(): Record<VertexKind, readonly string[]> {
  const { values } = useDraft();
  const joined = useLive((live) => live.nodes.filter((node) => node.state !== "revoked").map((node) => node.name));
  const names = (section: string) => Object.keys(mappingAt(values, [section]));
  const nodes = [...new Set([...names("nodes"), ...joined])];
  return { node: nodes, mirror: nodes, relay: nodes, group: names("groups"), repository: names("repositories") };
}

export function VertexTable({ drawing, marks, selected, drawer }: VertexTableProps) {
  const { values } = useDraft();
  const subjects = useSubjects();
  const policies = Object.keys(mappingAt(values, ["policies"]));
  return (
    <Card title="Vertices" flush>
      <div className={classes.frame}>
        <table className={classes.table} aria-label="Vertices">
          <thead>
            <tr>
              {COLUMNS.map((title) => (
                <th key={title} scope="col">
                  {title || <VisuallyHidden>Remove</VisuallyHidden>}
                </th>
              ))}
            </tr>
          </thead>
          {/* By place, so that a field keeps the focus when its vertex gets another name. */}
          {drawing.vertices.map((vertex, index) => {
            const thing = vertexThing(vertex.name);
            return (
              <tbody key={index}>
                <Row vertex={vertex} drawing={drawing} subjects={subjects} policies={policies} isSelected={selected.includes(thing)} drawer={drawer} />
                <RowProblems problems={marks.get(thing) ?? []} columns={COLUMNS.length} />
              </tbody>
            );
          })}
        </table>
      </div>
      <div className={classes.foot}>
        <Button variant="default" size="xs" leftSection={<IconPlus size={15} aria-hidden />} onClick={() => drawer.ask({ what: "add" })}>
          Add a vertex
        </Button>
        {drawing.vertices.length === 0 && (
          <Text size="sm" c="dimmed">
            Begin with a source, and a repository or a mirror for its data to go to.
          </Text>
        )}
      </div>
    </Card>
  );
}

interface RowProps {
  vertex: DrawnVertex;
  drawing: Drawing;
  subjects: Record<VertexKind, readonly string[]>;
  policies: readonly string[];
  isSelected: boolean;
  drawer: Drawer;
}

function Row({ vertex, drawing, subjects, policies, isSelected, drawer }: RowProps) {
  const { values } = useDraft();
  const { name, kind } = vertex;
  const shown = visible(name);
  const others = drawing.vertices.filter((each) => each !== vertex).map((each) => each.name);
  const stand = (subject: string) => {
    const change = setVertex(drawing.flow, name, kind, subject);
    drawer.apply({ edits: [...knownNode(values, kind, subject), ...change.edits], label: `Let ${name} stand for ${subject}` });
  };
  return (
    <tr className={classes.row} data-selected={isSelected || undefined} aria-current={isSelected || undefined}>
      <td>
        <TextCell
          label={`Name of ${shown}`}
          written={name}
          problem={(next) => nameProblem(next, others)}
          onCommit={(next) => drawer.rename(name, next)}
        />
      </td>
      <td>
        <ChoiceCell
          label={`Kind of ${shown}`}
          value={kind}
          choices={KINDS}
          onChoose={(next) => drawer.apply(changeKind(drawing.flow, vertex, next as VertexKind))}
        />
      </td>
      <td>
        <ChoiceCell label={`What ${shown} stands for`} value={vertex.subject} choices={subjects[kind]} onChoose={stand} />
      </td>
      <td>
        <Rest vertex={vertex} drawing={drawing} policies={policies} drawer={drawer} />
      </td>
      <td>
        <RemoveRow name={name} onRemove={() => drawer.drop([vertexThing(name)])} />
      </td>
    </tr>
  );
}

function Rest({ vertex, drawing, policies, drawer }: Pick<RowProps, "vertex" | "drawing" | "policies" | "drawer">) {
  const { name, kind, fields } = vertex;
  const path = ["flows", drawing.flow, "vertices", name, "policies"];
  if (kind === "node" || kind === "group")
    return (
      <NamesCell
        label={`Policies of ${visible(name)}`}
        value={vertex.policies}
        choices={policies}
        onChange={(next) =>
          drawer.apply({ edits: listEdits(Array.isArray(fields.policies) ? vertex.policies : null, next, path), label: `Change policies of ${name}` })
        }
      />
    );
  if (kind !== "mirror") return null;
  if (isMapping(fields.path))
    return (
      <Text size="xs" c="dimmed">
        {Object.entries(fields.path).map(([root, target]) => visible(`${root} → ${String(target)}`)).join(", ")}
      </Text>
    );
  return (
    <TextCell
      label={`Folder of ${visible(name)}`}
      written={typeof fields.path === "string" ? fields.path : ""}
      placeholder="/srv/mirror/{node}"
      width={220}
      onCommit={(text) => drawer.apply(setVertex(drawing.flow, name, "path", text))}
    />
  );
}
