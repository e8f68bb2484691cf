"""From two states of the values to splices of the text: what did not change is not touched, not even a space.

The walk goes down the tree of the text and both values at once, and only where they differ. Where the text is written in a way that these
rules do not know, `Unsplicable` is raised, and `edits` writes a larger part anew.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher

from holdfast.compiler.edit_text import block_lines, fits_line, is_bare, line_text, scalar_text
from holdfast.compiler.edit_values import same, values_of
from holdfast.compiler.yaml_tree import Entry, Mapping, Scalar, Sequence, Tree
from holdfast.model.edit import Value

_GAP = re.compile(r"(?:\s|(?:(?<=\s)|(?<![^\n]))#[^\n]*)*")
_REST_OF_LINE = re.compile(r"[ \t]*(?:#[^\n]*)?$", re.MULTILINE)


class Unsplicable(Exception):
    """The text is written in a way that this module does not know."""


@dataclass(frozen=True, order=True)
class Splice:
    start: int
    end: int
    text: str


@dataclass(frozen=True)
class Slot:
    """Where a value stands: behind a key, as item of a list (`dash` = where its `-` is, -1 in flow style), or as the root."""

    in_flow: bool
    entry: Entry | None = None
    dash: int = -1


class Splicer:
    """Collects the splices that make the values of `text` other values."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._splices: list[Splice] = []

    def result(self) -> str:
        """The text with all splices done. Raises `Unsplicable` when two of them are in each other's way."""
        parts: list[str] = []
        at = 0
        for splice in sorted(self._splices, key=lambda each: (each.start, each.end)):
            if splice.start < at:
                raise Unsplicable
            parts += (self._text[at : splice.start], splice.text)
            at = splice.end
        return "".join((*parts, self._text[at:]))

    def rename(self, entry: Entry, name: str) -> None:
        self._splice(entry.key.span.start, entry.key.span.end, scalar_text(name))

    def change(self, tree: Tree, new: Value, slot: Slot) -> None:
        """Make the value of `tree` this one."""
        old = values_of(tree)
        if same(old, new):
            return
        if slot.entry is not None and not slot.in_flow and is_bare(old):
            # Braces with nothing in them are no style that somebody chose: what comes in is written as if it were new.
            self.replace(tree, new, slot)
        elif isinstance(tree, Mapping) and isinstance(new, dict) and new.keys() & old.keys():
            self._change_mapping(tree, old, new, slot.in_flow or tree.flow)
        elif isinstance(tree, Sequence) and isinstance(new, list) and new and tree.items:
            self._change_sequence(tree, old, new, slot)
        else:
            self.replace(tree, new, slot)

    def replace(self, tree: Tree, new: Value, slot: Slot) -> None:
        """Write the whole value anew."""
        start, end = tree.span.start, self._end(tree)
        if slot.entry is not None:
            self._replace_behind_key(slot.entry, tree, new, slot.in_flow)
        elif slot.in_flow:
            self._splice(start, end, line_text(new))
        elif slot.dash >= 0:
            if start == tree.span.end:
                self._splice(slot.dash + 1, slot.dash + 1, f" {line_text(new)}")
            else:
                self._splice(start, end, line_text(new))
        else:
            lines = block_lines(new, 0) if isinstance(new, dict | list) and new else [line_text(new)]
            self._splice(start, end, "\n".join(lines))

    def _replace_behind_key(self, entry: Entry, tree: Tree, new: Value, in_flow: bool) -> None:
        start, end, is_empty = tree.span.start, self._end(tree), tree.span.start == tree.span.end
        colon = self._next(entry.key.span.end)
        if self._text[colon : colon + 1] != ":":
            # `{a, b}`: a key that has no value, nor a colon.
            if not (in_flow and is_empty):
                raise Unsplicable
            self._splice(entry.key.span.end, entry.key.span.end, f": {line_text(new)}")
            return
        behind = colon + 1
        if in_flow or fits_line(new):
            if is_empty:
                self._splice(behind, behind, f" {line_text(new)}")
            elif "\n" in self._text[behind:start]:
                self._replace_below(behind, start, end, line_text(new))
            else:
                self._splice(start, end, line_text(new))
            return
        # A block goes below the line, so that a comment behind the key stays there.
        last = behind if is_empty else end
        rest = _REST_OF_LINE.match(self._text, last)
        if rest is None:
            raise Unsplicable
        lines = block_lines(new, entry.key.span.column + 1)
        self._splice(behind, last, "")
        self._splice(rest.end(), rest.end(), "\n" + "\n".join(lines))

    def _replace_below(self, behind: int, start: int, end: int, text: str) -> None:
        """What stands below its key goes with the comments in its lines; the new value stands behind the key, before a comment there."""
        line, head, rest = self._line_start(start), _REST_OF_LINE.match(self._text, behind), _REST_OF_LINE.match(self._text, end)
        if head is None or rest is None or self._text[line:start].strip():
            self._splice(behind, end, f" {text}")
            return
        self._splice(behind, behind, f" {text}")
        self._splice(line, min(rest.end() + 1, len(self._text)), "")

    def _change_mapping(self, tree: Mapping, old: dict[str, Value], new: dict[str, Value], in_flow: bool) -> None:
        if len(old) != len(tree.entries):
            raise Unsplicable
        kept = [entry for entry in tree.entries if entry.key.text in new]
        for entry in kept:
            self.change(entry.value, new[entry.key.text], Slot(in_flow, entry=entry))
        ends = [(entry.key.span.start, self._entry_end(entry), entry.key.text in new) for entry in tree.entries]
        added = {key: value for key, value in new.items() if key not in old}
        if tree.flow or in_flow:
            self._remove_in_flow(ends)
            self._add_in_flow(ends, [f"{scalar_text(key)}: {line_text(value)}" for key, value in added.items()])
            return
        for index, (start, end, stays) in enumerate(ends):
            if not stays:
                self._remove_lines(start, end, ends[index + 1][0] if index + 1 < len(ends) else None)
        self._add_lines(ends, block_lines(added, tree.span.column - 1) if added else [])

    def _change_sequence(self, tree: Sequence, old: list[Value], new: list[Value], slot: Slot) -> None:
        in_flow = slot.in_flow or tree.flow
        matcher = SequenceMatcher(None, list(map(line_text, old)), list(map(line_text, new)), autojunk=False)
        starts = [item.span.start for item in tree.items] if in_flow else self._dashes(tree)
        gone: set[int] = set()
        put: dict[int, list[Value]] = {}
        for _, old_from, old_to, new_from, new_to in (op for op in matcher.get_opcodes() if op[0] != "equal"):
            paired = min(old_to - old_from, new_to - new_from)
            for offset in range(paired):
                item = tree.items[old_from + offset]
                self.change(item, new[new_from + offset], Slot(in_flow, dash=-1 if in_flow else starts[old_from + offset]))
            gone.update(range(old_from + paired, old_to))
            if new_from + paired < new_to:
                put[old_from + paired] = new[new_from + paired : new_to]
        if len(gone) == len(tree.items):
            raise Unsplicable
        ends = [(starts[i], self._item_end(item, starts[i], in_flow), i not in gone) for i, item in enumerate(tree.items)]
        if in_flow:
            self._remove_in_flow(ends)
        else:
            for start, end, _ in (each for each in ends if not each[2]):
                self._remove_lines(start, end, None)
        for index, values in put.items():
            self._put_items(ends, index, values, None if in_flow else tree.span.column - 1)

    def _put_items(self, ends: list[tuple[int, int, bool]], index: int, values: list[Value], indent: int | None) -> None:
        """`indent` None = in flow style."""
        if index >= len(ends):
            if indent is None:
                self._add_in_flow(ends, list(map(line_text, values)))
            else:
                self._add_lines(ends, block_lines(values, indent))
        elif indent is None:
            self._splice(ends[index][0], ends[index][0], "".join(f"{line_text(value)}, " for value in values))
        else:
            at = self._line_start(ends[index][0])
            self._splice(at, at, "".join(f"{line}\n" for line in block_lines(values, indent)))

    def _remove_in_flow(self, ends: list[tuple[int, int, bool]]) -> None:
        """The pieces that do not stay, each with the comma behind it; at the end, with the comma before it."""
        last = max(index for index, each in enumerate(ends) if each[2])
        for index, (start, _, stays) in enumerate(ends[:last]):
            if not stays:
                self._splice(start, ends[index + 1][0], "")
        if last + 1 < len(ends):
            self._splice(ends[last][1], ends[-1][1], "")

    def _add_in_flow(self, ends: list[tuple[int, int, bool]], pieces: list[str]) -> None:
        at = max(end for _, end, stays in ends if stays)
        if pieces:
            self._splice(at, at, "".join(f", {piece}" for piece in pieces))

    def _remove_lines(self, start: int, end: int, following: int | None) -> None:
        """Whole lines, with a comment at their end. What shares its line with a dash takes all up to the next key instead."""
        line = self._line_start(start)
        if self._text[line:start].strip():
            if following is None:
                raise Unsplicable
            self._splice(start, following, "")
            return
        rest = _REST_OF_LINE.match(self._text, end)
        if rest is None:
            raise Unsplicable
        self._splice(line, min(rest.end() + 1, len(self._text)), "")

    def _add_lines(self, ends: list[tuple[int, int, bool]], lines: list[str]) -> None:
        """Below the last piece that stays."""
        if not lines:
            return
        rest = _REST_OF_LINE.match(self._text, max(end for _, end, stays in ends if stays))
        if rest is None:
            raise Unsplicable
        self._splice(rest.end(), rest.end(), "\n" + "\n".join(lines))

    def _dashes(self, tree: Sequence) -> list[int]:
        """Where the `-` of each item is."""
        found = [tree.span.start]
        for item, dash in zip(tree.items[:-1], found, strict=False):
            found.append(self._next(self._item_end(item, dash, False)))
        if any(self._text[dash : dash + 1] != "-" for dash in found):
            raise Unsplicable
        return found

    def _item_end(self, item: Tree, start: int, in_flow: bool) -> int:
        is_empty = item.span.start == item.span.end
        return start + (0 if in_flow else 1) if is_empty else self._end(item)

    def _entry_end(self, entry: Entry) -> int:
        """A value that is not there is marked far behind; the colon is where it ends."""
        if entry.value.span.start != entry.value.span.end:
            return self._end(entry.value)
        colon = self._next(entry.key.span.end)
        return colon + 1 if self._text[colon : colon + 1] == ":" else entry.key.span.end

    def _end(self, tree: Tree) -> int:
        """Without the line ends that a block scalar has behind it."""
        if isinstance(tree, Mapping) and not tree.flow and tree.entries:
            return self._entry_end(tree.entries[-1])
        start, end = tree.span.start, tree.span.end
        is_block_text = isinstance(tree, Scalar) and not tree.plain and self._text[start : start + 1] in ("|", ">")
        return start + len(self._text[start:end].rstrip()) if is_block_text or not isinstance(tree, Scalar) else end

    def _next(self, at: int) -> int:
        """The next character that means something."""
        gap = _GAP.match(self._text, at)
        return gap.end() if gap else at

    def _line_start(self, at: int) -> int:
        return self._text.rfind("\n", 0, at) + 1

    def _splice(self, start: int, end: int, text: str) -> None:
        if start != end or text:
            self._splices.append(Splice(start, end, text))
