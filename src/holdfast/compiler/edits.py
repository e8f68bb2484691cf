"""Edits of the document by its keys, for the console's canvas: the text changes where the values do, and nowhere else.

Every result is read again: it must have exactly the values that the edits mean. Where the text is written in a way that splices cannot
follow, the smallest enclosing part for which this holds is written anew; its comments are lost then, everything around it stays.
"""

from __future__ import annotations

from collections.abc import Iterable

from holdfast.compiler.edit_splices import Slot, Splicer, Unsplicable
from holdfast.compiler.edit_text import block_lines
from holdfast.compiler.edit_values import apply_edit, same, values_of
from holdfast.compiler.yaml_tree import Entry, Mapping, Sequence, Tree, load_tree
from holdfast.core.errors import InvalidDocument, UsageError
from holdfast.model.edit import Edit, Path, Value


def document_values(text: str) -> dict[str, Value]:
    """The text's keys and values as they are written; empty when it is no YAML mapping."""
    loaded = load_tree(text)
    values = {} if loaded.diagnostics else values_of(loaded.root)
    return values if isinstance(values, dict) else {}


def read_values(text: str) -> dict[str, Value]:
    """As `document_values`; raises `InvalidDocument` when it is no YAML mapping."""
    values: dict[str, Value] = values_of(_load(text))
    return values


def apply_edits(text: str, edits: Iterable[Edit]) -> str:
    """The text after all edits, in turn. Raises `UsageError` naming the first that cannot be done, `InvalidDocument` for a text that is
    no YAML mapping. What the values mean is the parser's business, before and after."""
    root = _load(text)
    values = wanted = values_of(root)
    for edit in edits:
        after = apply_edit(wanted, edit)
        if edit.op != "rename":
            wanted = after
            continue
        # In its place: values alone could not tell a new name from a removal and an addition.
        text = _rewritten(text, root, values, wanted)
        text = _renamed(text, wanted, after, edit)
        root, values, wanted = _load(text), after, after
    return _rewritten(text, root, values, wanted)


def _load(text: str) -> Mapping | None:
    loaded = load_tree(text)
    if loaded.diagnostics or not (loaded.root is None or isinstance(loaded.root, Mapping)):
        raise InvalidDocument("the document cannot be read", hint="mend it first, with `holdfast export` and `holdfast apply`")
    return loaded.root


def _rewritten(text: str, root: Mapping | None, old: Value, new: Value) -> str:
    if same(old, new):
        return text
    if root is None:
        gap = "" if not text or text.endswith("\n") else "\n"
        written = f"{text}{gap}" + "\n".join(block_lines(new, 0)) + "\n"
        return written if _reads_as(written, new) else "\n".join(block_lines(new, 0)) + "\n"
    spliced = _spliced(text, root, new)
    if spliced is not None and _reads_as(spliced, new):
        return spliced
    place = _common_place(old, new)
    for length in range(len(place), -1, -1):
        replaced = _replaced(text, root, place[:length], new)
        if replaced is not None and _reads_as(replaced, new):
            return replaced
    return _anew(new)


def _spliced(text: str, root: Mapping, new: Value) -> str | None:
    splicer = Splicer(text)
    try:
        splicer.change(root, new, Slot(root.flow))
        return splicer.result()
    except Unsplicable:
        return None


def _replaced(text: str, root: Mapping, place: Path, new: Value) -> str | None:
    """The text with the value at `place` written anew as a whole."""
    splicer = Splicer(text)
    tree: Tree = root
    slot = Slot(root.flow)
    for step in place:
        found = _child(tree, slot, step)
        if found is None:
            return None
        (tree, slot), new = found, new[step]
    try:
        splicer.replace(tree, new, slot)
        return splicer.result()
    except Unsplicable:
        return None


def _child(tree: Tree, slot: Slot, step: str | int) -> tuple[Tree, Slot] | None:
    """Lists in block style are not entered: they are written anew as a whole."""
    in_flow = slot.in_flow or (isinstance(tree, Mapping | Sequence) and tree.flow)
    if isinstance(tree, Mapping) and (entry := _entry(tree, step)) is not None:
        return entry.value, Slot(in_flow, entry=entry)
    if isinstance(tree, Sequence) and in_flow and isinstance(step, int):
        return tree.items[step], Slot(in_flow)
    return None


def _common_place(old: Value, new: Value) -> Path:
    """The deepest place that has every difference below it."""
    if isinstance(old, dict) and isinstance(new, dict) and old.keys() == new.keys():
        differing: list[str | int] = [key for key in old if not same(old[key], new[key])]
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        differing = [index for index in range(len(old)) if not same(old[index], new[index])]
    else:
        return ()
    if len(differing) != 1:
        return ()
    step = differing[0]
    return (step, *_common_place(old[step], new[step]))


def _renamed(text: str, before: Value, after: Value, edit: Edit) -> str:
    *parents, last = edit.path
    tree: Tree | None = _load(text)
    for step in parents:
        if isinstance(tree, Mapping) and isinstance(step, str):
            tree = tree.get(step)
        elif isinstance(tree, Sequence) and isinstance(step, int):
            tree = tree.items[step]
    entry = _entry(tree, last) if isinstance(tree, Mapping) else None
    if entry is None:
        raise UsageError(f"there is no `{last}`", hint="look at the newest document")
    splicer = Splicer(text)
    splicer.rename(entry, str(edit.value))
    written = splicer.result()
    return written if _reads_as(written, after) else _rewritten(text, _load(text), before, after)


def _entry(tree: Mapping, step: str | int) -> Entry | None:
    return next((entry for entry in tree.entries if entry.key.text == step), None)


def _reads_as(text: str, values: Value) -> bool:
    loaded = load_tree(text)
    return not loaded.diagnostics and same(values_of(loaded.root), values)


def _anew(values: Value) -> str:
    """The last resort: the whole document in our own style."""
    return "\n".join(block_lines(values, 0)) + "\n" if values else ""
