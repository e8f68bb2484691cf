/** The lists of the keyboard: what to add, what to connect to. */
import { useMemo } from "react";
import { visible } from "../../parts/format";
import type { Addable } from "./addables";
import { Chooser } from "./Chooser";
import { whyNot } from "./connecting";
import type { Drawing } from "./drawing";
import type { Asked, Drawer } from "./useDrawing";

interface AskingProps {
  asked: Asked;
  entries: readonly Addable[];
  drawing: Drawing;
  drawer: Drawer;
  onClose: () => void;
}

export function Asking({ asked, entries, drawing, drawer, onClose }: AskingProps) {
  const from = asked?.what === "connect" ? asked.from : null;
  const ends = useMemo(() => {
    if (from === null) return [];
    const allowed = drawing.vertices.filter((vertex) => whyNot(drawing, from, vertex.name) === null);
    return allowed.map(({ name, kind, about }) => ({ id: name, name, kind, title: visible(name), detail: visible(about) }));
  }, [drawing, from]);
  if (asked?.what === "add")
    return <Chooser title="Add to the drawing" choices={entries} empty="There is nothing to add." onChoose={drawer.add} onClose={onClose} />;
  if (from !== null)
    return (
      <Chooser
        title={`Connect ${visible(from)} to …`}
        choices={ends}
        empty={nothingFor(drawing, from)}
        onChoose={(end) => drawer.join(from, end.name)}
        onClose={onClose}
      />
    );
  return null;
}

function nothingFor({ vertices }: Drawing, from: string): string {
  if (vertices.find(({ name }) => name === from)?.kind === "mirror") return "A mirror sends nothing on.";
  return "There is nothing it can be connected to. Add a repository or a mirror first.";
}
