/** What saving a text would change, and what would keep its flows from being activated: that hinders no saving, and nobody is to find out weeks later. */
import { queryOptions } from "@tanstack/react-query";
import { client, type Schemas, take } from "../api/client";
import { keys, queryClient } from "../api/queries";
import { to } from "../app/places";
import { counted, sentence, visible } from "../parts/format";
import { sayWarning } from "../parts/notices";

export type Plan = Schemas["PlanReport"];

/** `revision`: the newest, which the plan is against. Asked anew, as a compilation is, when a flow was activated. */
export const planned = (text: string, revision: number) =>
  queryOptions({
    queryKey: [...keys.compile, "planned", revision, text],
    queryFn: ({ signal }) => take(client.POST("/api/v1/environment/plan", { body: { text }, signal })),
    gcTime: 30_000,
  });

/** Null where it is not known: a text can be saved by whoever has no plan of it. */
export const foresee = (text: string, revision: number): Promise<Plan | null> => queryClient.fetchQuery(planned(text, revision)).catch(() => null);

/** What came of saving. */
export interface Saved {
  revision: number;
  /** What was foreseen of this text against the revision before. */
  plan: Promise<Plan | null>;
}

export interface FlowWarning {
  title: string;
  text: string;
  /** Where the first of it is told. */
  flow: string;
}

const MOST_NAMED = 5;

/** In the words of `holdfast apply`; null = every flow could be activated. */
export function flowWarning({ flow_errors: errors, untried_flows: untried }: Plan): FlowWarning | null {
  const barred = [...new Set(errors.flatMap(({ flows }) => flows))];
  const [flow] = [...barred, ...untried];
  if (flow === undefined) return null;
  const first = errors[0] ? [sentence(visible(errors[0].error.message))] : [];
  const more = errors.length > 1 ? [`And ${counted(errors.length - 1, "more problem")}.`] : [];
  const unknown = untried.length > 0 ? [`Too many to look at each, and there may be errors too: ${named(untried)}.`] : [];
  const title = barred.length > 0 ? `Activating ${named(barred)} would be refused` : "Some flows may have errors";
  return { title, text: [...first, ...more, ...unknown].join(" "), flow };
}

/** The newest that is to be told: one that took longer than the next says nothing any more. */
let newest: Promise<Plan | null> | null = null;

/** Tell it in the corner, in place of what was said of the text before. */
export async function sayFlows(coming: Promise<Plan | null>): Promise<void> {
  newest = coming;
  const plan = await coming;
  if (newest !== coming) return;
  const warning = plan && flowWarning(plan);
  const way = { label: "See what is wrong", href: to.flow(warning?.flow ?? "", "compile") };
  sayWarning("flows", warning && { title: warning.title, text: warning.text, way });
}

function named(flows: readonly string[]): string {
  const shown = flows.slice(0, MOST_NAMED).map(visible).join(", ");
  const more = flows.length > MOST_NAMED ? ` and ${flows.length - MOST_NAMED} more` : "";
  return `flow${flows.length > 1 ? "s" : ""} ${shown}${more}`;
}
