"""Two people's texts become one: what each changed since the revision they both began with, by keys and values.

Where only one of them changed a value, that counts. Where both did, and differently, it is a conflict: also where one took out what the
other changed, and where both added a thing of one name. Nobody's change goes without a word.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from typing import Literal

import msgspec

from holdfast.compiler.edit_text import line_text
from holdfast.compiler.edit_values import apply_edit, same
from holdfast.compiler.edits import apply_edits, document_values, read_values
from holdfast.compiler.merge_lines import merged_lines
from holdfast.model.edit import Edit, Path, Value

Side = Literal["mine", "theirs"]

_GONE: Value = object()
# Lists whose order means nothing: what each side added and took out is done to both. Of patterns the order counts once one begins with `!`.
_SETS = frozenset({"tags", "nodes", "policies", "carries", "paths", "owners", "groups", "types", "windows", "window", "at", "only"})
_PATTERNS = frozenset({"include", "exclude"})
# Keys of which a thing has one: two people who each chose another cannot both have theirs.
_ONE_OF = (("node", "group", "repository", "mirror", "relay"), ("nodes", "tags"))


class MergeConflict(msgspec.Struct, frozen=True, kw_only=True):
    """`path`: keys; a mover is named `from->to` there. The values are null where nothing is."""

    path: Path
    base: Value
    mine: Value
    theirs: Value


class MergedValues(msgspec.Struct, frozen=True, kw_only=True):
    """`edits` make `values` of theirs. At `conflicts` they have what the preferred side has."""

    values: dict[str, Value]
    edits: tuple[Edit, ...]
    conflicts: tuple[MergeConflict, ...]


class MergedText(msgspec.Struct, frozen=True, kw_only=True):
    text: str
    conflicts: tuple[MergeConflict, ...]


def merge_texts(base: str, mine: str, theirs: str, prefer: Side = "mine") -> MergedText:
    """Theirs with my differences as edits, so that their comments and spacing stay; where the two touched different lines, mine stay too.
    A text that equals the base gives the other, byte for byte. Raises `InvalidDocument` for a text that is no YAML mapping."""
    if theirs in (base, mine):
        return MergedText(text=mine, conflicts=())
    if mine == base:
        return MergedText(text=theirs, conflicts=())
    merged = merge_values(read_values(base), read_values(mine), read_values(theirs), prefer)
    lines = merged_lines(base, mine, theirs)
    if lines is None or not same(document_values(lines), merged.values):
        lines = apply_edits(theirs, merged.edits)
    return MergedText(text=lines, conflicts=merged.conflicts)


def merge_values(base: dict[str, Value], mine: dict[str, Value], theirs: dict[str, Value], prefer: Side = "mine") -> MergedValues:
    merger = _Merger(prefer)
    values = merger.mappings((), base, mine, theirs)
    renamed: Value = reduce(apply_edit, merger.renames, theirs)
    return MergedValues(values=values, edits=(*merger.renames, *_edits((), renamed, values)), conflicts=tuple(merger.conflicts))


class _Merger:
    """`renames`: keys that only I renamed, to be renamed in theirs."""

    def __init__(self, prefer: Side) -> None:
        self._prefer = prefer
        self.conflicts: list[MergeConflict] = []
        self.renames: list[Edit] = []

    def mappings(self, path: Path, base: dict[str, Value], mine: dict[str, Value], theirs: dict[str, Value]) -> dict[str, Value]:
        if _is_collection(path):
            base, mine, theirs = self._follow_renames(path, base, mine, theirs)
        found = {}
        for key in dict.fromkeys((*theirs, *mine, *base)):
            value = self._value((*path, key), base.get(key, _GONE), mine.get(key, _GONE), theirs.get(key, _GONE))
            if value is not _GONE:
                found[key] = value
        return found

    def _value(self, path: Path, base: Value, mine: Value, theirs: Value) -> Value:
        if _equal(base, mine):
            return theirs
        if _equal(base, theirs) or _equal(mine, theirs):
            return mine
        if _is_collection(path) and base is _GONE:
            base = {}
        sides = (base, mine, theirs)
        if all(isinstance(side, dict) or side is None for side in sides) and not _choose_both(*(side or {} for side in sides)):
            return self.mappings(path, base or {}, mine or {}, theirs or {})
        base_items = [] if base is None or base is _GONE else base
        if all(isinstance(side, list) for side in (base_items, mine, theirs)):
            if _is_movers(path) and all(map(_are_movers, (base_items, mine, theirs))):
                return list(self.mappings(path, *map(_by_ends, (base_items, mine, theirs))).values())
            if _is_set(path, (*base_items, *mine, *theirs)):
                return _merged_set(base_items, mine, theirs)
        return self._conflict(path, base, mine, theirs)

    def _conflict(self, path: Path, base: Value, mine: Value, theirs: Value) -> Value:
        shown = [None if side is _GONE else side for side in (base, mine, theirs)]
        self.conflicts.append(MergeConflict(path=path, base=shown[0], mine=shown[1], theirs=shown[2]))
        return mine if self._prefer == "mine" else theirs

    def _follow_renames(self, path: Path, base: dict[str, Value], mine: dict[str, Value], theirs: dict[str, Value]) -> _Sides:
        """What one side renamed is renamed on the other, too, and in the base. What the other has no more, or by a third name, is a
        conflict."""
        for old, new in _renamed(base, mine):
            if old in theirs and new not in theirs:
                self.renames.append(Edit(op="rename", path=(*path, old), value=new))
                base, theirs = _rename(base, old, new), _rename(theirs, old, new)
            elif new not in theirs and self._conflict((*path, new), base[old], mine[new], _GONE) is _GONE:
                mine = {key: value for key, value in mine.items() if key != new}
        for old, new in _renamed(base, theirs):
            if old in mine and new not in mine:
                base, mine = _rename(base, old, new), _rename(mine, old, new)
            elif new not in mine and self._conflict((*path, new), base[old], _GONE, theirs[new]) is _GONE:
                theirs = {key: value for key, value in theirs.items() if key != new}
        return base, mine, theirs


_Sides = tuple[dict[str, Value], dict[str, Value], dict[str, Value]]


def _equal(one: Value, other: Value) -> bool:
    return one is other or (one is not _GONE and other is not _GONE and same(one, other))


def _is_collection(path: Path) -> bool:
    """A mapping of things by name."""
    return (len(path) == 1 and path[0] != "environment") or (
        len(path) == 3 and path[0::2] in (("flows", "vertices"), ("policies", "operations"))
    )


def _is_movers(path: Path) -> bool:
    return len(path) == 3 and path[0::2] == ("flows", "movers")


def _are_movers(items: list[Value]) -> bool:
    return all(isinstance(item, dict) and isinstance(item.get("from"), str) and isinstance(item.get("to"), str) for item in items)


def _by_ends(movers: list[Value]) -> dict[str, Value]:
    """A second mover between the same two is `from->to (2)`."""
    found: dict[str, Value] = {}
    counts: dict[str, int] = {}
    for mover in movers:
        name = f"{mover['from']}->{mover['to']}"
        counts[name] = counts.get(name, 0) + 1
        found[name if counts[name] == 1 else f"{name} ({counts[name]})"] = mover
    return found


def _is_set(path: Path, items: tuple[Value, ...]) -> bool:
    if any(isinstance(item, dict | list) for item in items):
        return False
    return path[-1] in _SETS or (path[-1] in _PATTERNS and not any(str(item).startswith("!") for item in items))


def _merged_set(base: list[Value], mine: list[Value], theirs: list[Value]) -> list[Value]:
    was, here, there = ({line_text(item) for item in items} for items in (base, mine, theirs))
    kept = [item for item in theirs if line_text(item) in here or line_text(item) not in was]
    return kept + [item for item in mine if line_text(item) not in there | was]


def _choose_both(base: Value, mine: Value, theirs: Value) -> bool:
    """Whether each side chose another of several keys of which a thing has one."""
    for keys in _ONE_OF:
        was, here, there = ({key: side[key] for key in keys if key in side} for side in (base, mine, theirs))
        if was.keys() != here.keys() != there.keys() != was.keys():
            return True
    return False


def _renamed(before: dict[str, Value], after: dict[str, Value]) -> Iterator[tuple[str, str]]:
    """A key that is gone, and a new one with its very value, when there is no doubt about either."""
    gone = [key for key in before if key not in after and before[key]]
    new = [key for key in after if key not in before]
    for old in gone:
        heirs = [key for key in new if same(before[old], after[key])]
        if len(heirs) == 1 and sum(same(before[key], before[old]) for key in gone) == 1:
            yield old, heirs[0]


def _rename(values: dict[str, Value], old: str, new: str) -> dict[str, Value]:
    return {new if key == old else key: value for key, value in values.items()}


def _edits(path: Path, old: dict[str, Value], new: dict[str, Value]) -> Iterator[Edit]:
    for key in old:
        if key not in new:
            yield Edit(op="remove", path=(*path, key))
    for key, value in new.items():
        here = old.get(key, _GONE)
        if isinstance(here, dict) and isinstance(value, dict):
            yield from _edits((*path, key), here, value)
        elif not _equal(here, value):
            yield Edit(op="set", path=(*path, key), value=value)
