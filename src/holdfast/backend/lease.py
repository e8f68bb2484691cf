"""The note that says which node owns a repository: in a bucket beside it, in a folder at its top (`folder_note`).

Where a store honours `If-None-Match: *` (most do, in buckets without versions), of two nodes that come at the same moment exactly one wins.
Elsewhere the note is read back after it was written: two that come within one request's time of each other may both believe they won, until
each looks again before its next session lock and its next snapshot.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from holdfast.backend.owner import Owner
from holdfast.core.clock import now
from holdfast.core.errors import RepositoryLocked, RepositoryMissing, RepositoryMoved
from holdfast.core.units import format_utc

_MOST_BYTES = 4096


@dataclass(frozen=True)
class Holder:
    """As written in the note. `node` empty = the note is not one of ours."""

    node: str
    hostname: str = ""
    since: str = ""

    @property
    def who(self) -> str:
        return f"node {self.node[:64]} on {self.hostname[:64]}, since {self.since[:40]}" if self.node else "a note we do not know"


class Notes(Protocol):
    """Where the note is kept. `get` raises `RepositoryMissing`; `put_new` writes nothing over another's."""

    def get(self, key: str) -> bytes: ...

    def put_new(self, key: str, data: bytes) -> bool: ...

    def delete(self, key: str) -> None: ...


class Lease:
    """One note, at `key`. Thread-safe, because it keeps nothing but whether it was taken. `removal`: how people take it away by hand."""

    def __init__(self, notes: Notes, key: str, owner: Owner, place: str, removal: str) -> None:
        self._notes = notes
        self._removal = removal
        self._key = key
        self._owner = owner
        self._place = place
        self._is_taken = False

    def take(self) -> None:
        """Raises `RepositoryMoved` when another node has it."""
        # Looked at before and after the write: a store that ignores the condition would let us write over another's note.
        holder = self._holder()
        if holder is None:
            self._notes.put_new(self._key, self._content())
            holder = self._holder()
        if holder is None:
            raise RepositoryLocked(f"the owner's note of {self._place} comes and goes", hint="another machine is at it; it is tried again")
        if holder.node != self._owner.node:
            raise self._refusal(holder)
        self._is_taken = True

    def check(self) -> None:
        """What was taken is still ours; one that somebody deleted is taken again. Nothing where it was never taken."""
        if not self._is_taken:
            return
        holder = self._holder()
        if holder is None:
            self.take()
        elif holder.node != self._owner.node:
            raise self._refusal(holder)

    def refuse_others(self) -> None:
        """Raises `RepositoryMoved` when another node has it, taken here or not."""
        holder = self._holder()
        if holder is not None and holder.node != self._owner.node:
            raise self._refusal(holder)

    def take_over(self) -> str:
        """From another node, which then may not write any more. Gives who that was, empty where it was nobody else's."""
        holder = self._holder()
        if holder is None or holder.node == self._owner.node:
            self.take()
            return ""
        self._notes.delete(self._key)
        self.take()
        return holder.who

    def give_up(self) -> None:
        holder = self._holder()
        if holder is not None and holder.node == self._owner.node:
            self._notes.delete(self._key)
        self._is_taken = False

    def _content(self) -> bytes:
        note = {"node": self._owner.node, "hostname": self._owner.hostname, "since": format_utc(now(self._owner.clock))}
        return json.dumps(note).encode()

    def _holder(self) -> Holder | None:
        try:
            content = self._notes.get(self._key)
        except RepositoryMissing:
            return None
        with suppress(ValueError, RecursionError):
            note = json.loads(content[:_MOST_BYTES])
            if isinstance(note, dict) and isinstance(note.get("node"), str):
                return Holder(note["node"], str(note.get("hostname", "")), str(note.get("since", "")))
        return Holder("")

    def _refusal(self, holder: Holder) -> RepositoryMoved:
        return RepositoryMoved(
            f"{self._place} belongs to another machine: {holder.who}",
            hint="two owners would harm each other. If that machine is gone for good, `holdfast repository key restore NAME` takes it over"
            f" here, by its kit or any password; or {self._removal}",
            location=self._place,
        )
