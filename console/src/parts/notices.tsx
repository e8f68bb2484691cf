/** Short words in the corner that say what came of an action. Errors and warnings stay until they are read. */
import { CloseButton, Text } from "@mantine/core";
import { useSyncExternalStore } from "react";
import { Link } from "wouter";
import { asApiError } from "../api/client";
import { Coded } from "./Coded";
import classes from "./notices.module.css";
import { sentence, visible } from "./format";
import { State, type StateName } from "./State";

interface Notice {
  id: number;
  state: StateName;
  title: string;
  text: string;
  /** What it is about: of one thing only the newest is shown. */
  about?: string;
  /** Where one sees more. */
  way?: { label: string; href: string };
}

type Words = Pick<Notice, "title" | "text" | "way">;

const LABELS: Partial<Record<StateName, string>> = { ok: "Done", warning: "Warning" };
const STAYS_MS = 6_000;
let notices: readonly Notice[] = [];
let count = 0;
const listeners = new Set<() => void>();

function put(next: readonly Notice[]): void {
  notices = next;
  for (const listener of listeners) listener();
}

const drop = (id: number) => put(notices.filter((notice) => notice.id !== id));

function add(state: StateName, words: Words, about?: string): void {
  const id = ++count;
  put([...notices.slice(-3), { id, state, about, ...words }]);
  if (state === "ok") setTimeout(() => drop(id), STAYS_MS);
}

export const sayDone = (title: string, text = ""): void => add("ok", { title, text });

export function sayFailed(error: unknown): void {
  const facts = asApiError(error);
  add("failed", { title: sentence(visible(facts.message)), text: sentence(visible(facts.hint)) });
}

/** In place of what was said about the same; null = there is nothing to say of it any more. */
export function sayWarning(about: string, words: Words | null): void {
  put(notices.filter((notice) => notice.about !== about));
  if (words) add("warning", words, about);
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function Notices() {
  const shown = useSyncExternalStore(subscribe, () => notices);
  return (
    <div className={classes.corner} aria-live="polite" role="status">
      {shown.map((notice) => (
        <div key={notice.id} className={classes.notice} data-state={notice.state}>
          <div className={classes.text}>
            <State state={notice.state} label={LABELS[notice.state] ?? "Failed"} quiet />
            <Text fw={600} size="sm">
              {notice.title}
            </Text>
            {notice.text && (
              <Text size="sm">
                <Coded text={notice.text} />
              </Text>
            )}
            {notice.way && (
              <Text size="sm">
                <Link href={notice.way.href} onClick={() => drop(notice.id)}>
                  {notice.way.label}
                </Link>
              </Text>
            )}
          </div>
          <CloseButton aria-label="Dismiss" onClick={() => drop(notice.id)} />
        </div>
      ))}
    </div>
  );
}
