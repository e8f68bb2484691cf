"""What this node keeps of the Master's audit log: digests of newest records, as it was told them (`HOME/audit-anchors`, a JSON line each).

Who rewrites the Master's records, or cuts off their end, cannot make this file agree. It is bounded: the newest anchor, and of earlier ones
the last of each hour of the last day and of each day before that, `MOST_ANCHORS` in all. A file that is damaged or cannot be read is told,
and set aside as `audit-anchors.damaged` when a new one is written, for whoever wants to look.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import msgspec

from holdfast.core.private_files import write_private
from holdfast.model.audit import MOST_ANCHORS, Anchor
from holdfast.model.decoding import UNREADABLE
from holdfast.model.jobs import Severity

_log = logging.getLogger(__name__)
NAME = "audit-anchors"
SAVED_EVERY = timedelta(minutes=10)
_HOURLY_FOR = timedelta(days=1)


class Kept(NamedTuple):
    """Oldest first. `problem`: what of the file is no anchor, or why it cannot be read; "" = all is well."""

    anchors: tuple[Anchor, ...]
    problem: str = ""


class AuditAnchors:
    """Of one node, in its home. Read when it is made; what cannot be read is told with the next that the Master tells."""

    def __init__(self, home: Path, event: Callable[..., None]) -> None:
        """`event` as `Scheduler.record_event`."""
        self._event = event
        self._missed: Anchor | None = None
        self._path = home / NAME
        self._home = home
        self._anchors, self._problem = read_anchors(home)
        self._saved_at: datetime | None = None

    @property
    def all(self) -> tuple[Anchor, ...]:
        """Oldest first."""
        return self._anchors

    def told(self, newest: Anchor | None, *, at_hello: bool) -> None:
        """Keep it, and say so when the Master's log has become shorter. Never raises: the next one is kept then."""
        try:
            self._set_aside()
            before = self.keep(newest, at_hello=at_hello)
        except OSError as error:
            _log.warning("what the Master told of its audit log is not on disk", extra={"facts": {"reason": str(error)}})
            return
        if before is not None and before != self._missed:
            self._missed = before
            message = f"the Master's audit log ends before record {before.number} now: its end was cut off, or an old copy brought back"
            self._event("audit-went-back", Severity.ERROR, message, record=str(before.number))

    def _set_aside(self) -> None:
        """What could not be read is looked at once more: it may have been the disk's bad moment. Raises `OSError`."""
        if not self._problem:
            return
        found, problem = read_anchors(self._home)
        self._anchors, self._problem = thinned((*self._anchors, *found)), ""
        if problem:
            aside = self._path.with_name(f"{NAME}.damaged")
            message = f"what this node keeps of the Master's audit log cannot be read whole: {problem}"
            self._event("audit-anchors-damaged", Severity.WARNING, message, aside=str(aside), left=str(len(self._anchors)))
            self._path.replace(aside)
            if self._anchors:
                self._save(self._anchors[-1].at)

    def keep(self, told: Anchor | None, *, at_hello: bool) -> Anchor | None:
        """Keep what the Master told; None = its log is empty. On disk at once at a hello, else every ten minutes.

        Returns the newest anchor there was when the log is shorter than that now: its end was cut off, or an old copy was brought back.
        """
        newest = self._anchors[-1] if self._anchors else None
        if newest is not None and (told is None or told.number < newest.number):
            return newest
        if told is None or (newest is not None and told.number == newest.number):
            return None
        self._anchors = thinned((*self._anchors, told))
        if at_hello or self._saved_at is None or told.at - self._saved_at >= SAVED_EVERY:
            self._save(told.at)
        return None

    def _save(self, at: datetime) -> None:
        """Raises `OSError`."""
        write_private(self._path, b"".join(msgspec.json.encode(anchor) + b"\n" for anchor in self._anchors))
        self._saved_at = at


def read_anchors(home: Path) -> Kept:
    """What the node of this home keeps; lines that are none are left out."""
    try:
        lines = (home / NAME).read_bytes().splitlines()
    except FileNotFoundError:
        return Kept(())
    except OSError as error:
        return Kept((), str(error))
    found = [_anchor(line) for line in lines]
    anchors = sorted((anchor for anchor in found if anchor is not None), key=lambda anchor: anchor.number)
    damaged = found.count(None)
    return Kept(tuple(anchors)[-MOST_ANCHORS:], f"{damaged} of its {len(found)} lines are damaged" if damaged else "")


def thinned(anchors: Iterable[Anchor]) -> tuple[Anchor, ...]:
    """The last of each hour of the newest one's last day, the last of each day before; at most `MOST_ANCHORS`, the newest always."""
    ordered = sorted(anchors, key=lambda anchor: anchor.number)
    if not ordered:
        return ()
    recent = ordered[-1].at - _HOURLY_FOR
    last = {_slot(anchor.at, recent): anchor for anchor in ordered}
    return tuple(sorted(last.values(), key=lambda anchor: anchor.number))[-MOST_ANCHORS:]


def _slot(at: datetime, recent: datetime) -> tuple[int, ...]:
    day = (at.year, at.month, at.day)
    return (*day, at.hour) if at >= recent else day


def _anchor(line: bytes) -> Anchor | None:
    try:
        return msgspec.json.decode(line, type=Anchor)
    except UNREADABLE:
        return None
