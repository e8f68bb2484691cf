/** The acts of the drawing screen: each becomes one step of the working copy, is said aloud, and what it made is selected. */
import { useCallback, useMemo, useRef, useState } from "react";
import { edit, getDraft } from "../../draft/draft";
import { sayFailed } from "../../parts/notices";
import { visible } from "../../parts/format";
import { carriedIn } from "./addables";
import { addVertex, type Change, connect, type NewThing, placeVertices, removeThings, renameVertex, tidy } from "./changes";
import { whyNot } from "./connecting";
import { drawingOf } from "./drawing";
import type { CanvasActions } from "./FlowCanvas";
import type { Look } from "./useLook";
import type { Place } from "./layout";
import { type ThingId, vertexThing } from "./things";

/** What the screen asks for beside the drawing. */
export type Asked = { what: "add" } | { what: "connect"; from: string } | null;

export interface Drawer {
  apply: (change: Change) => void;
  add: (thing: NewThing, place?: Place) => void;
  join: (from: string, to: string) => void;
  drop: (things: readonly ThingId[]) => void;
  rename: (name: string, next: string) => void;
  tidy: () => void;
  ask: (asked: Asked) => void;
  show: (thing: ThingId) => void;
}

export function useDrawing(flow: string, select: (things: readonly ThingId[]) => void, inspect: () => void) {
  const [asked, ask] = useState<Asked>(null);
  const [said, say] = useState("");
  const [look, setLook] = useState<Look | null>(null);
  const drawer = useMemo<Drawer>(() => {
    // The newest state of the working copy, not that of the last drawing: keys may come faster than it is drawn.
    const now = () => ({ values: getDraft().values, drawing: drawingOf(getDraft().values, flow) });
    // What could not be done is said, and `before` is selected again.
    const apply = ({ edits, label }: Change, before?: readonly ThingId[]) => {
      edit(edits, label).catch((error: unknown) => {
        sayFailed(error);
        say(`${label}: not done`);
        if (before) select(before);
      });
    };
    const show = (thing: ThingId, still = false) => {
      select([thing]);
      setLook({ thing, focus: true, still });
    };
    return {
      apply,
      ask,
      show,
      add: (thing, place) => {
        const { values, drawing } = now();
        const isByHand = drawing.vertices.some((vertex) => vertex.place !== null);
        const change = addVertex(values, drawing, thing, place ?? (isByHand ? beside(drawing.vertices) : null));
        apply(change, []);
        say(`${visible(change.name)} added`);
        show(vertexThing(change.name), place !== undefined);
      },
      join: (from, to) => {
        const { values, drawing } = now();
        const problem = whyNot(drawing, from, to);
        if (problem) {
          say(`Not connected: ${problem}`);
          return;
        }
        const change = connect(values, drawing, from, to);
        apply(change, [vertexThing(from)]);
        say(`${visible(from)} connected to ${visible(to)}, carries ${change.carries.map(visible).join(", ") || "nothing yet"}`);
        show(change.thing);
      },
      drop: (things) => {
        const change = removeThings(now().drawing, things);
        if (change.edits.length === 0) return;
        apply(change, things);
        select([]);
        say(`${change.label}: done. Undo brings it back.`);
      },
      rename: (name, next) => {
        apply(renameVertex(now().drawing, name, next), [vertexThing(name)]);
        select([vertexThing(next)]);
        say(`${visible(name)} is now ${visible(next)}`);
      },
      tidy: () => {
        apply(tidy(now().drawing));
        setLook({ thing: null });
        say("Tidied");
      },
    };
  }, [flow, select]);
  const actions = useActions(flow, drawer, inspect);
  const clear = useCallback(() => ask(null), []);
  return { drawer, actions, asked, clear, said, look };
}

function useActions(flow: string, drawer: Drawer, inspect: () => void): CanvasActions {
  const opens = useRef(inspect);
  opens.current = inspect;
  return useMemo<CanvasActions>(() => {
    const drawing = () => drawingOf(getDraft().values, flow);
    return {
      onPlace: (moved, places) => drawer.apply(placeVertices(drawing(), moved, places)),
      mayConnect: (from, to) => whyNot(drawing(), from, to) === null,
      onConnect: drawer.join,
      onDrop: (data, place) => {
        const thing = carriedIn(data);
        if (thing) drawer.add(thing, place);
      },
      onKey: (key, things) => {
        const vertex = things.find((thing) => thing.startsWith("vertex:"));
        if (key === "a" || key === "A") drawer.ask({ what: "add" });
        else if ((key === "c" || key === "C") && vertex) drawer.ask({ what: "connect", from: vertex.slice("vertex:".length) });
        else if (key === "t" || key === "T") drawer.tidy();
        else if (key === "Delete" || key === "Backspace") drawer.drop(things);
        else if (key === "Enter" && things.length > 0) opens.current();
        else return false;
        return true;
      },
    };
  }, [flow, drawer]);
}

/** To the right of what was put somewhere by hand. */
function beside(vertices: readonly { place: Place | null }[]): Place {
  const places = vertices.flatMap((vertex) => (vertex.place ? [vertex.place] : []));
  const right = Math.max(...places.map(([x]) => x));
  const [, y] = places.find(([x]) => x === right) ?? [0, 0];
  return [right + 260, y];
}
