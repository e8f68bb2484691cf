/** The gate between drawing and doing: what the compiler says, what each node will do, and the button that puts it into force. */
import { Loader, Stack } from "@mantine/core";
import { DiagnosticList } from "../../draft/DiagnosticList";
import { isDirty, useDraft } from "../../draft/draft";
import { useSave } from "../../draft/useSave";
import { useLive } from "../../live/store";
import { Card } from "../../parts/Card";
import { Problem } from "../../parts/Problem";
import { Outcomes } from "./compile/Outcomes";
import { useActivation } from "./compile/useActivation";
import { Verdict } from "./compile/Verdict";
import { Changes, Work } from "./compile/Work";
import { type CompileReport, useCompile } from "./useCompile";
import classes from "./View.module.css";

export default function CompileView({ flow }: { flow: string }) {
  const compiled = useCompile(flow);
  const activation = useActivation(flow);
  const shown = compiled.data;
  return (
    <div className={classes.inner}>
      {compiled.error && <Problem error={compiled.error} onRetry={() => void compiled.refetch()} />}
      {!shown && !compiled.error && (
        <Stack align="center" py="xl">
          <Loader aria-label="Compiling" />
        </Stack>
      )}
      {shown && <Report flow={flow} report={shown} isOld={compiled.isOld} activation={activation} />}
    </div>
  );
}

interface ReportProps {
  flow: string;
  report: CompileReport;
  isOld: boolean;
  activation: ReturnType<typeof useActivation>;
}

function Report({ flow, report, isOld, activation }: ReportProps) {
  const isUnsaved = isDirty(useDraft());
  const { save, dialog } = useSave();
  const known = useLive((live) => live.flows.find((each) => each.name === flow));
  // Of what is in force, or of the attempt that was taken back; not of what somebody has activated over it since.
  const told = activation.report;
  const last = told?.valid && (told.rolled_back || told.revision === (known?.active_revision ?? told.revision)) ? told : null;
  const activate = async () => {
    if (isUnsaved && !(await save(`activate ${flow}`))) return;
    await activation.activate().catch(() => undefined);
  };
  return (
    <>
      {dialog}
      <Verdict
        report={report}
        isDirty={isUnsaved}
        isOld={isOld}
        isRunning={activation.isRunning}
        isActive={known?.state === "active" || known?.state === "changed"}
        onActivate={() => void activate()}
      />
      {last && <Outcomes report={last} />}
      {report.diagnostics.length > 0 && (
        <Card title="Problems" flush>
          <DiagnosticList diagnostics={report.diagnostics} flow={flow} />
        </Card>
      )}
      <Changes report={report} />
      <Work report={report} />
    </>
  );
}
