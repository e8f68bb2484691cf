/** Why a point stays, in words. Pure. */

const REASONS: Record<string, string> = {
  all: "no keep rules: every point stays",
  "no-rules": "no rule names its operation, so nothing removes it",
  locked: "its lock",
  newest: "being the newest of its dataset",
  last: "the rule “last”",
  within: "the rule “within”",
};

/** Of a point that nothing keeps: that the next run lets it go. */
export function reasonWords(reasons: readonly string[]): string {
  if (reasons.length === 0) return "nothing: the next run lets it go";
  return reasons.map((reason) => REASONS[reason] ?? `the rule “${reason}”`).join(", ");
}
