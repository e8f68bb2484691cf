/** Short words in the corner that say what came of an action. Errors stay until they are read. */
import { CloseButton, Text } from "@mantine/core";
import { useSyncExternalStore } from "react";
import { asApiError } from "../api/client";
import classes from "./notices.module.css";
import { sentence, visible } from "./format";
import { State, type StateName } from "./State";

interface Notice {
  id: number;
  state: StateName;
  title: string;
  text: string;
}

const STAYS_MS = 6_000;
let notices: readonly Notice[] = [];
let count = 0;
const listeners = new Set<() => void>();

function put(next: readonly Notice[]): void {
  notices = next;
  for (const listener of listeners) listener();
}

const drop = (id: number) => put(notices.filter((notice) => notice.id !== id));

function add(state: StateName, title: string, text: string): void {
  const id = ++count;
  put([...notices.slice(-3), { id, state, title, text }]);
  if (state === "ok") setTimeout(() => drop(id), STAYS_MS);
}

export const sayDone = (title: string, text = ""): void => add("ok", title, text);

export function sayFailed(error: unknown): void {
  const facts = asApiError(error);
  add("failed", sentence(visible(facts.message)), sentence(visible(facts.hint)));
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
            <State state={notice.state} label={notice.state === "ok" ? "Done" : "Failed"} quiet />
            <Text fw={600} size="sm">
              {notice.title}
            </Text>
            {notice.text && <Text size="sm">{notice.text}</Text>}
          </div>
          <CloseButton aria-label="Dismiss" onClick={() => drop(notice.id)} />
        </div>
      ))}
    </div>
  );
}
