/** How drills stand, in words. Pure. */
import type { Schemas } from "../api/client";
import type { StateName } from "./State";

export type Drill = Schemas["DrillStatus"];
export type Proof = Schemas["Proof"];

export interface DrillWord {
  state: StateName;
  word: string;
}

export function drillWord(drill: Pick<Drill, "last" | "overdue" | "proven_at">): DrillWord {
  if (drill.last?.problem) return { state: "failed", word: "not proven" };
  if (drill.overdue) return { state: "overdue", word: "overdue" };
  return drill.proven_at ? { state: "ok", word: "proven" } : { state: "off", word: "not tried yet" };
}

/** null: never tried. */
export function proofHolds(proof: Proof | null): boolean | null {
  if (!proof || (!proof.proven_at && !proof.doubted_at)) return null;
  if (!proof.proven_at) return false;
  return !proof.doubted_at || Date.parse(proof.proven_at) > Date.parse(proof.doubted_at);
}

const RANK: Record<string, number> = { "not proven": 0, overdue: 1, "not tried yet": 2, proven: 3 };

/** Those in trouble first, then by dataset. */
export function worstFirst<T extends Drill>(drills: readonly T[]): T[] {
  const rank = (drill: T) => RANK[drillWord(drill).word] ?? 9;
  return [...drills].sort((a, b) => rank(a) - rank(b) || a.dataset.localeCompare(b.dataset));
}

export function drillsSummary(drills: readonly Drill[]): string {
  const words = drills.map((drill) => drillWord(drill).word);
  const count = (word: string) => words.filter((each) => each === word).length;
  const proven = count("proven");
  if (proven === drills.length) return drills.length === 1 ? "It was restored on trial, and every file was what it should be." : `All ${drills.length} were restored on trial, and every file was what it should be.`;
  const rest = ["not proven", "overdue", "not tried yet"].filter((word) => count(word) > 0).map((word) => `${count(word)} ${word}`);
  return `${proven} of ${drills.length} proven restorable: ${rest.join(", ")}.`;
}
