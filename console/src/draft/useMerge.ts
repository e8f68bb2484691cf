/** Two people's texts as one: asked of the Master, then taken as one step of the working copy. */
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { client, type Schemas, take } from "../api/client";
import { sayDone, sayFailed } from "../parts/notices";
import { discard, rebase, useDraft } from "./draft";
import type { Values } from "./edits";
import { editsForTheirs, type Side } from "./merging";

export type Merged = Schemas["MergedDocument"];

export function useMerge(revision: number) {
  const { baseRevision, text } = useDraft();
  const [isTaking, setTaking] = useState(false);
  const merged = useQuery({
    queryKey: ["merge", baseRevision, revision, text],
    queryFn: ({ signal }) => take(client.POST("/api/v1/environment/merge", { body: { base_revision: baseRevision, text, prefer: "mine" }, signal })),
    gcTime: 0,
  });
  /** True when it is done. */
  const accept = async (found: Merged, chosen: ReadonlyMap<number, Side>): Promise<boolean> => {
    setTaking(true);
    try {
      const params = { path: { number: found.newest_revision } };
      const theirs = await take(client.GET("/api/v1/environment/revisions/{number}", { params }));
      await rebase(found.newest_revision, theirs.text, await withChoices(found, chosen), "Merge with the newer revision");
      sayDone("Both are in your text now", "Look it over and save it. Undo brings back what you had.");
      return true;
    } catch (error) {
      sayFailed(error);
      return false;
    } finally {
      setTaking(false);
    }
  };
  return { merged, accept, isTaking };
}

async function withChoices(merged: Merged, chosen: ReadonlyMap<number, Side>): Promise<string> {
  if (![...chosen.values()].includes("theirs")) return merged.text;
  const edited = async (text: string, operations: Schemas["EditOperation"][]) => {
    const body = { base_revision: merged.newest_revision, text, operations, comment: "", dry_run: true };
    return take(client.POST("/api/v1/environment/edit", { body }));
  };
  const { values } = await edited(merged.text, []);
  const edits = editsForTheirs(merged.conflicts, chosen, values as Values);
  return (await edited(merged.text, edits as Schemas["EditOperation"][])).text;
}

/** The stored text; what one had is a step back in the history. */
export async function takeTheirs(): Promise<void> {
  try {
    await discard();
    sayDone("You have their text now", "Undo brings yours back.");
  } catch (error) {
    sayFailed(error);
  }
}
