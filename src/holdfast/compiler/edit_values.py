"""The document's text as plain values, and edits of those: what an edit means, whatever the text looks like.

A scalar is what it is written as: `true` and `false` without quotes are booleans, numbers in their shortest form are numbers, nothing is
None, everything else is text (`007`, `1h`, `NO`). So values written back give the same words.
"""

from __future__ import annotations

import re

from holdfast.compiler.yaml_tree import MAX_DEPTH, Scalar, Sequence, Tree
from holdfast.core.errors import UsageError
from holdfast.model.edit import Edit, Value

MAX_KEY_LENGTH = 500
_NUMBER = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,15})?")
_NOT_TEXT = re.compile("[\0\ud800-\udfff]")


def values_of(tree: Tree | None) -> Value:
    """Of a key that stands twice, the first counts, as for the parser."""
    if tree is None:
        return {}
    if isinstance(tree, Scalar):
        return scalar_value(tree.text, tree.plain)
    if isinstance(tree, Sequence):
        return [values_of(item) for item in tree.items]
    found: dict[str, Value] = {}
    for entry in tree.entries:
        if entry.key.text not in found:
            found[entry.key.text] = values_of(entry.value)
    return found


def scalar_value(text: str, plain: bool) -> Value:
    if not plain:
        return text
    if text in ("", "~", "null", "Null", "NULL"):
        return None
    if text in ("true", "false"):
        return text == "true"
    if match := _NUMBER.fullmatch(text):
        number: int | float = float(text) if match.group(1) else int(text)
        if repr(number) == text:
            return number
    return text


def same(one: Value, other: Value) -> bool:
    """Equal, and of the same kinds: 1 is not true, and order of keys does not count."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and bool(one == other)


def apply_edit(values: Value, edit: Edit) -> Value:
    """The values after the edit; those before stay as they are. Raises `UsageError` when the path or the value cannot be."""
    if not edit.path:
        raise UsageError("the path of an edit is empty", hint="name at least one key")
    if edit.op == "set":
        check_value(edit.value, len(edit.path))
    return _at(values, edit, 0)


def _at(values: Value, edit: Edit, depth: int) -> Value:
    step, is_last = edit.path[depth], depth == len(edit.path) - 1
    if isinstance(step, int):
        return _in_list(values, edit, depth, step)
    known = {} if values is None and edit.op == "set" else values
    if not isinstance(known, dict):
        raise _nothing_there(edit, depth, "here are no keys")
    if is_last and edit.op == "rename":
        return _renamed(known, edit, step)
    if is_last and edit.op == "remove":
        if step not in known:
            raise _nothing_there(edit, depth, f"there is no `{step}`")
        return {key: value for key, value in known.items() if key != step}
    if is_last:
        _check_key(step)
        return {**known, step: edit.value}
    if step not in known and edit.op != "set":
        raise _nothing_there(edit, depth, f"there is no `{step}`")
    _check_key(step)
    return {**known, step: _at(known.get(step), edit, depth + 1)}


def _in_list(values: Value, edit: Edit, depth: int, index: int) -> Value:
    is_last = depth == len(edit.path) - 1
    if not isinstance(values, list):
        raise _nothing_there(edit, depth, "here is no list")
    may_append = is_last and edit.op == "set"
    if not 0 <= index < len(values) + may_append:
        raise _nothing_there(edit, depth, f"the list has {len(values)} entries")
    if is_last and edit.op == "rename":
        raise UsageError("a place in a list has no name", hint="rename keys only")
    before, after = values[:index], values[index + 1 :]
    if is_last and edit.op == "remove":
        return [*before, *after]
    return [*before, edit.value if is_last else _at(values[index], edit, depth + 1), *after]


def _renamed(known: dict[str, Value], edit: Edit, old: str) -> Value:
    new = edit.value
    if not isinstance(new, str) or not new:
        raise UsageError("a new name must be a text", hint="give it as `value`")
    _check_key(new)
    if old not in known:
        raise _nothing_there(edit, len(edit.path) - 1, f"there is no `{old}`")
    if new != old and new in known:
        raise UsageError(f"there is a `{new}` already", hint="choose another name, or remove that first")
    return {new if key == old else key: value for key, value in known.items()}


def check_value(value: Value, depth: int = 0) -> None:
    """Raises `UsageError` for what cannot be written: too deep, not text, keys that are none."""
    if depth > MAX_DEPTH - 1 and isinstance(value, dict | list):
        raise UsageError(f"nested deeper than {MAX_DEPTH} levels", hint="nothing here needs that")
    if isinstance(value, dict):
        for key, item in value.items():
            _check_key(key)
            check_value(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            check_value(item, depth + 1)
    elif isinstance(value, str):
        if _NOT_TEXT.search(value):
            raise UsageError("a character that is not text", hint="names that are not UTF-8 cannot be written here")
    elif isinstance(value, int | float) and not isinstance(value, bool) and not _NUMBER.fullmatch(repr(value)):
        raise UsageError(f"the number {value!r} cannot be written here", hint="write it as a text")


def _check_key(key: object) -> None:
    if not isinstance(key, str) or not 0 < len(key) <= MAX_KEY_LENGTH or _NOT_TEXT.search(key):
        raise UsageError(f"{str(key)[:80]!r} cannot be a key", hint=f"a key is a text of at most {MAX_KEY_LENGTH} characters")


def _nothing_there(edit: Edit, depth: int, why: str) -> UsageError:
    place = ".".join(str(step) for step in edit.path[:depth]) or "the document"
    return UsageError(f"{edit.op} {'.'.join(map(str, edit.path))}: at {place} {why}", hint="look at the newest document", place=place)
