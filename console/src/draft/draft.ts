/**
 * The working copy of the environment document: one text, shown as drawing, lists and YAML. Every edit goes through the Master's own editor
 * (as a dry run), so comments and spacing stay; the values follow at once. Undo goes from text to text, byte for byte. Nothing is stored
 * before `save`; what is not saved survives a reload of the page.
 */
import { useSyncExternalStore } from "react";
import { ApiError, asApiError, client, type Schemas, take } from "../api/client";
import { applyEdits, type Edit, type Values } from "./edits";
import { foresee, type Saved } from "./foreseen";
import { keep, kept, page, type Pending } from "./keeping";
import { asReading, NOTHING, type Reading, type Step } from "./reading";

export type { Diagnostic, DocumentChange, Reading } from "./reading";

export interface Draft extends Reading {
  phase: "loading" | "ready" | "failed";
  error: ApiError | null;
  /** The stored revision this was made from, and its text. */
  baseRevision: number;
  baseText: string;
  past: readonly Step[];
  future: readonly Step[];
  /** Edits on their way: `text` lags behind `values` while there are any. */
  waiting: number;
  /** Somebody stored this revision since. */
  newer: { revision: number; author: string } | null;
}

const MOST_STEPS = 200;
let state: Draft = {
  ...NOTHING,
  phase: "loading",
  error: null,
  baseRevision: 0,
  baseText: "",
  past: [],
  future: [],
  waiting: 0,
  newer: null,
};
const listeners = new Set<() => void>();
let queue: Promise<unknown> = Promise.resolve();
/** Edits on their way: a reload must not lose what is on the screen. */
let pending: readonly Pending[] = [];

export const getDraft = (): Draft => state;
export const isDirty = (draft: Draft): boolean => draft.text !== draft.baseText || draft.waiting > 0;

export function useDraft(): Draft {
  return useSyncExternalStore(subscribe, getDraft);
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function put(change: Partial<Draft>): void {
  state = { ...state, ...change };
  for (const listener of listeners) listener();
}

const store = (): void => keep({ ...state, pending });

/** Until it is done or refused, `work` is kept with the text it will change. */
async function whilePending(work: Pending, doing: () => Promise<void>): Promise<void> {
  pending = [...pending, work];
  page.isLeaving = false;
  if (state.phase === "ready") store();
  let isDone = false;
  try {
    await inTurn(doing);
    isDone = true;
  } finally {
    pending = pending.filter((each) => each !== work);
    if (isDone || !page.isLeaving) store();
  }
}

/** One after the other, in the order they were asked for. */
function inTurn<T>(work: () => Promise<T>): Promise<T> {
  const next = queue.then(work, work);
  queue = next.catch(() => undefined);
  return next;
}

async function read(baseRevision: number, text: string, edits: readonly Edit[]): Promise<Reading> {
  const body = { base_revision: baseRevision, text, operations: edits as Schemas["EditOperation"][], comment: "", dry_run: true };
  const found = await take(client.POST("/api/v1/environment/edit", { body }));
  const { diagnostics, changes, valid } = found;
  const readable = valid || Object.keys(found.values).length > 0;
  const values = readable ? (found.values as Values) : settled().values;
  return { text: found.text, values, diagnostics, changes, valid, readable, places: found.places as Reading["places"] };
}

/** Begin: what this page kept unsaved, or the newest revision. */
export async function openDraft(): Promise<void> {
  await inTurn(async () => {
    try {
      const newest = await take(client.GET("/api/v1/environment"));
      const unsaved = kept();
      const base = unsaved?.baseRevision ?? newest.revision;
      // What was kept may be a text that is no YAML: the drawing then shows what it was made from.
      if (unsaved) put(await read(base, unsaved.baseText, []));
      const reading = await read(base, unsaved?.text ?? newest.text, []);
      const newer = base < newest.revision ? { revision: newest.revision, author: newest.author } : null;
      last = asReading(reading);
      put({ ...reading, phase: "ready", error: null, baseRevision: base, baseText: unsaved?.baseText ?? newest.text, newer });
      // What is on its way already is not to be done twice.
      for (const each of pending.length > 0 ? [] : (unsaved?.pending ?? [])) void again(each).catch(() => undefined);
    } catch (error) {
      put({ phase: state.phase === "ready" ? "ready" : "failed", error: asApiError(error) });
    }
  });
}

const again = ({ edits, text, label }: Pending): Promise<void> => (text === null ? edit(edits, label) : setText(text, label));

function remember(label: string, reading: Reading): Step[] {
  return [...state.past, { label, reading }].slice(-MOST_STEPS);
}

/** Do these as one step of the history. Rejects with the Master's reason when they cannot be done; the values are then as before. */
export function edit(edits: readonly Edit[], label: string): Promise<void> {
  if (edits.length === 0) return Promise.resolve();
  put({ values: applyEdits(state.values, edits), waiting: state.waiting + 1 });
  return whilePending({ label, edits, text: null }, async () => {
    const before = settled();
    try {
      const reading = await read(state.baseRevision, before.text, edits);
      settle(reading, label, before);
    } catch (error) {
      put({ values: before.values, waiting: state.waiting - 1 });
      throw error;
    }
  });
}

/** Somebody types what will become an edit: until the end, what others save is told and not put in its place. */
export function beginTyping(): () => void {
  put({ waiting: state.waiting + 1 });
  return () => put({ waiting: state.waiting - 1 });
}

/** Replace the whole text, as the YAML view does. */
export function setText(text: string, label = "Edit the text"): Promise<void> {
  const end = beginTyping();
  return whilePending({ label, edits: [], text }, async () => {
    const before = settled();
    try {
      settle(await read(state.baseRevision, text, []), label, before);
    } catch (error) {
      end();
      throw error;
    }
  });
}

/** The newest text that the Master has read, with its own values. */
let last: Reading = NOTHING;
function settled(): Reading {
  return last.text === state.text ? last : asReading(state);
}

function settle(reading: Reading, label: string, before: Reading): void {
  last = asReading(reading);
  const waiting = state.waiting - 1;
  // Edits that are still to come have already changed the values on the screen.
  const shown = waiting > 0 ? { ...last, values: state.values } : last;
  const past = reading.text === before.text ? state.past : remember(label, before);
  put({ ...shown, waiting, past, future: reading.text === before.text ? state.future : [] });
}

export const undo = (): Promise<void> => step("past", "future");
export const redo = (): Promise<void> => step("future", "past");

function step(from: "past" | "future", to: "past" | "future"): Promise<void> {
  return inTurn(async () => {
    const entry = state[from].at(-1);
    if (!entry) return;
    const here: Step = { label: entry.label, reading: settled() };
    last = entry.reading;
    put({ ...entry.reading, [from]: state[from].slice(0, -1), [to]: [...state[to], here] });
    store();
  });
}

/** Store it as a new revision. Rejects with `conflict` when somebody was faster, `refused` when it removes parts and that was not accepted. */
export function save(options: { comment?: string; acceptRemovals?: boolean } = {}): Promise<Saved> {
  return inTurn(async () => {
    if (state.text === state.baseText) return { revision: state.baseRevision, plan: Promise.resolve(null) };
    const { comment = "", acceptRemovals = false } = options;
    const body = { text: state.text, base_revision: state.baseRevision, accept_removals: acceptRemovals, comment };
    // Asked before the text is stored, as it tells of what changes; not waited for, as it may take longer than to store it.
    const plan = foresee(state.text, state.baseRevision);
    try {
      const applied = await take(client.PUT("/api/v1/environment", { body }));
      put({ baseRevision: applied.revision, baseText: state.text, changes: [], diagnostics: applied.diagnostics, newer: null });
      last = { ...settled(), changes: [], diagnostics: applied.diagnostics };
      store();
      return { revision: applied.revision, plan };
    } catch (error) {
      if (error instanceof ApiError && error.code === "conflict") await noticeNewer();
      throw error;
    }
  });
}

async function noticeNewer(): Promise<void> {
  const newest = await take(client.GET("/api/v1/environment"));
  if (newest.revision > state.baseRevision) put({ newer: { revision: newest.revision, author: newest.author } });
}

/** Go on from another revision with this text, as one step of the history: what came of a merge, or the stored text (throwing away). */
export function rebase(revision: number, baseText: string, text: string, label: string): Promise<void> {
  return inTurn(async () => {
    const before = settled();
    const reading = await read(revision, text, []);
    last = asReading(reading);
    put({ ...last, baseRevision: revision, baseText, past: remember(label, before), future: [], newer: null });
    store();
  });
}

/** Throw away what is not saved; it can be had back by undo. */
export async function discard(): Promise<void> {
  const newest = await take(client.GET("/api/v1/environment"));
  await rebase(newest.revision, newest.text, newest.text, "Discard changes");
}

/** The Master says that a revision came. A clean copy follows it at once; an edited one is told. */
export function noticeRevision(environment: { revision: number; author: string }): void {
  if (state.phase !== "ready" || environment.revision <= state.baseRevision) return;
  if (!isDirty(state)) void follow();
  else put({ newer: { revision: environment.revision, author: environment.author } });
}

function follow(): Promise<void> {
  return inTurn(async () => {
    if (isDirty(state)) return;
    const newest = await take(client.GET("/api/v1/environment"));
    if (newest.revision <= state.baseRevision) return;
    const reading = await read(newest.revision, newest.text, []);
    last = asReading(reading);
    put({ ...last, baseRevision: newest.revision, baseText: newest.text, newer: null });
    store();
  }).catch(() => undefined);
}
