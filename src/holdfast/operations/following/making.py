"""What a small run is made of: the work that was taken, without what goes ahead or is too early; and more of it while the run is under way.

In a burst more is due by the time all that was taken is on its way. A run that ended first would wait for its receivers while nobody looks
at what has come; so it goes on, each time with a commit of its own, and both sides work at the same time.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from threading import Condition

from holdfast.core.clock import utc
from holdfast.core.ids import DatasetId
from holdfast.operations.following.backlog import BURST_NAMES, Work
from holdfast.operations.following.course import Course, size_bytes_of
from holdfast.operations.following.follow_tools import FollowTools, LargeFile
from holdfast.operations.following.large_files import LargeFiles
from holdfast.operations.following.plan import gaps_by_dataset, joined, small_of, without_large
from holdfast.operations.following.stages import may_be_parted
from holdfast.operations.run_order import More, SmallRun
from holdfast.operations.running import Cancellation

# What a run has delivered is told when it ends.
GO_ON_S = 10.0

Works = dict[DatasetId, Work]


class Making:
    """Of a follower, under whose lock the courses are used."""

    def __init__(self, tools: FollowTools, lock: Condition) -> None:
        self._tools, self._lock = tools, lock
        self._large = LargeFiles()
        # Files whose content has gone ahead: the next run takes them.
        self._laid: set[bytes] = set()

    def set_aside(self, due: Sequence[Course], works: Works) -> list[LargeFile]:
        """Large files go ahead before they are part of a run; `works` is what is left."""
        aside = []
        with self._lock:
            for course in due:
                followed = course.followed
                work, large = course.set_aside(
                    works[followed.rule.id], lambda path, most: path not in self._laid and size_bytes_of(path) > most
                )
                closed = works[followed.rule.id].closed
                aside += [LargeFile(followed, path, path in closed, course.openings.closed) for path in large]
                self._laid.difference_update(place.path for place in work.places)
                works[followed.rule.id] = work
        return aside

    def lay_ahead(self, file: LargeFile, cancellation: Cancellation) -> None:
        """For a second."""
        if self._tools.source.lay_ahead(file, cancellation):
            self._laid.add(file.path)

    def small_run(self, due: Sequence[Course], works: Works, now_s: float) -> SmallRun:
        """Of all that was taken."""
        work = joined(list(works.values()))
        databases = any(course.followed.rule.classification.application for course in due)
        put_off = self._large.put_off(work, now_s, databases=databases)
        with self._lock:
            for path, at_s in put_off.items():
                for course in due:
                    course.look_later(path, at_s)
        links = self._tools.source.paths_of(work.inodes)
        closed = frozenset().union(*(course.openings.left_out for course in due))
        small = small_of([course.followed for course in due], without_large(work, put_off), links, closed)
        # Each has its own: what is one for a dataset need be none for another that shares its paths.
        gaps = [gaps_by_dataset((course.followed,), works[course.followed.rule.id].gaps) for course in due]
        due_ns = {course.followed.rule.id: works[course.followed.rule.id].due_ns for course in due}
        return replace(
            small,
            gaps={dataset: found for each in gaps for dataset, found in each.items()},
            due={dataset: utc(at_ns) for dataset, at_ns in due_ns.items() if at_ns is not None},
        )

    def more(self, taken: Sequence[Course], works: Works, is_alone: Callable[[], bool]) -> More:
        """For a run of these. `is_alone` brings the courses up to now, and says whether no other dataset has anything to do; what is given
        is noted in `works`. Nothing is given that may be one of destruction, as what was captured before it would wait for somebody to
        accept it; nor while another run waits for the datasets, or another dataset for the follower."""
        until_s = self._tools.clock.monotonic_s() + GO_ON_S

        def more(is_early: Callable[[], bool]) -> SmallRun | None:
            while (now_s := self._tools.clock.monotonic_s()) < until_s:
                if any(self._tools.claims.is_waited_for(course.followed.rule) for course in taken):
                    return None
                with self._lock:
                    if not is_alone():
                        return None
                    due = [course for course in taken if course.is_due(now_s) and len(course.backlog) >= BURST_NAMES]
                if due:
                    return self._part(due, works, now_s) if all(course.may_go_on for course in due) else None
                if not is_early():
                    return None
            return None

        return more

    def _part(self, due: Sequence[Course], works: Works, now_s: float) -> SmallRun | None:
        """What is due now, if it may follow what was captured."""
        roots = [root for course in due for root in course.followed.roots]
        with self._lock:
            found = {course.followed.rule.id: course.take_more(now_s) for course in due}
        self.set_aside(due, found)
        small = self.small_run(due, found, now_s)
        is_fit = bool(small.places) and may_be_parted(small, roots, os.path.lexists)
        with self._lock:
            for course in due:
                id_ = course.followed.rule.id
                if is_fit:
                    works[id_] = joined([works[id_], found[id_]])
                else:
                    course.backlog.put_back(found[id_])
        return small if is_fit else None
