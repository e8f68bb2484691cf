"""Listing a point and deciding on its entries, some at a time: of a large restore the first files are written while the rest is listed.

That needs to be known beforehand what is else known only from the whole plan, that there is room for all of it. So it is done where the
reader tells how much the whole point holds, the target is one file system, and that much is free on it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

from holdfast.core.errors import RepositoryDamaged
from holdfast.host.disk import free_bytes
from holdfast.host.watch.mounts import mounts_now
from holdfast.model.entry import Entry, display_path, is_below
from holdfast.model.jobs import Finding, Severity
from holdfast.model.reading import Listed, LostFolder
from holdfast.operations.restore_plan import Planner
from holdfast.operations.restore_steps import Step, StepBook
from holdfast.operations.restore_surplus import Surplus

# Below, all is decided before the writers have come up.
_FIRST_FILES = 5_000
_OTHER_COPY = "check the repository; another copy of this point may be whole"


class Planning:
    """What `listing` gives, decided by the planner and written into the book. For one thread."""

    def __init__(
        self,
        listing: Iterator[Listed],
        planner: Planner,
        book: StepBook,
        *,
        check: Callable[[], None],
        report: Callable[[Finding], None],
        surplus: Surplus | None = None,
    ) -> None:
        self._listing = listing
        self._planner = planner
        self._book = book
        self._check = check
        self._report = report
        self._surplus = surplus
        self._any_listed = False
        self._point_bytes = 0
        self.lost: list[LostFolder] = []
        self.is_over = False

    @property
    def total_bytes(self) -> int:
        """What the files to be written hold, as far as it is known."""
        return self._book.bytes if self.is_over else max(self._book.bytes, self._point_bytes)

    def finish(self) -> None:
        """Decide on all there is. Raises as `more`."""
        while not self.is_over:
            self.more()

    def begin(self, target: bytes) -> None:
        """Decide on all there is, or on so much that it may be written meanwhile. Raises as `more`."""
        while not self.is_over and self._book.waiting < _FIRST_FILES:
            self.more()
        if not self.is_over and not (self._point_bytes and _has_room(target, self._point_bytes)):
            self.finish()

    def more(self) -> None:
        """Decide on the next entries. Raises `Cancelled`, `UnknownName`, `RepositoryDamaged` when nothing at all can be listed, and what
        the reader, the planner and the book raise."""
        listed = next(self._listing, None)
        if listed is None:
            self.is_over = True
            self._refuse_or_tell()
            for surplus in self._surplus.passed(None) if self._surplus is not None else ():
                self._book.add(surplus)
            return
        self._check()
        self._decide(listed)
        self._any_listed = self._any_listed or bool(listed.entries)
        self._point_bytes = max(self._point_bytes, listed.total_bytes)
        self.lost += listed.lost

    def _decide(self, listed: Listed) -> None:
        planner, book, places = self._planner, self._book, listed.places
        chunk = place = 0
        for entry in listed.entries:
            if places and entry.chunks:
                place = places[chunk]
                chunk += len(entry.chunks)
            step = planner.decide_next(entry)
            if step is None:
                step = planner.decide(entry) if self._surplus is None else self._decide_exactly(self._surplus, entry)
                if step is None:
                    continue
                for way in planner.ways(step.at):
                    book.add(way)
            book.add(step, place)

    def _decide_exactly(self, surplus: Surplus, entry: Entry) -> Step | None:
        for gone in surplus.passed(entry.path):
            self._book.add(gone)
        step = self._planner.decide(entry)
        surplus.met(entry, step)
        return step

    def _refuse_or_tell(self) -> None:
        """Raises `RepositoryDamaged` when nothing at all could be listed; else each lost folder is a finding."""
        if self.lost and not self._any_listed:
            first = self.lost[0]
            raise RepositoryDamaged(f"nothing of it can be listed: {first.reason}", hint=_OTHER_COPY, path=display_path(first.path))
        for folder in self.lost:
            self._report(
                Finding(
                    code="folder-lost",
                    severity=Severity.ERROR,
                    message=f"what is in this folder cannot be listed: {folder.reason}",
                    path=display_path(folder.path),
                    hint=_OTHER_COPY,
                )
            )


def _has_room(target: bytes, needed_bytes: int) -> bool:
    """Whether so much is free there, and nothing else is mounted below, where that would say nothing."""
    existing = target
    while not os.path.isdir(existing):
        existing = os.path.dirname(existing)
    try:
        is_one = not any(is_below(mount.point, target) and mount.point != target for mount in mounts_now())
        return is_one and free_bytes(existing) >= needed_bytes
    except OSError:
        return False
