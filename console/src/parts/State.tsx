/** A state is an icon, a word and a colour together, never colour alone. */
import {
  IconAlertTriangle,
  IconCircleCheck,
  IconCircleDashed,
  IconCircleX,
  IconClockExclamation,
  IconHelpCircle,
  IconLoader,
  IconPlayerPause,
} from "@tabler/icons-react";
import classes from "./State.module.css";

export type StateName = "ok" | "running" | "warning" | "failed" | "overdue" | "unknown" | "off";

export const STATE_ICONS: Record<StateName, typeof IconCircleCheck> = {
  ok: IconCircleCheck,
  running: IconLoader,
  warning: IconAlertTriangle,
  failed: IconCircleX,
  overdue: IconClockExclamation,
  unknown: IconHelpCircle,
  off: IconCircleDashed,
};

/** States of jobs, protections and nodes, and how bad findings are, in the seven words of the console. */
const MEANINGS: Record<string, StateName> = {
  queued: "off",
  running: "running",
  paused: "off",
  succeeded: "ok",
  warnings: "warning",
  failed: "failed",
  cancelled: "off",
  unknown: "unknown",
  online: "ok",
  silent: "unknown",
  offline: "unknown",
  revoked: "off",
  waiting: "warning",
  confirmed: "ok",
  pending: "unknown",
  refused: "failed",
  unchanged: "off",
  active: "ok",
  changed: "warning",
  draft: "off",
  removed: "warning",
  error: "failed",
  info: "off",
};

export function stateOf(word: string): StateName {
  if (Object.hasOwn(STATE_ICONS, word)) return word as StateName;
  return Object.hasOwn(MEANINGS, word) ? MEANINGS[word]! : "unknown";
}

/** `state`: one of the seven words. `label`: what to say instead of it. */
export function State({ state, label, quiet = false }: { state: StateName; label?: string; quiet?: boolean }) {
  const Icon = label === "paused" ? IconPlayerPause : STATE_ICONS[state];
  return (
    <span className={quiet ? classes.quiet : classes.badge} data-state={state}>
      <Icon size={15} aria-hidden />
      <span>{label ?? state}</span>
    </span>
  );
}
