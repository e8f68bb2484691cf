/** Run a flow now, or a part of it. */
import { client, take } from "./client";

/** What is not said is all, and nothing that somebody has to mean. */
export interface Part {
  policy?: string;
  operation?: string;
  /** Lets a source that lost much or was replaced run once. */
  accept?: boolean;
  /** Lets mirrors take over folders that are not empty. */
  adopt?: boolean;
  /** Joins the run that a flow begins with by itself when it is activated. */
  first?: boolean;
}

/** The id of the trigger: its jobs bear it. */
export async function runNow(flow: string, part: Part = {}): Promise<string> {
  const body = { policy: "", operation: "", accept: false, adopt: false, first: false, ...part };
  return (await take(client.POST("/api/v1/flows/{flow}/trigger", { params: { path: { flow } }, body }))).trigger;
}
