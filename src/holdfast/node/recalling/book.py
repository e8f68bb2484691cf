"""Who reads archived files: told once a minute for each user and program, and at once when it is so much that it may be an accident."""

from __future__ import annotations

import errno
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from holdfast.core.clock import Clock, now
from holdfast.core.ids import NodeId
from holdfast.core.units import format_size
from holdfast.model.entry import Entry, display_path
from holdfast.model.jobs import Event, Severity
from holdfast.node.workers.messages import RecallNews

MANY_FILES = 1_000
"""Opened by one program of one user within a minute, so many look like an accident: `rsync -L`, another backup."""
_MINUTE_S = 60.0
_MOST_READERS = 10_000
Reader = tuple[int, str]


@dataclass
class _Count:
    began_s: float
    first: str
    files: int = 0
    size_bytes: int = 0
    is_many: bool = False


class RecallBook:
    """`tell` records an event, `count` says how much was read since this process started. `most`: more files than this one program of a
    user may not open in a minute; 0 = no limit. Any thread."""

    def __init__(
        self, node: NodeId, tell: Callable[[Event], None], count: Callable[[RecallNews], None], *, clock: Clock, most: int = 0
    ) -> None:
        self._node = node
        self._tell = tell
        self._count = count
        self._clock = clock
        self._most = most
        self._guard = threading.Lock()
        self._counts: OrderedDict[Reader, _Count] = OrderedDict()
        self._files = self._size_bytes = self._refused = 0

    def opened(self, entry: Entry, uid: int, pid: int) -> None:
        """Raises `OSError` (EDQUOT) over the limit."""
        reader, is_storm = (uid, _program(pid)), False
        with self._guard:
            found = self._counts.get(reader)
            if found is None or self._clock.monotonic_s() - found.began_s >= _MINUTE_S:
                if found is not None:
                    self._report(reader, found)
                found = self._counts[reader] = _Count(self._clock.monotonic_s(), display_path(entry.path))
                while len(self._counts) > _MOST_READERS:
                    self._report(*self._counts.popitem(last=False))
            is_refused = bool(self._most) and found.files >= self._most
            if is_refused:
                self._refused += 1
            else:
                found.files += 1
                found.size_bytes += entry.size_bytes
                self._files += 1
                self._size_bytes += entry.size_bytes
            if found.files >= min(MANY_FILES, self._most or MANY_FILES) and not found.is_many:
                found.is_many = is_storm = True
        if is_storm:
            self._event(
                "recall-many",
                Severity.WARNING,
                f"{_who(reader)} has opened {found.files:,} archived files within a minute: it follows links, and each is fetched",
                reader,
            )
        if is_refused:
            raise OSError(errno.EDQUOT, "more archived files a minute than this machine's limits allow")

    def report(self) -> None:
        """Tell what is over; once a minute or so."""
        with self._guard:
            moment_s = self._clock.monotonic_s()
            over = [reader for reader, count in self._counts.items() if moment_s - count.began_s >= _MINUTE_S]
            for reader in over:
                self._report(reader, self._counts.pop(reader))
            news = RecallNews(files=self._files, size_bytes=self._size_bytes, refused=self._refused)
        self._count(news)

    def _report(self, reader: Reader, count: _Count) -> None:
        files = f"{count.files:,} archived files ({format_size(count.size_bytes)}), the first" if count.files > 1 else "the archived file"
        self._event("archive-read", Severity.INFO, f"{_who(reader)} opened {files} {count.first}", reader)

    def _event(self, code: str, severity: Severity, message: str, reader: Reader) -> None:
        facts = {"uid": str(reader[0]), "program": reader[1]}
        self._tell(Event(code=code, severity=severity, message=message, node=self._node, time=now(self._clock), facts=facts))


def _program(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_bytes().rstrip(b"\n").decode(errors="replace")
    except OSError:
        return "a program that has ended"


def _who(reader: Reader) -> str:
    import pwd

    try:
        name = pwd.getpwuid(reader[0]).pw_name
    except (KeyError, OverflowError):
        name = f"user {reader[0]}"
    return f"{name} ({reader[1]})"
