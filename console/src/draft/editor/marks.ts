/** Diagnostics as marks in the text, at the line and column that the Master names. */
import type { Diagnostic as Mark } from "@codemirror/lint";
import type { Text } from "@codemirror/state";
import { visible } from "../../parts/format";
import type { Diagnostic } from "../draft";

/** From the named place to the end of its word, or its line. What has no line has no mark. */
export function marksIn(text: Text, diagnostics: readonly Diagnostic[]): Mark[] {
  return diagnostics.flatMap(({ level, message, hint, where }) => {
    if (where.line < 1) return [];
    const line = text.line(Math.min(where.line, text.lines));
    const start = Math.min(offsetOf(line.text, where.column), line.length);
    const word = /^[^\s,:{}[\]#]+/.exec(line.text.slice(start))?.[0].length ?? 0;
    const from = line.from + start;
    const to = word > 0 ? from + word : line.to;
    return [{ from, to, severity: level, message: visible(hint ? `${message}\n${hint}` : message).replaceAll("\\u{a}", "\n") }];
  });
}

/** Columns count characters from 1; JavaScript counts 16-bit halves from 0. */
function offsetOf(line: string, column: number): number {
  return [...line].slice(0, Math.max(0, column - 1)).join("").length;
}

/** The smallest replacement that makes `after` of `before`, so that the cursor and the view stay where they are. */
export function replacement(before: string, after: string): { from: number; to: number; insert: string } {
  const most = Math.min(before.length, after.length);
  let start = 0;
  while (start < most && before.charCodeAt(start) === after.charCodeAt(start)) start += 1;
  let end = 0;
  while (end < most - start && before.charCodeAt(before.length - 1 - end) === after.charCodeAt(after.length - 1 - end)) end += 1;
  return { from: start, to: before.length - end, insert: after.slice(start, after.length - end) };
}
