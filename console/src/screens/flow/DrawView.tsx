/** The flow as a drawing to be edited: what can be added at the left, what is selected at the right, what is wrong below. */
import { ActionIcon, Button, Drawer, Text, Title, Tooltip, VisuallyHidden } from "@mantine/core";
import { useMediaQuery } from "@mantine/hooks";
import { IconHierarchy, IconLayoutSidebarRight, IconPlus } from "@tabler/icons-react";
import { Panel } from "@xyflow/react";
import { type KeyboardEvent, useEffect, useMemo, useState } from "react";
import { useDraft } from "../../draft/draft";
import { useLive } from "../../live/store";
import { addables } from "./addables";
import { AddPanel } from "./AddPanel";
import { Asking } from "./Asking";
import { diagnosticsOf } from "./diagnosticsOf";
import classes from "./draw.module.css";
import { drawingOf } from "./drawing";
import { FlowCanvas } from "./FlowCanvas";
import { Inspector } from "./Inspector";
import { ProblemsPanel } from "./ProblemsPanel";
import { thingsOf } from "./things";
import { useCompile } from "./useCompile";
import { useDrawing } from "./useDrawing";
import { useSelection } from "./useSelection";

const INSPECTOR = "flow-inspector";

export default function DrawView({ flow }: { flow: string }) {
  const { values, diagnostics: ofText } = useDraft();
  const compiled = useCompile(flow);
  const joined = useLive((live) => live.nodes.filter((node) => node.state !== "revoked").map((node) => node.name));
  const [selected, select] = useSelection();
  const isNarrow = useMediaQuery("(max-width: 62em)") ?? false;
  const [drawerAt, setDrawerAt] = useState<"add" | "inspect" | null>(null);
  const [opened, setOpened] = useState(0);
  const inspect = () => {
    if (isNarrow) setDrawerAt("inspect");
    else setOpened((count) => count + 1);
  };
  // Only now it shows what was selected together with the wish to open it.
  useEffect(() => {
    if (opened > 0) document.querySelector<HTMLElement>(`#${INSPECTOR} input, #${INSPECTOR} button, #${INSPECTOR} a`)?.focus();
  }, [opened]);
  useEffect(() => {
    // Who came by keyboard can begin at once.
    if (document.activeElement === document.body) document.querySelector<HTMLElement>(".react-flow")?.focus();
  }, []);
  const drawing = useMemo(() => drawingOf(values, flow), [values, flow]);
  const diagnostics = useMemo(() => diagnosticsOf(ofText, compiled.data?.diagnostics), [ofText, compiled.data]);
  const { drawer, actions, asked, clear, said, look } = useDrawing(flow, select, inspect);
  const entries = useMemo(() => addables(values, drawing, joined), [values, drawing, joined]);

  const backOnEscape = (event: KeyboardEvent) => {
    const [thing] = selected;
    if (event.key === "Escape" && thing !== undefined && !event.defaultPrevented) drawer.show(thing);
  };
  const inspector = <Inspector drawing={drawing} diagnostics={diagnostics} selected={selected} drawer={drawer} />;
  const add = (
    <AddPanel
      entries={entries}
      onAdd={(thing) => {
        setDrawerAt(null);
        drawer.add(thing);
      }}
    />
  );
  return (
    <div className={classes.screen}>
      {!isNarrow && (
        <aside className={classes.side} data-side="left" aria-label="What can be added">
          {add}
        </aside>
      )}
      <div className={classes.middle}>
        <FlowCanvas drawing={drawing} diagnostics={diagnostics} selected={selected} onSelect={select} actions={actions} look={look}>
          <Panel position="top-left">
            <div className={classes.tools}>
              {isNarrow && (
                <Button size="compact-sm" h={30} leftSection={<IconPlus size={16} aria-hidden />} onClick={() => setDrawerAt("add")}>
                  Add
                </Button>
              )}
              <Tooltip label="Arrange it from left to right (T)">
                <Button size="compact-sm" h={30} variant="default" leftSection={<IconHierarchy size={16} aria-hidden />} onClick={drawer.tidy}>
                  Tidy
                </Button>
              </Tooltip>
              {isNarrow && (
                <Tooltip label="What is selected">
                  <ActionIcon variant="default" size={30} aria-label="Open the inspector" onClick={() => setDrawerAt("inspect")}>
                    <IconLayoutSidebarRight size={17} />
                  </ActionIcon>
                </Tooltip>
              )}
            </div>
          </Panel>
        </FlowCanvas>
        {drawing.vertices.length === 0 && <Blank />}
        <ProblemsPanel
          flow={flow}
          diagnostics={diagnostics}
          isOld={compiled.isOld}
          onGo={(diagnostic) => {
            const [thing] = thingsOf(drawing, diagnostic);
            if (thing) drawer.show(thing);
          }}
        />
      </div>
      {!isNarrow && (
        <aside className={classes.side} data-side="right" id={INSPECTOR} aria-label="Inspector" onKeyDown={backOnEscape}>
          {inspector}
        </aside>
      )}
      {isNarrow && (
        <Drawer
          opened={drawerAt !== null}
          onClose={() => setDrawerAt(null)}
          position={drawerAt === "add" ? "left" : "right"}
          size={320}
          title={drawerAt === "add" ? "Add to the drawing" : "Inspector"}
          closeButtonProps={{ "aria-label": "Close" }}
        >
          {drawerAt === "add" ? add : inspector}
        </Drawer>
      )}
      <Asking asked={asked} entries={entries} drawing={drawing} drawer={drawer} onClose={clear} />
      <VisuallyHidden role="status" aria-live="polite">
        {said}
      </VisuallyHidden>
    </div>
  );
}

function Blank() {
  return (
    <div className={classes.blank}>
      <div className={classes.blankCard}>
        <Title order={2} size="h4">
          An empty drawing
        </Title>
        <Text size="sm" c="dimmed">
          Drag a source here from the left, and a repository to keep its points. Give the source a policy, which says which folders; then draw
          from its dot to the repository. By keyboard: A adds, C connects.
        </Text>
      </div>
    </div>
  );
}
