/**
 * What differs between two texts, line by line: the shortest edit script after Myers, "An O(ND) Difference Algorithm and Its Variations"
 * (1986), of what is between the first and the last line that differ. Pure.
 */

export interface DiffLine {
  kind: "same" | "added" | "removed";
  /** Line numbers from 1 in the text before and after; null = not there. */
  before: number | null;
  after: number | null;
  text: string;
}

/** Lines that are the same, left out. */
export interface Skipped {
  kind: "skipped";
  count: number;
}

/** Texts that differ more than this are not worth a shortest script: what is between is then told as replaced. */
const MOST_EDITS = 1_500;

export function diffLines(before: string, after: string): DiffLine[] {
  const a = linesOf(before);
  const b = linesOf(after);
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start += 1;
  let end = 0;
  while (end < a.length - start && end < b.length - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end += 1;
  const kinds = script(a.slice(start, a.length - end), b.slice(start, b.length - end));
  const all = [...Array<DiffLine["kind"]>(start).fill("same"), ...kinds, ...Array<DiffLine["kind"]>(end).fill("same")];
  let [x, y] = [0, 0];
  return all.map((kind) => {
    const line = { kind, before: kind === "added" ? null : x + 1, after: kind === "removed" ? null : y + 1 };
    const text = kind === "added" ? b[y]! : a[x]!;
    if (kind !== "added") x += 1;
    if (kind !== "removed") y += 1;
    return { ...line, text };
  });
}

/** A line end at the end of the text begins no line. */
function linesOf(text: string): string[] {
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  return lines;
}

function script(a: readonly string[], b: readonly string[]): DiffLine["kind"][] {
  const trace = reach(a, b);
  return trace ? walkBack(trace, a.length, b.length) : [...a.map(() => "removed" as const), ...b.map(() => "added" as const)];
}

/** How far each diagonal reaches after so many edits, from none to all that are needed; null = more than are worth it. */
function reach(a: readonly string[], b: readonly string[]): Int32Array[] | null {
  const trace: Int32Array[] = [];
  let last = new Int32Array(3);
  for (let edits = 0; edits <= Math.min(a.length + b.length, MOST_EDITS); edits += 1) {
    // The place of diagonal k in a row of `edits` is k + edits + 1: one to spare at both ends.
    const row = new Int32Array(2 * edits + 3);
    trace.push(row);
    for (let k = -edits; k <= edits; k += 2) {
      const isDown = k === -edits || (k !== edits && last[k - 1 + edits]! < last[k + 1 + edits]!);
      let x = edits === 0 ? 0 : isDown ? last[k + 1 + edits]! : last[k - 1 + edits]! + 1;
      while (x < a.length && x - k < b.length && a[x] === b[x - k]) x += 1;
      row[k + edits + 1] = x;
      if (x >= a.length && x - k >= b.length) return trace;
    }
    last = row;
  }
  return null;
}

function walkBack(trace: readonly Int32Array[], aLength: number, bLength: number): DiffLine["kind"][] {
  const kinds: DiffLine["kind"][] = [];
  let [x, y] = [aLength, bLength];
  for (let edits = trace.length - 1; edits > 0; edits -= 1) {
    const last = trace[edits - 1]!;
    const k = x - y;
    const isDown = k === -edits || (k !== edits && last[k - 1 + edits]! < last[k + 1 + edits]!);
    const startX = isDown ? last[k + 1 + edits]! : last[k - 1 + edits]!;
    const startY = startX - (isDown ? k + 1 : k - 1);
    const [afterX, afterY] = isDown ? [startX, startY + 1] : [startX + 1, startY];
    for (; x > afterX && y > afterY; x -= 1, y -= 1) kinds.push("same");
    kinds.push(isDown ? "added" : "removed");
    [x, y] = [startX, startY];
  }
  for (; x > 0; x -= 1) kinds.push("same");
  return kinds.reverse();
}

/** Only what differs, with a few lines around it. */
export function withContext(lines: readonly DiffLine[], around = 3): (DiffLine | Skipped)[] {
  const keep = new Uint8Array(lines.length);
  lines.forEach(({ kind }, index) => {
    if (kind !== "same") keep.fill(1, Math.max(0, index - around), index + around + 1);
  });
  const shown: (DiffLine | Skipped)[] = [];
  lines.forEach((line, index) => {
    const last = shown.at(-1);
    if (keep[index]) shown.push(line);
    else if (last?.kind === "skipped") last.count += 1;
    else shown.push({ kind: "skipped", count: 1 });
  });
  return shown;
}
