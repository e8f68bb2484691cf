"""Which links were used, durably until they end, so that a restart does not make one good again.

A link is good once. A file that broke off goes on where it broke off, by the same link: each byte is given about once.
"""

from __future__ import annotations

import logging
import threading
from datetime import timedelta
from pathlib import Path

from holdfast.core.clock import Clock, now
from holdfast.core.errors import NotGranted
from holdfast.core.local_database import open_or_replace
from holdfast.model.downloads import LINK_LIFETIME, DownloadOrder

CONTINUED_FOR = timedelta(hours=12)
"""So long after a link has ended a file that was begun by it may go on."""
SKEW = timedelta(minutes=5)
# What was sent and not yet received, in buffers of both machines and on the line.
OVERLAP_BYTES = 16 << 20
_MOST_ANSWERS = 100
_AGAIN = "take a new link; each is good once"
_SCHEMA = """\
CREATE TABLE IF NOT EXISTS used (
  id TEXT PRIMARY KEY, expires_ns INTEGER NOT NULL, reached INTEGER NOT NULL, answers INTEGER NOT NULL, is_done INTEGER NOT NULL
) WITHOUT ROWID
"""
_logger = logging.getLogger(__name__)


class DownloadBook:
    """Any thread."""

    def __init__(self, path: Path, *, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        # Where it is damaged, which links were used is not known any more: none that was signed before now is honoured.
        horizon = f";INSERT INTO used VALUES ('', {clock.now_ns() + _ns(LINK_LIFETIME + SKEW)}, 0, 0, 1)"
        self._db, replaced = open_or_replace(path, synchronous="FULL", schema=_SCHEMA, afresh=horizon)
        if replaced is not None:
            facts = {"facts": {"path": str(path), "aside": replaced.aside.name, "error": replaced.error}}
            _logger.error("the record of used download links was damaged: those signed before now are refused", extra=facts)

    def check_time(self, order: DownloadOrder) -> None:
        """Raises `NotGranted` for a link that has ended, and for one that claims to last longer than any does."""
        moment = now(self._clock)
        if order.expires_at > moment + LINK_LIFETIME + SKEW:
            raise NotGranted("the link lasts longer than any may", hint="compare the clocks of this machine and the Master")
        if order.expires_at + (CONTINUED_FOR if self._is_begun(order) else timedelta()) <= moment:
            raise NotGranted(f"the link ended at {order.expires_at.isoformat()}", hint=_AGAIN)

    def begin(self, order: DownloadOrder, start: int, *, is_file: bool) -> None:
        """An answer that begins at this byte: the link is used from now on. Raises `NotGranted` when it was before."""
        self.check_time(order)
        with self._lock:
            self._forget()
            row = self._db.execute("SELECT reached, answers, is_done FROM used WHERE id = ?", (order.id,)).fetchone()
            if row is None:
                self._first(order, start)
                return
            reached, answers, is_done = row
            if is_done or not is_file or answers >= _MOST_ANSWERS:
                raise NotGranted("the link was used before", hint=_AGAIN)
            if start < reached - OVERLAP_BYTES or start == 0:
                raise NotGranted("this part was given before", hint=_AGAIN)
            self._db.execute("UPDATE used SET answers = answers + 1 WHERE id = ?", (order.id,))

    def reached(self, order: DownloadOrder, offset: int, *, is_done: bool = False) -> None:
        """So far it was given; `is_done`: to its end."""
        with self._lock:
            self._db.execute(
                "UPDATE used SET reached = max(reached, ?), is_done = max(is_done, ?) WHERE id = ?", (offset, int(is_done), order.id)
            )

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def _is_begun(self, order: DownloadOrder) -> bool:
        with self._lock:
            return self._db.execute("SELECT 1 FROM used WHERE id = ? AND NOT is_done", (order.id,)).fetchone() is not None

    def _first(self, order: DownloadOrder, start: int) -> None:
        """It ends no later than one that is forgotten, where only the clock went back: then it may have been used."""
        expires_ns = int(order.expires_at.timestamp() * 1_000_000_000)
        (horizon_ns,) = self._db.execute("SELECT coalesce(max(expires_ns), 0) FROM used WHERE id = ''").fetchone()
        if expires_ns <= horizon_ns:
            raise NotGranted("whether the link was used before is not known any more", hint=_AGAIN)
        self._db.execute("INSERT INTO used VALUES (?, ?, ?, 1, 0)", (order.id, expires_ns, start))

    def _forget(self) -> None:
        """Drops what nothing can go on by any more, and keeps under the id '' when the last of it ended."""
        until = (self._clock.now_ns() - _ns(CONTINUED_FOR),)
        self._db.execute(
            "INSERT OR REPLACE INTO used SELECT '', max(expires_ns), 0, 0, 1 FROM used WHERE id = '' OR expires_ns < ?1"
            " HAVING max(expires_ns) NOT NULL",
            until,
        )
        self._db.execute("DELETE FROM used WHERE id <> '' AND expires_ns < ?", until)


def _ns(span: timedelta) -> int:
    return int(span.total_seconds() * 1_000_000_000)
