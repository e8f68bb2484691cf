/** Brings what is spoken of into sight. */
import { type ReactFlowInstance, useReactFlow } from "@xyflow/react";
import { type RefObject, useEffect, useRef } from "react";
import type { MoverElement, VertexElement } from "./elements";
import { heightOf, WIDTH } from "./layout";
import type { ThingId } from "./things";

export const FIT = { padding: 0.07, maxZoom: 1.1, duration: 0 };
const FRAMES_MS = 80;
/** Pixels at the top where buttons lie over the drawing. */
const TOOLS = 56;

/** A thing to bring into sight, as soon as it is drawn; a new object brings it again. */
export interface Look {
  /** null = all of it. */
  thing: ThingId | null;
  /** It gets the keyboard's focus, too. */
  focus?: boolean;
  /** The drawing stays where it is: a hand has just put the thing there. */
  still?: boolean;
}

export function useLook(look: Look | null, box: RefObject<HTMLDivElement | null>, nodes: VertexElement[], edges: MoverElement[]): void {
  const flow = useReactFlow<VertexElement, MoverElement>();
  const done = useRef<Look | null>(null);
  useEffect(() => {
    if (!look || done.current === look || !box.current) return;
    if (look.thing === null) {
      done.current = look;
      // The vertices go to their new places first.
      setTimeout(() => void flow.fitView({ ...FIT, duration: 200 }), FRAMES_MS);
      return;
    }
    const edge = edges.find((each) => each.id === look.thing);
    const ends = nodes.filter((node) => (edge ? node.id === edge.source || node.id === edge.target : node.id === look.thing));
    if (ends.length === 0) return;
    done.current = look;
    if (!look.still && !ends.every((node) => isInSight(node, box.current!, flow))) {
      void flow.fitView({ ...FIT, nodes: ends.length > 1 ? ends : nodes, duration: 200 });
    }
    if (look.focus) focusWhenDrawn(box.current, look.thing);
  }, [flow, look, box, nodes, edges]);
}

/** What is new in the drawing comes to the page some frames later. */
function focusWhenDrawn(box: HTMLElement, thing: ThingId, frames = 12): void {
  const element = box.querySelector<HTMLElement | SVGElement>(`[data-id="${CSS.escape(thing)}"]`);
  element?.focus({ preventScroll: true });
  if (document.activeElement !== element && frames > 0) requestAnimationFrame(() => focusWhenDrawn(box, thing, frames - 1));
}

/** All of it, and not below the buttons. */
function isInSight({ position: { x, y }, data }: VertexElement, box: HTMLElement, flow: ReactFlowInstance<VertexElement, MoverElement>): boolean {
  const { left, top, right, bottom } = box.getBoundingClientRect();
  const begin = flow.flowToScreenPosition({ x, y });
  const end = flow.flowToScreenPosition({ x: x + WIDTH, y: y + heightOf(data.vertex) });
  return begin.x >= left && begin.y >= top + TOOLS && end.x <= right && end.y <= bottom;
}

