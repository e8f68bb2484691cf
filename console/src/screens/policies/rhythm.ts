/** When points of an operation would be taken, for the keep calendar. Pure. */
import { isMapping, mappingAt, type Values } from "../../draft/edits";
import { type Policy, textOf, textsOf } from "./policy";
import { durationSeconds } from "./words";

/** What the preview is asked with. `note` says what it leaves out of account; empty when nothing. */
export interface Times {
  every: string | null;
  at: readonly string[];
  zone: string;
  note: string;
}

/** Null when nothing says how often it runs. */
export function timesOf(values: Values, policy: Policy, operation: string, seen: readonly string[] = []): Times | null {
  const found = policy.operations.find((each) => each.name === operation);
  if (!found || seen.includes(operation)) return null;
  const { fields } = found;
  if (fields.after !== undefined) {
    const times = timesOf(values, policy, textOf(fields.after), [...seen, operation]);
    return times && { ...times, note: `It follows ${textOf(fields.after)}. ${times.note}`.trim() };
  }
  if (fields.every === undefined && fields.at === undefined && fields.schedule === undefined) return riding(values, policy, operation, seen);
  const schedule = isMapping(fields.schedule) ? fields.schedule : mappingAt(values, ["schedules", textOf(fields.schedule)]);
  const every = textOf(fields.every) || null;
  const at = [...textsOf(fields.at), ...textsOf(schedule.at)];
  if (every === null && at.length === 0) return null;
  const isBound = schedule.windows !== undefined || schedule.exclude !== undefined;
  const note = isBound ? `The windows of ${textOf(fields.schedule) || "its schedule"} are not reckoned with here.` : "";
  return { every, at, zone: textOf(schedule.zone) || "UTC", note };
}

/** It runs whenever another operation of the policy does: the one that runs most often is taken. */
function riding(values: Values, policy: Policy, operation: string, seen: readonly string[]): Times | null {
  const others = policy.operations
    .filter((each) => each.name !== operation && !seen.includes(each.name))
    .flatMap((each) => {
      const times = timesOf(values, policy, each.name, [...seen, operation]);
      return times ? [{ name: each.name, times }] : [];
    })
    .sort((a, b) => stepSeconds(a.times) - stepSeconds(b.times));
  const [first] = others;
  return first ? { ...first.times, note: `It rides along with ${first.name}. ${first.times.note}`.trim() } : null;
}

function stepSeconds(times: Times): number {
  const every = times.every === null ? Infinity : (durationSeconds(times.every) ?? Infinity);
  return Math.min(every, times.at.length > 0 ? 86_400 / times.at.length : Infinity);
}
