/**
 * The document's text under somebody's hands, tied to the working copy. What is typed becomes the working copy when the typing rests, when
 * the editor is left, and before it is saved. What else changes the text is put in where it differs, and the cursor and the view stay.
 *
 * Two histories agree like this: the editor has its own, of what was typed since the text last came from elsewhere, and Ctrl+Z walks through
 * that first. When it is used up, Ctrl+Z takes a step back in the working copy's, as the button above does on every screen. A text that
 * comes of a step back in the editor and was a step of the working copy is a step back there, too, not a new one.
 */
import { history, historyKeymap, redo as redoTyped, undo as undoTyped } from "@codemirror/commands";
import { setDiagnostics } from "@codemirror/lint";
import { EditorState, Prec } from "@codemirror/state";
import { EditorView, keymap } from "@codemirror/view";
import { sayFailed } from "../../parts/notices";
import { beginTyping, type Draft, getDraft, redo, setText, undo } from "../draft";
import { marksIn, replacement } from "./marks";
import { keepCursorInSight, textExtensions } from "./setup";

const REST_MS = 500;
const LABEL = "Edit the text";

export interface Writing {
  view: EditorView;
  /** Give what was typed now. */
  flush: () => void;
  /** The working copy has changed. */
  follow: (draft: Draft) => void;
  close: () => void;
}

/** How many steps of typing lead to this text, from the newest; 0 = none do. */
function stepsTo(steps: Draft["past"], text: string): number {
  const others = steps.findLastIndex(({ label }) => label !== LABEL);
  const found = steps.findLastIndex((step, index) => index > others && step.reading.text === text);
  return found < 0 ? 0 : steps.length - found;
}

/** Make the typed text the working copy's: by its own steps where it has been that, else as a new one. */
async function give(typed: string): Promise<void> {
  const { past, future } = getDraft();
  const [back, on] = [stepsTo(past, typed), stepsTo(future, typed)];
  if (back + on === 0) return setText(typed, LABEL);
  for (let count = 0; count < (back || on); count += 1) await (back > 0 ? undo() : redo());
}

/** `onFailed` is told why what was typed did not become the working copy, or null when it did; the text stays as typed either way. */
export function openWriting(parent: Element, onFailed: (error: unknown) => void): Writing {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let endTyping: (() => void) | null = null;
  let onTheWay = 0;
  let isClosed = false;

  const flush = () => {
    clearTimeout(timer);
    if (!endTyping) return;
    const typed = view.state.doc.toString();
    onTheWay += 1;
    const given = onTheWay === 1 ? give(typed) : setText(typed, LABEL);
    endTyping();
    endTyping = null;
    given.then(arrived, refused);
  };
  const arrived = () => {
    onTheWay -= 1;
    if (isClosed) return;
    onFailed(null);
    follow(getDraft());
  };
  // What was typed stays, and stays to be given.
  const refused = (error: unknown) => {
    onTheWay -= 1;
    if (isClosed) sayFailed(error);
    else {
      endTyping ??= beginTyping();
      onFailed(error);
    }
  };
  const onTyped = () => {
    endTyping ??= beginTyping();
    clearTimeout(timer);
    timer = setTimeout(flush, REST_MS);
  };
  const back = (typed: (view: EditorView) => boolean, step: () => Promise<void>) => (view: EditorView) => {
    if (typed(view)) return true;
    flush();
    void step();
    return true;
  };
  const extensions = [
    Prec.high(
      keymap.of([
        { key: "Mod-z", run: back(undoTyped, undo), preventDefault: true },
        { key: "Mod-y", run: back(redoTyped, redo), preventDefault: true },
        { key: "Mod-Shift-z", run: back(redoTyped, redo), preventDefault: true },
        // The save itself is the screen's; it must find what was typed.
        { key: "Mod-s", run: () => (flush(), false) },
      ]),
    ),
    history(),
    keymap.of(historyKeymap),
    textExtensions("The environment document as YAML"),
    EditorView.updateListener.of((update) => {
      if (update.docChanged) onTyped();
    }),
    EditorView.domEventHandlers({ blur: () => (flush(), false) }),
  ];
  const stateOf = (doc: string, anchor = 0) => EditorState.create({ doc, extensions, selection: { anchor: Math.min(anchor, doc.length) } });
  const view = new EditorView({ state: stateOf(getDraft().text), parent });
  const stopLooking = keepCursorInSight(view);

  const putIn = (text: string) => {
    const { from, to, insert } = replacement(view.state.doc.toString(), text);
    if (from === to && insert === "") return;
    const place = view.scrollSnapshot();
    const cursor = view.state.changes({ from, to, insert }).mapPos(view.state.selection.main.head);
    // A new state, because what was typed before cannot be taken back out of a text that came from elsewhere.
    view.setState(stateOf(text, cursor));
    view.dispatch({ effects: place });
  };
  const follow = (draft: Draft) => {
    if (endTyping || onTheWay > 0 || draft.waiting > 0) return;
    putIn(draft.text);
    view.dispatch(setDiagnostics(view.state, marksIn(view.state.doc, draft.diagnostics)));
  };
  const close = () => {
    isClosed = true;
    stopLooking();
    flush();
    view.destroy();
  };
  follow(getDraft());
  return { view, follow, flush, close };
}
