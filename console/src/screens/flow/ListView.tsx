/** The flow as two tables: everything the canvas can do, with plain fields and the Tab key. */
import { VisuallyHidden } from "@mantine/core";
import { useCallback, useMemo } from "react";
import { DiagnosticList } from "../../draft/DiagnosticList";
import { useDraft } from "../../draft/draft";
import { useLive } from "../../live/store";
import { Card } from "../../parts/Card";
import { addables } from "./addables";
import { Asking } from "./Asking";
import { diagnosticsOf } from "./diagnosticsOf";
import { drawingOf } from "./drawing";
import { MoverTable } from "./list/MoverTable";
import { VertexTable } from "./list/VertexTable";
import { marksOf } from "./things";
import { useCompile } from "./useCompile";
import { useDrawing } from "./useDrawing";
import { useSelection } from "./useSelection";
import view from "./View.module.css";

export default function ListView({ flow }: { flow: string }) {
  const { values, diagnostics: ofText } = useDraft();
  const compiled = useCompile(flow);
  const joined = useLive((live) => live.nodes.filter((node) => node.state !== "revoked").map((node) => node.name));
  const [selected, select] = useSelection();
  const stay = useCallback(() => undefined, []);
  const drawing = useMemo(() => drawingOf(values, flow), [values, flow]);
  const diagnostics = useMemo(() => diagnosticsOf(ofText, compiled.data?.diagnostics), [ofText, compiled.data]);
  const marks = useMemo(() => marksOf(drawing, diagnostics), [drawing, diagnostics]);
  const { drawer, asked, clear, said } = useDrawing(flow, select, stay);
  const entries = useMemo(() => addables(values, drawing, joined), [values, drawing, joined]);
  return (
    <div className={view.inner}>
      <VertexTable drawing={drawing} marks={marks} selected={selected} drawer={drawer} />
      <MoverTable drawing={drawing} marks={marks} selected={selected} drawer={drawer} />
      {diagnostics.length > 0 && (
        <Card title="Problems" flush>
          <DiagnosticList diagnostics={diagnostics} flow={flow} />
        </Card>
      )}
      <Asking asked={asked} entries={entries} drawing={drawing} drawer={drawer} onClose={clear} />
      <VisuallyHidden role="status" aria-live="polite">
        {said}
      </VisuallyHidden>
    </div>
  );
}
