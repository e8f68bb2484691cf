"""Large files are not read again and again while somebody writes to them: a look costs the time to read all of the file. A database is
copied before it is read, which costs about as much again and is not counted here."""

from __future__ import annotations

from holdfast.host.database_files import main_of
from holdfast.operations.following.backlog import OPEN_S, Work
from holdfast.operations.following.course import size_bytes_of

LARGE_BYTES = 64 * 1024 * 1024
# What reading, cutting and hashing take together on one core.
_READ_BYTES_S = 400_000_000
_OPEN_FACTOR, _CLOSED_FACTOR = 20.0, 4.0
_MOST_KNOWN = 10_000


class LargeFiles:
    """When each was looked at last. One that is still written is looked at every max(5 s, 20 x the time to read it); one that was closed
    sooner, since it may be its last state. Whatever was put off is looked at when its time has come."""

    def __init__(self) -> None:
        self._looked: dict[bytes, float] = {}

    def put_off(self, work: Work, now_s: float, *, databases: bool = False) -> dict[bytes, float]:
        """Names of the work that are too early, and when they may be looked at; the others are taken as looked at now. `databases`: a
        change in the log of one means to read all of the database."""
        found = {}
        read: set[bytes] = set()
        for place in work.places:
            path = (main_of(place.path) if databases else None) or place.path
            size_bytes = 0 if place.below else size_bytes_of(path)
            if size_bytes < LARGE_BYTES:
                continue
            read_s = size_bytes / _READ_BYTES_S
            wait_s = _CLOSED_FACTOR * read_s if path in work.closed else max(OPEN_S, _OPEN_FACTOR * read_s)
            last_s = self._looked.get(path)
            if last_s is not None and now_s < last_s + wait_s and path not in read:
                found[place.path] = last_s + wait_s
            else:
                read.add(path)
                self._note(path, now_s)
        return found

    def _note(self, path: bytes, now_s: float) -> None:
        if len(self._looked) >= _MOST_KNOWN:
            for old in sorted(self._looked, key=self._looked.__getitem__)[: _MOST_KNOWN // 2]:
                del self._looked[old]
        self._looked[path] = now_s
