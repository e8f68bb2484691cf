/** The document's text to be edited, as the working copy is. Loaded by itself: it is large. */
import { useEffect, useEffectEvent, useRef, useState } from "react";
import { Problem } from "../../parts/Problem";
import { getDraft, useDraft } from "../draft";
import { showLine } from "./setup";
import classes from "./TextEditor.module.css";
import { openWriting, type Writing } from "./writing";

interface TextEditorProps {
  /** A line to bring into sight; a new object brings it again. */
  look?: { line: number } | null;
  /** A part to begin with, like `flows.office`. */
  begin?: string;
}

export default function TextEditor({ look = null, begin }: TextEditorProps) {
  const host = useRef<HTMLDivElement>(null);
  const writing = useRef<Writing | null>(null);
  const [failure, setFailure] = useState<unknown>(null);
  const draft = useDraft();

  const open = useEffectEvent(() => {
    const opened = openWriting(host.current!, setFailure);
    const line = begin && getDraft().places[begin]?.[0];
    if (line && !look) showLine(opened.view, line, "start");
    writing.current = opened;
    return opened;
  });
  useEffect(() => {
    const opened = open();
    return () => opened.close();
  }, []);
  useEffect(() => writing.current?.follow(draft), [draft]);
  useEffect(() => {
    if (!look || !writing.current) return;
    showLine(writing.current.view, look.line);
    writing.current.view.focus();
  }, [look]);

  return (
    <>
      {failure !== null && (
        <div className={classes.bar}>
          <Problem error={failure} onRetry={() => writing.current?.flush()} />
        </div>
      )}
      <div className={classes.editor}>
        <div className={classes.host} ref={host} data-testid="yaml" />
      </div>
    </>
  );
}
