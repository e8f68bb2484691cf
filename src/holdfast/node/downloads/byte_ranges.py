"""Which part of a file is asked for (RFC 9110, section 14). Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from holdfast.core.errors import UsageError

_ONE = re.compile(r"\s*bytes\s*=\s*(\d{0,18})\s*-\s*(\d{0,18})\s*")


class OutOfRange(UsageError):
    """The file has no such part."""


@dataclass(frozen=True)
class Span:
    """From `start` to before `end`. `partial`: somebody asked for a part."""

    start: int
    end: int
    partial: bool


def span_of(asked: str, if_range: str, tag: str, size: int) -> Span:
    """What to send for a `Range` header (empty = none). Several parts, other units, nonsense, and a part of what has changed (`If-Range`):
    all of it, as the standard says. Raises `OutOfRange`."""
    match = _ONE.fullmatch(asked)
    if match is None or (if_range and if_range.strip() != tag) or match[1] == match[2] == "":
        return Span(0, size, partial=False)
    if not match[1]:
        length = min(int(match[2]), size)
        if length == 0:
            raise OutOfRange(f"there are no last {match[2]} bytes", hint=f"the file has {size} bytes")
        return Span(size - length, size, partial=True)
    start = int(match[1])
    end = min(int(match[2]) + 1, size) if match[2] else size
    if match[2] and int(match[2]) < start:
        return Span(0, size, partial=False)
    if start >= size:
        raise OutOfRange(f"nothing is at byte {start}", hint=f"the file has {size} bytes")
    return Span(start, end, partial=True)
