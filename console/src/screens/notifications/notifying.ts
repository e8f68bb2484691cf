/** Notify rules as a form holds them, as calls take them, and in words. Pure. */
import type { Schemas } from "../../api/client";
import { durationSeconds, listed } from "../policies/words";

export type NotifyRule = Schemas["NotifyRule"];
export type RuleWanted = Schemas["NotifyRuleWanted"];
export type Channel = Schemas["ChannelView"];
export type StandingNotice = Schemas["StandingNotice"];

export const SEVERITIES = ["info", "warning", "error"] as const;
/** What is told beside the codes of findings and of the log (docs/notifications.md). */
export const CONDITIONS = ["dataset-failed", "dataset-overdue", "gap", "node-away", "repository-error", "job-failed", "drill-*"] as const;
export const CHOICES = ["kinds", "nodes", "flows", "datasets", "tags"] as const;
const SPANS = ["after", "digest", "repeat"] as const;
type Span = (typeof SPANS)[number];

/** As it is typed: spans of time are texts like `15m`, empty = none. */
export type Wish = Omit<NotifyRule, `${Span}_s`> & Record<Span, string>;

export const NEW_RULE: Wish = {
  name: "",
  to: [],
  kinds: [],
  severity: "warning",
  nodes: [],
  flows: [],
  datasets: [],
  tags: [],
  stop: false,
  after: "",
  digest: "",
  repeat: "",
  quiet: [],
  zone: "UTC",
  recovery: true,
  enabled: true,
};

/** 5400 -> `1h30m`; exact, so that an edit that touches something else changes nothing here. */
export function spanText(seconds: number): string {
  if (seconds === 0) return "";
  if (!Number.isInteger(seconds)) return `${seconds}s`;
  const units: [number, string][] = [[Math.floor(seconds / 86_400), "d"], [Math.floor(seconds / 3_600) % 24, "h"], [Math.floor(seconds / 60) % 60, "m"], [seconds % 60, "s"]];
  return units.filter(([count]) => count > 0).map(([count, unit]) => `${count}${unit}`).join("");
}

export function wishOf({ after_s, digest_s, repeat_s, ...rule }: NotifyRule): Wish {
  return { ...rule, after: spanText(after_s), digest: spanText(digest_s), repeat: spanText(repeat_s) };
}

/** By field, what keeps it from being asked for. */
export function problemsOf(wish: Wish): Partial<Record<"name" | "to" | Span, string>> {
  const wrong = SPANS.filter((span) => wish[span].trim() !== "" && durationSeconds(wish[span].trim()) === null);
  return {
    ...(!wish.name.trim() && { name: "A rule needs a name." }),
    ...(wish.to.length === 0 && { to: "Choose at least one channel." }),
    ...Object.fromEntries(wrong.map((span) => [span, "A time such as 15m, 2h or 1d."])),
  };
}

const secondsOf = (text: string): number => durationSeconds(text.trim()) ?? 0;

/** The body that leaves a rule as it is: for another place, or to switch it on and off. Its name stands in the path. */
export function bodyAsIs(rule: NotifyRule): RuleWanted {
  const body: Partial<NotifyRule> & RuleWanted = { ...rule };
  delete body.name;
  return body;
}

export function bodyOf({ after, digest, repeat, ...rule }: Wish): RuleWanted {
  return bodyAsIs({ ...rule, after_s: secondsOf(after), digest_s: secondsOf(digest), repeat_s: secondsOf(repeat) });
}

/** What it chooses, as a sentence without its full stop. */
export function choosesWords(rule: NotifyRule): string {
  const severity = rule.severity === "error" ? "Errors" : rule.severity === "warning" ? "Warnings and errors" : "Everything, also what is no trouble";
  const words = [
    rule.kinds.length > 0 && `of kind ${listed(rule.kinds)}`,
    rule.nodes.length > 0 && `on ${listed(rule.nodes)}`,
    rule.tags.length > 0 && `on nodes tagged ${listed(rule.tags)}`,
    rule.flows.length > 0 && `in flow ${listed(rule.flows)}`,
    rule.datasets.length > 0 && `about ${listed(rule.datasets)}`,
  ].filter(Boolean);
  return [severity, ...words].join(" ");
}

/** How it tells, part by part. */
export function howWords(rule: NotifyRule): string[] {
  return [
    rule.after_s > 0 && `once it has stood for ${spanText(rule.after_s)}`,
    rule.digest_s > 0 && `collected for ${spanText(rule.digest_s)}`,
    rule.repeat_s > 0 && `again every ${spanText(rule.repeat_s)}`,
    rule.quiet.length > 0 && `quiet ${listed(rule.quiet)} (${rule.zone})`,
    !rule.recovery && "not when it is over",
    rule.stop && "rules behind it do not see it",
  ].filter((word): word is string => typeof word === "string");
}

/** How many of what stands now each rule tells. */
export function tellsNow(notices: readonly StandingNotice[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { rule } of notices.flatMap((notice) => notice.rules)) counts.set(rule, (counts.get(rule) ?? 0) + 1);
  return counts;
}
