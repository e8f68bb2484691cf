/** The whole document as text, with what is wrong in it below, and a way to carry it off as a file. */
import { Button, Group } from "@mantine/core";
import { IconDownload } from "@tabler/icons-react";
import { lazy, Suspense, useMemo, useState } from "react";
import { useSearch } from "wouter";
import { later } from "../../app/later";
import { counted } from "../../parts/format";
import { State } from "../../parts/State";
import { Loading } from "../../parts/Loading";
import { DiagnosticList } from "../DiagnosticList";
import { type Diagnostic, type Draft, useDraft } from "../draft";
import classes from "./TextPane.module.css";

const TextEditor = lazy(later(() => import("./TextEditor")));

/** `flow`: the flow one looks at; the text begins there. `?line=` in the address brings a line into sight. */
export function TextPane({ flow = "" }: { flow?: string }) {
  const draft = useDraft();
  const asked = Number(new URLSearchParams(useSearch()).get("line"));
  const linked = useMemo(() => (Number.isInteger(asked) && asked > 0 ? { line: asked } : null), [asked]);
  const [went, setWent] = useState<{ line: number } | null>(null);
  return (
    <div className={classes.pane}>
      <div className={classes.bar}>
        <span aria-live="polite">
          <Verdict draft={draft} />
        </span>
        <Group gap="xs">
          <Button size="compact-sm" variant="default" leftSection={<IconDownload size={15} aria-hidden />} onClick={() => download(draft)}>
            Download
          </Button>
        </Group>
      </div>
      <Suspense fallback={<Loading label="Opening the text" />}>
        <TextEditor look={went ?? linked} begin={flow && `flows.${flow}`} />
      </Suspense>
      {draft.diagnostics.length > 0 && (
        <div className={classes.problems} tabIndex={0} role="region" aria-label="Problems in the text">
          <DiagnosticList diagnostics={draft.diagnostics} flow={flow} onGo={(one: Diagnostic) => setWent({ line: Math.max(1, one.where.line) })} />
        </div>
      )}
    </div>
  );
}

function Verdict({ draft }: { draft: Draft }) {
  const errors = draft.diagnostics.filter((each) => each.level === "error").length;
  const warnings = draft.diagnostics.filter((each) => each.level === "warning").length;
  if (draft.waiting > 0) return <State state="running" label="reading" quiet />;
  if (!draft.readable) return <State state="failed" label="This is no YAML yet" quiet />;
  if (errors > 0) return <State state="failed" label={counted(errors, "error")} quiet />;
  if (warnings > 0) return <State state="warning" label={counted(warnings, "warning")} quiet />;
  return <State state="ok" label="No problems" quiet />;
}

function download({ text, baseRevision }: Draft): void {
  const url = URL.createObjectURL(new Blob([text], { type: "application/yaml" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = `environment-${baseRevision}.yaml`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 1_000);
}
