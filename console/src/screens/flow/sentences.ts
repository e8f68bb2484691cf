/** A flow read aloud: one sentence for each mover. Pure. */
import { mappingAt, type Values, valueAt } from "../../draft/edits";
import { visible } from "../../parts/format";
import { listed, scheduleWords } from "../policies/words";
import { type Drawing, type DrawnMover, type DrawnVertex, kindOf, moverKey, texts } from "./drawing";

export function sentencesOf(values: Values, drawing: Drawing): { key: string; text: string }[] {
  return drawing.movers.map((mover) => ({ key: `${mover.index} ${moverKey(mover)}`, text: sentence(values, drawing, mover) }));
}

function sentence(values: Values, drawing: Drawing, mover: DrawnMover): string {
  const [from, to] = [mover.from, mover.to].map((name) => drawing.vertices.find((vertex) => vertex.name === name));
  if (!from || !to) return `A mover from ${visible(mover.from)} to ${visible(mover.to)} leads nowhere yet.`;
  if (mover.carries.length === 0) return `From ${place(from)} to ${place(to)} nothing is carried yet.`;
  const policies = [...new Set(mover.carries.map((label) => label.split("/")[0] ?? ""))];
  const what = `${listed(policies.map(visible))} ${from.kind === "repository" ? "in" : "of"} ${place(from)}`;
  if (to.kind === "relay") return `${what}: passed on through ${place(to)}.`;
  if (to.kind === "mirror") return `${what}: mirrored ${visible(to.about)}${times(values, mover)}.`;
  if (from.kind === "repository") return `${only(mover)}${what}: copied on to ${place(to)}${mover.fields.dial === "to" ? ", which dials" : ""}.`;
  const kinds = [...new Set(mover.carries.map((label) => kindOf(values, label)))];
  return `${what}: kept in ${place(to)} as ${listed(kinds.map(visible))}${times(values, mover)}.`;
}

const only = (mover: DrawnMover): string => {
  const parts = texts(mover.fields.only);
  return parts.length > 0 ? `Only ${listed(parts.map(visible))} of ` : "";
};

const place = (vertex: DrawnVertex): string => visible(vertex.subject || vertex.name);

function times(values: Values, mover: DrawnMover): string {
  const words = new Set(
    mover.carries.flatMap((label) => {
      const [policy = "", operation = ""] = label.split("/");
      const path = ["policies", policy, "operations", operation];
      return valueAt(values, path) === undefined ? [] : [scheduleWords(mappingAt(values, path))];
    }),
  );
  return words.size > 0 ? `, ${listed([...words].map(visible))}` : "";
}
