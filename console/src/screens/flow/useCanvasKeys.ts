/**
 * The drawing by keyboard: Tab walks from vertex to vertex, each followed by the movers that leave it, in reading order; Enter selects, Space
 * takes into the selection, Home shows all. What else a key means is for the screen to say.
 */
import { useReactFlow } from "@xyflow/react";
import type { KeyboardEvent, RefObject } from "react";
import type { CanvasActions } from "./FlowCanvas";
import type { MoverElement, VertexElement } from "./elements";
import { onGrid, type Place } from "./layout";
import type { ThingId } from "./things";

interface Keys {
  box: RefObject<HTMLDivElement | null>;
  selected: readonly ThingId[];
  onSelect: (things: readonly ThingId[]) => void;
  actions?: CanvasActions;
}

const ARROWS: Record<string, Place> = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const STEP = 10;
const LEAP = 50;

export function useCanvasKeys({ box, selected, onSelect, actions }: Keys) {
  const flow = useReactFlow<VertexElement, MoverElement>();
  return (event: KeyboardEvent) => {
    const at = event.target as HTMLElement;
    if (event.defaultPrevented || /^(A|INPUT|TEXTAREA|SELECT|BUTTON)$/.test(at.tagName)) return;
    if (run(event, at.closest<HTMLElement>("[data-id]")?.dataset.id ?? null)) event.preventDefault();
  };

  function run(event: KeyboardEvent, here: ThingId | null): boolean {
    const { key } = event;
    if (key === "Tab") return walk(event.shiftKey ? -1 : 1, here);
    if (event.ctrlKey || event.metaKey || event.altKey) return false;
    if (key === "Home") {
      void flow.fitView({ padding: 0.07, maxZoom: 1.1 });
      return true;
    }
    if (key === "Escape" && selected.length > 0) {
      onSelect([]);
      return true;
    }
    if (key === " " && here) {
      onSelect(selected.includes(here) ? selected.filter((each) => each !== here) : [...selected, here]);
      return true;
    }
    // What has the focus is meant, with the rest of the selection when it is one of it.
    const meant = here && !selected.includes(here) ? [here] : selected;
    if (key === "Enter" && here) onSelect(meant);
    const arrow = ARROWS[key];
    if (arrow) return move(arrow, event.shiftKey ? LEAP : STEP, meant);
    const isDone = actions?.onKey(key, meant) ?? key === "Enter";
    // What had the focus may be gone now.
    if (isDone && (key === "Delete" || key === "Backspace")) focusDrawing();
    return isDone;
  }

  function focusDrawing(): void {
    box.current?.querySelector<HTMLElement>(".react-flow")?.focus();
  }

  function walk(by: 1 | -1, here: ThingId | null): boolean {
    const order: ThingId[] = flow.getNodes().flatMap((node) => [node.id, ...flow.getEdges().filter((edge) => edge.source === node.id).map((edge) => edge.id)]);
    if (here === null && by < 0) return false;
    const next = here === null ? order[0] : order[order.indexOf(here) + by];
    if (next === undefined && by < 0) {
      focusDrawing();
      return true;
    }
    if (next === undefined) return false;
    box.current?.querySelector<HTMLElement | SVGElement>(`[data-id="${CSS.escape(next)}"]`)?.focus();
    return true;
  }

  function move([dx, dy]: Place, by: number, things: readonly ThingId[]): boolean {
    const names = new Set(things);
    const moved = flow.getNodes().filter((node) => names.has(node.id));
    if (!actions || moved.length === 0) return false;
    const places = new Map<string, Place>(flow.getNodes().map((node) => [node.data.vertex.name, [onGrid(node.position.x), onGrid(node.position.y)]]));
    for (const { position, data } of moved) places.set(data.vertex.name, [onGrid(position.x + dx * by), onGrid(position.y + dy * by)]);
    actions.onPlace(moved.map((node) => node.data.vertex.name), places);
    return true;
  }
}
