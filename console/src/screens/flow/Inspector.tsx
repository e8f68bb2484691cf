/** What is selected, in full: its fields, what is wrong with it, what can be done with it. With nothing selected: the flow. */
import { Button, MantineThemeProvider, Stack, Text, Title } from "@mantine/core";
import { useMemo } from "react";
import { DiagnosticList } from "../../draft/DiagnosticList";
import { type Diagnostic, useDraft } from "../../draft/draft";
import { counted, visible } from "../../parts/format";
import { TagsField } from "../policies/PartFields";
import classes from "./draw.module.css";
import type { Drawing } from "./drawing";
import { MoverInspector } from "./MoverInspector";
import { sentencesOf } from "./sentences";
import { moverOfThing, type ThingId, thingsOf, vertexOfThing } from "./things";
import type { Drawer } from "./useDrawing";
import { VertexInspector } from "./VertexInspector";

const DENSE = Object.fromEntries(
  ["TextInput", "Select", "MultiSelect", "TagsInput", "Checkbox"].map((name) => [name, { defaultProps: { size: "xs" } }]),
);

export interface InspectorProps {
  drawing: Drawing;
  diagnostics: readonly Diagnostic[];
  selected: readonly ThingId[];
  drawer: Drawer;
}

export function Inspector({ drawing, diagnostics, selected, drawer }: InspectorProps) {
  const [first] = selected;
  const vertex = first === undefined ? undefined : vertexOfThing(drawing, first);
  const mover = first === undefined ? undefined : moverOfThing(drawing, first);
  const own = useMemo(
    () => (first === undefined ? [] : diagnostics.filter((each) => thingsOf(drawing, each).includes(first))),
    [first, drawing, diagnostics],
  );
  if (selected.length > 1) return <Several drawing={drawing} selected={selected} drawer={drawer} />;
  return (
    <MantineThemeProvider theme={{ components: DENSE }}>
      <div className={classes.inspector}>
        {vertex && <VertexInspector key={vertex.name} drawing={drawing} vertex={vertex} drawer={drawer} />}
        {mover && <MoverInspector key={mover.id} drawing={drawing} mover={mover} drawer={drawer} />}
        {!vertex && !mover && <Whole drawing={drawing} />}
        {own.length > 0 && (
          <section aria-label="Problems of what is selected">
            <Title order={3} size="h5">
              To be mended
            </Title>
            <DiagnosticList diagnostics={own} flow={drawing.flow} />
          </section>
        )}
      </div>
    </MantineThemeProvider>
  );
}

function Several({ drawing, selected, drawer }: Omit<InspectorProps, "diagnostics">) {
  const names = selected.flatMap((thing) => vertexOfThing(drawing, thing)?.name ?? moverOfThing(drawing, thing)?.id ?? []);
  return (
    <div className={classes.inspector}>
      <Title order={2} size="h4">
        {counted(names.length, "thing")} selected
      </Title>
      <Text size="sm">{names.slice(0, 12).map(visible).join(", ")}{names.length > 12 ? " …" : ""}</Text>
      <Text size="sm" c="dimmed">
        Drag or use the arrow keys to move them together.
      </Text>
      <Button variant="default" onClick={() => drawer.drop(selected)}>
        Remove them from the drawing
      </Button>
    </div>
  );
}

function Whole({ drawing }: { drawing: Drawing }) {
  const { values } = useDraft();
  const sentences = useMemo(() => sentencesOf(values, drawing), [values, drawing]);
  return (
    <Stack gap="xs">
      <Title order={2} size="h4">
        {visible(drawing.flow)}
      </Title>
      {sentences.length === 0 ? (
        <Text size="sm" c="dimmed">
          Nothing flows yet.
        </Text>
      ) : (
        <ul className={classes.sentences}>
          {sentences.slice(0, 40).map(({ key, text }) => (
            <li key={key}>{text}</li>
          ))}
          {sentences.length > 40 && <li>and {sentences.length - 40} more movers</li>}
        </ul>
      )}
      <TagsField path={["flows", drawing.flow, "tags"]} description="Jobs and points of this flow inherit them." />
      <Text size="sm" c="dimmed">
        Select a vertex or a mover to see and change it.
      </Text>
    </Stack>
  );
}
