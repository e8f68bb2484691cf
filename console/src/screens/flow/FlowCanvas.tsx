/**
 * The drawing of a flow, to look at or to edit. While something is dragged only React Flow's own state changes; what came of it is told once,
 * at the end. It asks nothing and stores nothing: what is drawn comes in, what was done goes out.
 */
import { useComputedColorScheme } from "@mantine/core";
import {
  Background,
  type Connection,
  Controls,
  MarkerType,
  MiniMap,
  type OnSelectionChangeFunc,
  ReactFlow,
  ReactFlowProvider,
  useEdgesState,
  useNodesInitialized,
  useNodesState,
  useReactFlow,
} from "@xyflow/react";
import "@xyflow/react/dist/base.css";
import { type DragEvent, type MouseEvent, type ReactNode, type RefObject, useCallback, useEffect, useMemo, useRef, useState } from "react";
import type { Diagnostic } from "../../draft/draft";
import classes from "./canvas.module.css";
import type { Drawing } from "./drawing";
import { moverElements, type MoverElement, taken, vertexElements, type VertexElement } from "./elements";
import { GRID, onGrid, type Place, placesOf, WIDTH } from "./layout";
import { MoverEdge } from "./MoverEdge";
import type { Overlay } from "./overlay";
import { marksOf, type ThingId } from "./things";
import { useCanvasKeys } from "./useCanvasKeys";
import { FIT, type Look, useLook } from "./useLook";
import { VertexNode } from "./VertexNode";

/** What the hand can do on the canvas beside selecting; all by names of vertices. */
export interface CanvasActions {
  /** Vertices were put somewhere; `places` has all that are drawn. */
  onPlace: (moved: readonly string[], places: ReadonlyMap<string, Place>) => void;
  mayConnect: (from: string, to: string) => boolean;
  onConnect: (from: string, to: string) => void;
  /** Something from outside was let go here. */
  onDrop: (data: DataTransfer, place: Place) => void;
  /** A key that the canvas knows no meaning for; `things` is what it concerns. True = done. */
  onKey: (key: string, things: readonly ThingId[]) => boolean;
}

interface FlowCanvasProps {
  drawing: Drawing;
  diagnostics: readonly Diagnostic[];
  overlay?: Overlay | null;
  readOnly?: boolean;
  selected: readonly ThingId[];
  onSelect: (things: readonly ThingId[]) => void;
  actions?: CanvasActions;
  look?: Look | null;
  children?: ReactNode;
}

const NODE_TYPES = { vertex: VertexNode };
const EDGE_TYPES = { mover: MoverEdge };
const EDGE_DEFAULTS = { markerEnd: { type: MarkerType.ArrowClosed, width: 22, height: 22, markerUnits: "userSpaceOnUse", color: "var(--hf-line-strong)" } };
const SNAP: [number, number] = [GRID, GRID];
const LARGE = 24;
const NARROW = 560;
const READABLE = 0.6;
const NAMES = { "controls.zoomIn.ariaLabel": "Zoom in", "controls.zoomOut.ariaLabel": "Zoom out", "controls.fitView.ariaLabel": "See all of it" };

export function FlowCanvas(props: FlowCanvasProps) {
  return (
    <ReactFlowProvider>
      <Canvas {...props} />
    </ReactFlowProvider>
  );
}

function Canvas({ drawing, diagnostics, overlay = null, readOnly = false, selected, onSelect, actions, look, children }: FlowCanvasProps) {
  const { nodes, edges, onNodesChange, onEdgesChange, places } = useElements({ drawing, diagnostics, overlay, readOnly, selected });
  const flow = useReactFlow<VertexElement, MoverElement>();
  const scheme = useComputedColorScheme("light");
  const box = useRef<HTMLDivElement>(null);
  useLook(look ?? null, box, nodes, edges);
  const isBegun = useFirstSight(drawing, box);
  const onKeyDown = useCanvasKeys({ box, selected, onSelect, ...(actions && !readOnly ? { actions } : {}) });

  const chosen = useRef(selected);
  useEffect(() => {
    chosen.current = selected;
  }, [selected]);
  const onSelectionChange = useCallback<OnSelectionChangeFunc<VertexElement, MoverElement>>(() => {
    // It is called with what was selected before, too, when only the function is another: what is drawn as selected counts.
    const now = [...flow.getNodes(), ...flow.getEdges()].filter((each) => each.selected).map((each) => each.id);
    // What the address selects may not be drawn yet.
    const isDrawn = (id: ThingId) => flow.getNode(id) !== undefined || flow.getEdge(id) !== undefined;
    if (now.length === 0 && chosen.current.some((id) => !isDrawn(id))) return;
    const isSame = now.length === chosen.current.length && now.every((id) => chosen.current.includes(id));
    if (!isSame) onSelect(now);
  }, [flow, onSelect]);

  const onDragEnd = useCallback(
    (_: unknown, __: VertexElement, dragged: VertexElement[]) => {
      const now = new Map<string, Place>(flow.getNodes().map((each) => [each.data.vertex.name, placeOf(each)]));
      const moved = dragged.filter((each) => !isAt(placeOf(each), places.get(each.data.vertex.name)));
      if (moved.length > 0) actions?.onPlace(moved.map((each) => each.data.vertex.name), now);
    },
    [flow, places, actions],
  );
  const isValid = useCallback(
    (joined: Connection | MoverElement) => !!actions && actions.mayConnect(nameOf(joined.source), nameOf(joined.target)),
    [actions],
  );
  const onConnect = useCallback((joined: Connection) => actions?.onConnect(nameOf(joined.source), nameOf(joined.target)), [actions]);
  const onDrop = (event: DragEvent) => {
    if (!actions || readOnly) return;
    event.preventDefault();
    const { x, y } = flow.screenToFlowPosition({ x: event.clientX, y: event.clientY });
    actions.onDrop(event.dataTransfer, [onGrid(x - WIDTH / 2), onGrid(y - 30)]);
  };
  // Labels lie above the lines, outside of them: a click on one means its mover.
  const onClick = (event: MouseEvent) => {
    const thing = (event.target as Element).closest<HTMLElement>("[data-thing]")?.dataset.thing;
    if (thing) onSelect([thing]);
  };

  return (
    <div ref={box} className={classes.frame} onClick={onClick} onKeyDown={onKeyDown} onDragOver={(event) => event.preventDefault()} onDrop={onDrop}>
      <ReactFlow<VertexElement, MoverElement>
        nodes={nodes}
        edges={edges}
        nodeTypes={NODE_TYPES}
        edgeTypes={EDGE_TYPES}
        defaultEdgeOptions={EDGE_DEFAULTS}
        onNodesChange={onNodesChange}
        onEdgesChange={onEdgesChange}
        onSelectionChange={onSelectionChange}
        onNodeDragStop={onDragEnd}
        onSelectionDragStop={(event, dragged) => onDragEnd(event, dragged[0]!, dragged)}
        onConnect={onConnect}
        isValidConnection={isValid}
        nodesDraggable={!readOnly}
        nodesConnectable={!readOnly}
        deleteKeyCode={null}
        disableKeyboardA11y
        snapToGrid
        snapGrid={SNAP}
        connectionRadius={36}
        minZoom={0.15}
        maxZoom={2}
        colorMode={scheme}
        ariaLabelConfig={NAMES}
        fitView={isBegun}
        fitViewOptions={FIT}
        tabIndex={0}
        aria-label={`Drawing of ${drawing.flow}. Tab walks through it.`}
      >
        <Background gap={GRID * 2} size={1.2} color="var(--hf-line)" />
        <Controls showInteractive={false} fitViewOptions={FIT} aria-label="Zoom" />
        {drawing.vertices.length >= LARGE && <MiniMap pannable zoomable ariaLabel="Overview" nodeColor="var(--hf-line-strong)" />}
        {children}
      </ReactFlow>
    </div>
  );
}

/** React Flow's own nodes and edges, made to follow the drawing. */
function useElements({ drawing, diagnostics, overlay, readOnly, selected }: Required<Pick<FlowCanvasProps, "drawing" | "diagnostics" | "readOnly" | "selected">> & { overlay: Overlay | null }) {
  const places = useMemo(() => placesOf(drawing), [drawing]);
  const marks = useMemo(() => marksOf(drawing, diagnostics), [drawing, diagnostics]);
  const shown = useMemo(() => ({ drawing, places, marks, overlay, readOnly }), [drawing, places, marks, overlay, readOnly]);
  const [nodes, setNodes, onNodesChange] = useNodesState<VertexElement>([]);
  const [edges, setEdges, onEdgesChange] = useEdgesState<MoverElement>([]);
  const names = useMemo(() => new Set(selected), [selected]);
  useEffect(() => {
    setNodes((before) => taken(before, vertexElements(shown), names));
    setEdges((before) => taken(before, moverElements(shown), names));
  }, [shown, names, setNodes, setEdges]);
  return { nodes, edges, onNodesChange, onEdgesChange, places };
}

/**
 * A flow is seen whole at first; where there is too little room to read it then, from its beginning. An empty one has nothing to be seen: the first vertex then stays where it was let go, and only one that
 * was put nowhere is brought into sight. True when something was drawn from the beginning.
 */
function useFirstSight({ flow: name, vertices }: Drawing, box: RefObject<HTMLDivElement | null>): boolean {
  const flow = useReactFlow();
  const isMeasured = useNodesInitialized();
  const [isBegun] = useState(vertices.length > 0);
  // What begins empty stays where the first thing is put.
  const seen = useRef(vertices.length === 0 ? name : "");
  useEffect(() => {
    if (!isMeasured || seen.current === name || !box.current) return;
    seen.current = name;
    if (!isBegun && vertices.some((vertex) => vertex.place !== null)) return;
    const { clientWidth, clientHeight } = box.current;
    const { x, y, width, height } = flow.getNodesBounds(flow.getNodes());
    if (clientWidth > NARROW || clientWidth / width >= READABLE) void flow.fitView(FIT);
    else void flow.setViewport({ x: 12 - x * READABLE, y: clientHeight / 2 - (y + height / 2) * READABLE, zoom: READABLE });
  }, [flow, isMeasured, isBegun, name, vertices, box]);
  return isBegun;
}

const placeOf = (node: VertexElement): Place => [onGrid(node.position.x), onGrid(node.position.y)];
const isAt = (one: Place, other: Place | undefined): boolean => !!other && one[0] === other[0] && one[1] === other[1];
const nameOf = (id: string | null): string => (id ?? "").replace(/^vertex:/, "");
