/** What differs between two texts, line by line: the shortest edit (E. Myers, "An O(ND) Difference Algorithm", 1986). Pure. */

export interface Line {
  kind: "same" | "removed" | "added";
  text: string;
  /** From 1; of what is only on the other side, none. */
  before: number | null;
  after: number | null;
}

/** Beyond so many edits the middle is shown as taken out and put in: nobody reads it line by line, and it would take for ever. */
const MOST_EDITS = 2_000;

export function compareLines(before: string, after: string): Line[] {
  const a = linesOf(before);
  const b = linesOf(after);
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head++;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail++;
  const middle = edits(a.slice(head, a.length - tail), b.slice(head, b.length - tail));
  const found: Line[] = [];
  let x = 0;
  let y = 0;
  const add = (kind: Line["kind"]) => {
    const text = (kind === "added" ? b[y] : a[x]) ?? "";
    found.push({ kind, text, before: kind === "added" ? null : ++x, after: kind === "removed" ? null : ++y });
  };
  for (let n = 0; n < head; n++) add("same");
  middle.forEach(add);
  for (let n = 0; n < tail; n++) add("same");
  return found;
}

function linesOf(text: string): string[] {
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  return lines;
}

function edits(a: readonly string[], b: readonly string[]): Line["kind"][] {
  const offset = Math.min(a.length + b.length, MOST_EDITS) + 1;
  const reached = new Int32Array(2 * offset + 1);
  const trace: Int32Array[] = [];
  for (let edit = 0; edit < offset; edit++) {
    trace.push(reached.slice(offset - edit - 1, offset + edit + 2));
    for (let k = -edit; k <= edit; k += 2) {
      const down = k === -edit || (k !== edit && reached[offset + k - 1]! < reached[offset + k + 1]!);
      let x = down ? reached[offset + k + 1]! : reached[offset + k - 1]! + 1;
      while (x < a.length && x - k < b.length && a[x] === b[x - k]) x++;
      reached[offset + k] = x;
      if (x >= a.length && x - k >= b.length) return walkedBack(trace, a.length, b.length);
    }
  }
  return [...a.map(() => "removed" as const), ...b.map(() => "added" as const)];
}

function walkedBack(trace: readonly Int32Array[], x: number, y: number): Line["kind"][] {
  const found: Line["kind"][] = [];
  for (let edit = trace.length - 1; edit >= 0; edit--) {
    const at = (k: number) => trace[edit]![k + edit + 1]!;
    const k = x - y;
    const down = k === -edit || (k !== edit && at(k - 1) < at(k + 1));
    const fromX = edit === 0 ? 0 : down ? at(k + 1) : at(k - 1);
    const fromY = edit === 0 ? 0 : fromX - (down ? k + 1 : k - 1);
    while (x > fromX && y > fromY) {
      found.push("same");
      x--;
      y--;
    }
    if (edit > 0) found.push(down ? "added" : "removed");
    x = fromX;
    y = fromY;
  }
  return found.reverse();
}
