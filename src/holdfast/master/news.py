"""The bulletin: whoever changes a record says so here, and whoever waits for a change learns of it.

A change is named, not described: readers look the record up, so that a late word can never overwrite a newer one, and a hundred changes
of one thing are one.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Literal

import msgspec

MOST_SUBJECTS = 20_000

SubjectKind = Literal["node", "job", "progress", "log", "flows", "environment", "trigger"]


class Subject(msgspec.Struct, frozen=True):
    """What changed. `id` is the node's, job's (also of progress) or trigger's; empty where there is only one of the kind. `node`, of
    progress: who told it."""

    kind: SubjectKind
    id: str = ""
    node: str = ""


class News:
    """Tells waiting tasks of one event loop that something changed; what, they look up themselves.

    Note `count` before looking, then wait for more than that: what happened between the look and the wait is not slept over.
    Subjects are kept for one reader until it takes them, at most `MOST_SUBJECTS`; with more than that, `is_overfull` and none are kept.
    """

    def __init__(self) -> None:
        self.count = 0
        self._next = asyncio.Event()
        self._subjects: dict[Subject, None] = {}
        self._overfull = False

    def tell(self, *subjects: Subject) -> None:
        """Without a subject: something that only waiting tasks need to know."""
        self.count += 1
        self._subjects.update(dict.fromkeys(subjects))
        if len(self._subjects) > MOST_SUBJECTS:
            self._subjects.clear()
            self._overfull = True
        passed, self._next = self._next, asyncio.Event()
        passed.set()

    def take(self) -> tuple[Subject, ...] | None:
        """Every subject since the last call, each once, in the order first told; None when there were too many to keep."""
        taken, overfull = tuple(self._subjects), self._overfull
        self._subjects.clear()
        self._overfull = False
        return None if overfull else taken

    async def wait(self, seen: int, timeout_s: float | None = None) -> None:
        """Until more than `seen` news have been told, at most `timeout_s`."""
        if self.count > seen:
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(self._next.wait(), timeout_s)
