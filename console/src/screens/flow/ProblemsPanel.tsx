/** What is wrong with the flow as it is drawn now, below the drawing. */
import { UnstyledButton } from "@mantine/core";
import { IconChevronDown, IconChevronUp } from "@tabler/icons-react";
import { useState } from "react";
import type { Diagnostic } from "../../draft/draft";
import { DiagnosticList } from "../../draft/DiagnosticList";
import { counted } from "../../parts/format";
import { State } from "../../parts/State";
import classes from "./draw.module.css";

interface ProblemsPanelProps {
  flow: string;
  diagnostics: readonly Diagnostic[];
  /** They are of an earlier state of the drawing; the newer are on their way. */
  isOld: boolean;
  onGo: (diagnostic: Diagnostic) => void;
}

export function ProblemsPanel({ flow, diagnostics, isOld, onGo }: ProblemsPanelProps) {
  const [isOpen, setOpen] = useState<boolean | null>(null);
  const count = (level: Diagnostic["level"]) => diagnostics.filter((each) => each.level === level).length;
  const [errors, warnings, notes] = [count("error"), count("warning"), count("info")];
  const opened = (isOpen ?? errors > 0) && diagnostics.length > 0;
  const Icon = opened ? IconChevronDown : IconChevronUp;
  return (
    <section className={classes.problems} aria-label="Problems" aria-busy={isOld}>
      <UnstyledButton className={classes.problemsHead} aria-expanded={opened} onClick={() => setOpen(!opened)} disabled={diagnostics.length === 0}>
        {diagnostics.length === 0 && <State state={isOld ? "running" : "ok"} label={isOld ? "Checking" : "No problems"} quiet />}
        {errors > 0 && <State state="failed" label={counted(errors, "error")} quiet />}
        {warnings > 0 && <State state="warning" label={counted(warnings, "warning")} quiet />}
        {notes > 0 && <State state="off" label={counted(notes, "note")} quiet />}
        {diagnostics.length > 0 && <Icon size={16} aria-hidden />}
      </UnstyledButton>
      {opened && (
        <div className={classes.problemsList} data-old={isOld || undefined} tabIndex={0} role="group" aria-label="List of problems">
          <DiagnosticList diagnostics={diagnostics} flow={flow} onGo={onGo} />
        </div>
      )}
    </section>
  );
}
