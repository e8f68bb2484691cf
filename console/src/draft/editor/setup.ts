/** What the editor can do: line numbers, search, marks, YAML's colours. History is the caller's. */
import { defaultKeymap } from "@codemirror/commands";
import { yamlLanguage } from "@codemirror/lang-yaml";
import { bracketMatching, foldGutter, foldKeymap, indentOnInput, indentUnit } from "@codemirror/language";
import { lintGutter, lintKeymap } from "@codemirror/lint";
import { highlightSelectionMatches, searchKeymap } from "@codemirror/search";
import { EditorState, type Extension } from "@codemirror/state";
import { drawSelection, EditorView, highlightActiveLine, highlightActiveLineGutter, keymap, lineNumbers } from "@codemirror/view";
import { look } from "./look";

/** Tab leaves the editor, so that nobody is caught in it. */
export function textExtensions(label: string): Extension[] {
  return [
    look(),
    lineNumbers(),
    foldGutter(),
    drawSelection(),
    highlightActiveLine(),
    highlightActiveLineGutter(),
    highlightSelectionMatches(),
    bracketMatching(),
    indentOnInput(),
    indentUnit.of("  "),
    lintGutter(),
    yamlLanguage,
    EditorState.tabSize.of(2),
    EditorView.contentAttributes.of({ "aria-label": label, tabindex: "0", spellcheck: "false", autocapitalize: "off" }),
    keymap.of([...defaultKeymap, ...searchKeymap, ...foldKeymap, ...lintKeymap]),
  ];
}

/** Bring a line into sight, with the cursor on it. */
export function showLine(view: EditorView, number: number, where: "start" | "center" = "center"): void {
  const line = view.state.doc.line(Math.max(1, Math.min(number, view.state.doc.lines)));
  view.dispatch({ selection: { anchor: line.from }, effects: EditorView.scrollIntoView(line.from, { y: where, yMargin: 8 }) });
}

/** When the editor gets smaller, as it does when problems are listed below, the cursor stays in sight if it was. Ends by the function returned. */
export function keepCursorInSight(view: EditorView): () => void {
  let before = view.scrollDOM.clientHeight;
  const observer = new ResizeObserver(() => {
    const { clientHeight, scrollTop } = view.scrollDOM;
    const { top, bottom } = view.lineBlockAt(view.state.selection.main.head);
    const wasSeen = top >= scrollTop && top <= scrollTop + before;
    if (view.hasFocus && wasSeen && bottom > scrollTop + clientHeight)
      view.dispatch({ effects: EditorView.scrollIntoView(view.state.selection.main.head, { y: "nearest", yMargin: 8 }) });
    before = clientHeight;
  });
  observer.observe(view.scrollDOM);
  return () => observer.disconnect();
}
