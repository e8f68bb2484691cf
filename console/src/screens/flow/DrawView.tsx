/** The flow as a drawing to be edited. */
import { useMemo } from "react";
import { useDraft } from "../../draft/draft";
import { drawingOf } from "./drawing";
import { FlowCanvas } from "./FlowCanvas";
import { useCompile } from "./useCompile";
import { useSelection } from "./useSelection";

export default function DrawView({ flow }: { flow: string }) {
  const draft = useDraft();
  const [selected, select] = useSelection();
  const compiled = useCompile(flow);
  const drawing = useMemo(() => drawingOf(draft.values, flow), [draft.values, flow]);
  const diagnostics = compiled.data?.diagnostics ?? draft.diagnostics;
  return <FlowCanvas drawing={drawing} diagnostics={diagnostics} selected={selected} onSelect={select} />;
}
