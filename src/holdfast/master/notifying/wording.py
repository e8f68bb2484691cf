"""How notices read: one message, a title and plain text. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from holdfast.core.units import format_utc
from holdfast.model.jobs import Severity
from holdfast.model.notifications import Notice, NoticeChange

MOST_LINES = 50
_ORDER = (Severity.INFO, Severity.WARNING, Severity.ERROR)
_ENDS = {
    "dataset-failed": "works again",
    "dataset-overdue": "is up to date again",
    "node-away": "is connected again",
    "gap": "is followed again",
}


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """`severity` is the worst of what still stands; None = everything in it is over."""

    title: str
    body: str
    severity: Severity | None


class Attachment(msgspec.Struct, frozen=True, kw_only=True):
    """A file that goes with a message."""

    name: str
    mime: str
    content: str


def message_of(notices: Sequence[Notice], environment: str) -> Message:
    """Raises `ValueError` for no notice at all."""
    open_ones = [notice for notice in notices if notice.change is not NoticeChange.OVER]
    severity = max((notice.severity for notice in open_ones), key=_ORDER.index, default=None)
    title = _title(notices[0]) if len(notices) == 1 else f"{len(notices)} notices, {_counted(notices)}"
    lines = [_line(notice) for notice in notices[:MOST_LINES]]
    if len(notices) > MOST_LINES:
        lines.append(f"and {len(notices) - MOST_LINES} more: `holdfast logs` and `holdfast status` have all of them")
    return Message(title=_one_line(f"Holdfast {environment}: {title}"), body="\n".join(lines), severity=severity)


def _title(notice: Notice) -> str:
    if notice.change is NoticeChange.OVER:
        return f"{notice.subject} {_ENDS.get(notice.code, f'{notice.code} is over')}"
    return f"{notice.subject}: {notice.message}"


def _line(notice: Notice) -> str:
    mark = "over" if notice.change is NoticeChange.OVER else notice.severity.value
    place = f" on {notice.node}" if notice.node and notice.node != notice.subject else ""
    hint = f" ({notice.hint})" if notice.hint and notice.change is not NoticeChange.OVER else ""
    said = _ENDS.get(notice.code, "is over") if notice.change is NoticeChange.OVER else notice.message
    return _one_line(f"[{mark}] {notice.code}: {notice.subject}{place}: {said}{hint}, since {format_utc(notice.since)}", 600)


def _counted(notices: Sequence[Notice]) -> str:
    over = sum(notice.change is NoticeChange.OVER for notice in notices)
    counts = [(sum(n.severity is s and n.change is not NoticeChange.OVER for n in notices), s.value) for s in reversed(_ORDER)]
    return ", ".join(f"{count} {word}" for count, word in (*counts, (over, "over")) if count)


def _one_line(text: str, most: int = 200) -> str:
    """What stands in names and messages is somebody else's: no line breaks, no control characters."""
    clean = "".join(character if character.isprintable() else " " for character in text)
    return clean if len(clean) <= most else clean[: most - 3] + "..."
