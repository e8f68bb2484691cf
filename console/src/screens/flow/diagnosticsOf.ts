/** What the text is said to lack and what the compiler says of the flow, each once. Pure. */
import type { Diagnostic } from "../../draft/draft";

export function diagnosticsOf(ofText: readonly Diagnostic[], compiled: readonly Diagnostic[] | undefined): Diagnostic[] {
  const found = new Map<string, Diagnostic>();
  for (const each of [...ofText, ...(compiled ?? [])]) found.set(`${each.code} ${each.where.path} ${each.message}`, each);
  return [...found.values()];
}
