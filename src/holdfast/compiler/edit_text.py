"""Values as YAML text, in the style of our own examples: short things in braces on one line, longer ones and collections as blocks."""

from __future__ import annotations

import re

from holdfast.compiler.edit_values import scalar_value
from holdfast.model.edit import Value

_LONGEST_LINE = 100
_DEEPEST_LINE = 2
_PLAIN = re.compile(r"[A-Za-z0-9/][A-Za-z0-9/._+@-]*")
# Words that other readers of YAML take for booleans.
_TAKEN = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
_SHORT_ESCAPES = {"\n": "\\n", "\t": "\\t", "\r": "\\r", '"': '\\"', "\\": "\\\\"}


def scalar_text(value: Value) -> str:
    """One scalar, readable wherever it stands."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    text = str(value)
    if _PLAIN.fullmatch(text) and text.lower() not in _TAKEN and isinstance(scalar_value(text, True), str):
        return text
    return '"' + "".join(map(_escaped, text)) + '"'


def line_text(value: Value) -> str:
    """The whole value on one line, in flow style."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{scalar_text(key)}: {line_text(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(line_text, value)) + "]"
    return scalar_text(value)


def fits_line(value: Value) -> bool:
    """Whether the value reads well on one line. Vertices, movers and whatever else is a collection of things has a line for each."""
    if not value or not isinstance(value, dict | list):
        return True
    items = value.values() if isinstance(value, dict) else value
    is_collection = all(isinstance(item, dict) and item for item in items)
    return not is_collection and _depth(value) <= _DEEPEST_LINE and len(line_text(value)) <= _LONGEST_LINE


def is_bare(value: Value) -> bool:
    """Whether there is nothing in it but empty mappings and lists, as in a flow that was just begun."""
    if isinstance(value, dict | list):
        return all(map(is_bare, value.values() if isinstance(value, dict) else value))
    return False


def block_lines(value: Value, indent: int) -> list[str]:
    """The lines of a mapping or list that is not empty, as a block at `indent` columns."""
    margin = " " * indent
    lines: list[str] = []
    if isinstance(value, dict):
        for key, item in value.items():
            if fits_line(item):
                lines.append(f"{margin}{scalar_text(key)}: {line_text(item)}")
            else:
                lines.append(f"{margin}{scalar_text(key)}:")
                lines.extend(block_lines(item, indent + 2))
        return lines
    for item in value:
        if fits_line(item) or isinstance(item, list):
            lines.append(f"{margin}- {line_text(item)}")
        else:
            first, *rest = block_lines(item, indent + 2)
            lines.append(f"{margin}- {first.lstrip(' ')}")
            lines.extend(rest)
    return lines


def _depth(value: Value) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(_depth, value), default=0)
    return 0


def _escaped(character: str) -> str:
    if character in _SHORT_ESCAPES:
        return _SHORT_ESCAPES[character]
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
