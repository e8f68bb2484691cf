/** Which diagnostics belong to which field of the editor. Pure. */
import type { Diagnostic } from "../../draft/draft";
import type { Step } from "../../draft/edits";

/** The place as diagnostics write it: `policies.docs.classification.paths[0]`. */
export function placeOf(path: readonly Step[]): string {
  return path.reduce<string>((text, step) => (typeof step === "number" ? `${text}[${step}]` : text ? `${text}.${step}` : step), "");
}

const isIn = (place: string, whole: string): boolean =>
  place === whole || (place.startsWith(whole) && [".", "["].includes(place.charAt(whole.length)));

/** Those of this place and of all in it. */
export function diagnosticsIn(diagnostics: readonly Diagnostic[], path: readonly Step[]): Diagnostic[] {
  const whole = placeOf(path);
  return diagnostics.filter((each) => isIn(each.where.path, whole));
}

/** Those that no field shows: in `path`, but in none of `shown`. */
export function diagnosticsElsewhere(diagnostics: readonly Diagnostic[], path: readonly Step[], shown: readonly Step[][]): Diagnostic[] {
  const places = shown.map(placeOf);
  return diagnosticsIn(diagnostics, path).filter((each) => !places.some((place) => isIn(each.where.path, place)));
}

/** What to say beside a field: what is wrong, and what to do. */
export function fieldError(diagnostics: readonly Diagnostic[], path: readonly Step[]): string | undefined {
  const [first] = diagnosticsIn(diagnostics, path).filter((each) => each.level === "error");
  return first && (first.hint ? `${first.message}: ${first.hint}` : first.message);
}
