/** How the text looks: the console's own colours, light and dark, and what of YAML is coloured. */
import { HighlightStyle, syntaxHighlighting } from "@codemirror/language";
import type { Extension } from "@codemirror/state";
import { EditorView } from "@codemirror/view";
import { tags } from "@lezer/highlight";

const colours = HighlightStyle.define([
  { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: "var(--hf-accent)" },
  { tag: [tags.string, tags.special(tags.string)], color: "var(--hf-ok)" },
  { tag: tags.comment, color: "var(--hf-muted)", fontStyle: "italic" },
  { tag: [tags.separator, tags.punctuation, tags.squareBracket, tags.brace], color: "var(--hf-muted)" },
  { tag: [tags.labelName, tags.typeName, tags.meta], color: "var(--hf-failed)" },
]);

const frame = EditorView.theme({
  "&": { height: "100%", backgroundColor: "var(--hf-surface)", color: "var(--hf-text)", fontSize: "0.8125rem" },
  "&.cm-focused": { outline: "2px solid var(--hf-accent)", outlineOffset: "-2px" },
  ".cm-content:focus-visible": { outline: "none" },
  ".cm-scroller": { fontFamily: "var(--mantine-font-family-monospace)", lineHeight: "1.55" },
  ".cm-content": { caretColor: "var(--hf-text)" },
  ".cm-cursor, .cm-dropCursor": { borderLeftColor: "var(--hf-text)" },
  ".cm-gutters": { backgroundColor: "var(--hf-sunken)", color: "var(--hf-muted)", borderRight: "1px solid var(--hf-line)" },
  ".cm-activeLine": { backgroundColor: "color-mix(in srgb, var(--hf-accent) 6%, transparent)" },
  ".cm-activeLineGutter": { backgroundColor: "var(--hf-accent-soft)", color: "var(--hf-text)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": {
    background: "color-mix(in srgb, var(--hf-accent) 25%, transparent) !important",
  },
  ".cm-selectionMatch, .cm-searchMatch": { backgroundColor: "var(--hf-warning-soft)" },
  ".cm-searchMatch-selected": { outline: "1px solid var(--hf-warning-fill)" },
  ".cm-panels, .cm-tooltip": { backgroundColor: "var(--hf-surface)", color: "var(--hf-text)", borderColor: "var(--hf-line)" },
  ".cm-panels-bottom": { borderTop: "1px solid var(--hf-line)" },
  ".cm-panel.cm-search, .cm-panel.cm-search label": { fontSize: "0.8125rem" },
  ".cm-textfield, .cm-button": { fontSize: "0.8125rem", borderRadius: "4px" },
  ".cm-textfield": { backgroundColor: "var(--hf-surface)", color: "var(--hf-text)", borderColor: "var(--hf-line-strong)", minHeight: "24px" },
  ".cm-button": {
    backgroundImage: "none",
    backgroundColor: "var(--hf-sunken)",
    color: "var(--hf-text)",
    borderColor: "var(--hf-line)",
    minHeight: "24px",
  },
  ".cm-panel.cm-search [name=close]": { color: "var(--hf-text)", minWidth: "24px", minHeight: "24px" },
  ".cm-diagnostic": { padding: "6px 10px", maxWidth: "480px" },
  ".cm-diagnostic-error": { borderLeftColor: "var(--hf-failed-fill)" },
  ".cm-diagnostic-warning": { borderLeftColor: "var(--hf-warning-fill)" },
  ".cm-diagnostic-info": { borderLeftColor: "var(--hf-unknown-fill)" },
});

/** Styles that are added at run time bear this answer's nonce; the policy lets no others in. */
const nonce = (): string => document.querySelector<HTMLMetaElement>("meta[name=csp-nonce]")?.content ?? "";

export const look = (): Extension => [EditorView.cspNonce.of(nonce()), frame, syntaxHighlighting(colours)];
