/** One reading of the document: a text, and what the Master said of it. Pure. */
import type { Schemas } from "../api/client";
import type { Values } from "./edits";

export type Diagnostic = Schemas["Diagnostic"];
export type DocumentChange = Schemas["DocumentChange"];

/** A text, and what the Master said of it. */
export interface Reading {
  text: string;
  values: Values;
  diagnostics: readonly Diagnostic[];
  changes: readonly DocumentChange[];
  valid: boolean;
  /** The text is YAML; when it is not, `values` are those of the last text that was. */
  readable: boolean;
  places: Readonly<Record<string, [number, number]>>;
}

/** One step of the history: how it was, and what was done then. */
export interface Step {
  label: string;
  reading: Reading;
}

export const NOTHING: Reading = { text: "", values: {}, diagnostics: [], changes: [], valid: true, readable: true, places: {} };

export function asReading({ text, values, diagnostics, changes, valid, readable, places }: Reading): Reading {
  return { text, values, diagnostics, changes, valid, readable, places };
}
