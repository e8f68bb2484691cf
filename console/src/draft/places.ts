/** Where a diagnostic's place is on the screens. Pure. */
import { to } from "../app/places";
import type { Diagnostic } from "./draft";

/** The screen that shows it, with the thing selected; the text where there is no better one. `flow`: the flow one looks at. */
export function placeOf(where: Diagnostic["where"], flow: string): string {
  const drawnIn = where.flow || (where.kind === "flow" ? where.name : "");
  switch (where.kind) {
    case "vertex":
    case "mover":
      if (drawnIn) return `${to.flow(drawnIn)}?${new URLSearchParams({ select: `${where.kind}:${where.name}` }).toString()}`;
      break;
    case "flow":
      if (drawnIn) return to.flow(drawnIn);
      break;
    case "policy":
    case "operation":
      return to.policy(where.name.split("/")[0] ?? "");
    case "schedule":
      return to.schedule(where.name);
  }
  return textPlaceOf(where, drawnIn || flow);
}

/** Its line in the text. */
export function textPlaceOf(where: Diagnostic["where"], flow: string): string {
  const line = where.line > 0 ? `?line=${where.line}` : "";
  return flow ? `${to.flow(flow, "yaml")}${line}` : `/document${line}`;
}

/** What the place is called: `vertex store`, `line 12`. */
export function placeName(where: Diagnostic["where"]): string {
  if (where.name && where.kind !== "document") return `${where.kind} ${where.name}`;
  return where.line > 0 ? `line ${where.line}` : "the document";
}
