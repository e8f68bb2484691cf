"""The note in the bucket that says which node owns a repository. It lies beside the repository, never in it.

Where a store honours `If-None-Match: *` (most do, in buckets without versions), of two nodes that come at the same moment exactly one wins.
Elsewhere the note is read back after it was written: two that come within one request's time of each other may both believe they won, until
each looks again before its next session lock and its next snapshot.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass

from holdfast.backend.owner import Owner
from holdfast.backend.s3_client import ObjectSpace
from holdfast.core.clock import now
from holdfast.core.errors import RepositoryLocked, RepositoryMissing
from holdfast.core.units import format_utc

_MOST_BYTES = 4096


@dataclass(frozen=True)
class Holder:
    """As written in the note. `node` empty = the note is not one of ours."""

    node: str
    hostname: str = ""
    since: str = ""


class Lease:
    """One note, at `key`. Thread-safe, because it keeps nothing but whether it was taken."""

    def __init__(self, space: ObjectSpace, key: str, owner: Owner, place: str) -> None:
        self._space = space
        self._key = key
        self._owner = owner
        self._place = place
        self._is_taken = False

    def take(self) -> None:
        """Raises `RepositoryLocked` when another node has it."""
        # Looked at before and after the write: a store that ignores the condition would let us write over another's note.
        holder = self._holder()
        if holder is None:
            self._space.put_new(self._key, self._content())
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

    def give_up(self) -> None:
        holder = self._holder()
        if holder is not None and holder.node == self._owner.node:
            self._space.delete(self._key)
        self._is_taken = False

    def _content(self) -> bytes:
        note = {"node": self._owner.node, "hostname": self._owner.hostname, "since": format_utc(now(self._owner.clock))}
        return json.dumps(note).encode()

    def _holder(self) -> Holder | None:
        try:
            content = self._space.get(self._key)
        except RepositoryMissing:
            return None
        with suppress(ValueError, RecursionError):
            note = json.loads(content[:_MOST_BYTES])
            if isinstance(note, dict) and isinstance(note.get("node"), str):
                return Holder(note["node"], str(note.get("hostname", "")), str(note.get("since", "")))
        return Holder("")

    def _refusal(self, holder: Holder) -> RepositoryLocked:
        who = f"node {holder.node[:64]} on {holder.hostname[:64]}, since {holder.since[:40]}" if holder.node else "a note we do not know"
        return RepositoryLocked(
            f"{self._place} belongs to another machine: {who}",
            hint=f"two owners would harm each other. If that machine is gone for good, delete the object {self._key} in the bucket",
            location=self._place,
        )
