"""The follower: takes what the watch tells, lets it settle, and makes small runs of it.

A dataset is *ready* once it has been scanned whole after its watch began; until then what happens is only gathered. Work that could not be
done is due again, later each time; nothing that was told is dropped. Whoever makes a run of a dataset has claimed it (`FollowTools.claims`)
before work is taken out of its backlog, so that work is never in nobody's hands. Datasets that somebody else has claimed wait; the others
go on.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Mapping, Sequence

from holdfast.capture.ports import CaptureResult, Place
from holdfast.core.errors import ErrorFacts, HoldfastError, WindowClosed
from holdfast.core.ids import DatasetId
from holdfast.host.watch import Batch, Means, WatchRequest
from holdfast.model.following import Following
from holdfast.operations.following.backlog import Work
from holdfast.operations.following.course import Course
from holdfast.operations.following.follow_tools import FollowTools, LargeFile, SmallResult
from holdfast.operations.following.lookout import Lookout
from holdfast.operations.following.making import Making, Works
from holdfast.operations.following.plan import Followed, common_cuts, concerns, joined, part_for, real_roots
from holdfast.operations.following.reporting import Reporting
from holdfast.operations.following.rest import Rest
from holdfast.operations.run_order import SmallRun
from holdfast.operations.running import Cancellation

logger = logging.getLogger(__name__)

OPEN_FILES_S = 5.0
REOPEN_S = 60.0
_REMEMBER_S = 5.0
_CATCH_UP_S = 5.0
_OPENED_S = 30.0
_LONGEST_NAP_S = 1.0
_BUSY_S = 0.1
_BEHIND_A_LINK = ErrorFacts("watch-unavailable", "a path lies behind a symbolic link", "name its real path in the classification")


class Follower:
    """`configure` at any time; `close` ends it. Its own threads do the work."""

    def __init__(self, tools: FollowTools) -> None:
        self._tools = tools
        self._clock = tools.clock
        self._changed = threading.Condition(threading.RLock())
        self._courses: dict[DatasetId, Course] = {}
        self._plan: tuple[Followed, ...] | None = None
        self._lookout: Lookout | None = None
        self._making, self._rest = Making(tools, self._changed), Rest()
        self._cancellation = Cancellation()
        self._closing = False
        self._reopen_at_s = self._remember_at_s = self._suspects_at_s = 0.0
        self._reporting = Reporting(tools, self._following)
        self._thread = threading.Thread(target=self._run, name="follower", daemon=True)
        self._thread.start()

    def configure(self, plan: tuple[Followed, ...]) -> None:
        with self._changed:
            self._plan = plan
            self._changed.notify_all()

    def close(self) -> None:
        with self._changed:
            self._closing = True
            self._cancellation.cancel()
            self._changed.notify_all()
        self._thread.join()
        self._reporting.close()
        self._remember_at_s = 0.0
        self._remember()
        self._tools.record.settle()
        self._end_watch()
        self._tools.pool.close()

    # For runs of the scheduler.

    def scan_begins(self, datasets: Iterable[DatasetId]) -> frozenset[DatasetId]:
        """Those of them that are watched from before the scan on; waits for a watch that is being opened. Not with a claim."""
        wanted = set(datasets)
        with self._changed:
            self._changed.wait_for(lambda: self._plan is None or self._closing, _OPENED_S)
            return frozenset(id_ for id_ in wanted if id_ in self._courses and self._lookout is not None)

    def scan_ended(self, watched: Iterable[DatasetId], scanned: Iterable[DatasetId]) -> None:
        """A whole scan came to its end. One that began before the watch is worth nothing to it."""
        known = set(watched)
        with self._changed:
            for course in [self._courses[id_] for id_ in scanned if id_ in self._courses]:
                if course.followed.rule.id not in known and not course.is_ready:
                    course.look([Place(root, True) for root in course.followed.roots], self._clock.monotonic_s())
                # It is followed from now on, and said to be, also when nothing changes for long.
                self._ready(course)
            self._changed.notify_all()

    def take_for_point(self, datasets: Sequence[DatasetId]) -> Work | None:
        """All that has changed in them until now, to make a point of without a scan. None when that cannot be known: scan. The
        datasets are claimed until the run that takes it has ended."""
        lookout = self._lookout
        if lookout is None or not lookout.catch_up(_CATCH_UP_S):
            return None
        with self._changed:
            courses = [self._courses.get(id_) for id_ in datasets]
            if not all(course is not None and self._ready(course) and course.is_sound for course in courses):
                return None
            now_s = self._clock.monotonic_s()
            return joined([course.take(now_s, everything=True) for course in courses if course is not None])

    def is_idle(self) -> bool:
        """Whether all that changed until now was delivered."""
        lookout = self._lookout
        if lookout is None or not lookout.catch_up(_CATCH_UP_S):
            return False
        with self._changed:
            return all(course.is_done for course in self._courses.values())

    def point_ended(self, datasets: Iterable[DatasetId], work: Work, captured: CaptureResult | None) -> None:
        """What became of the work that `take_for_point` gave; None = nothing was captured. What was not is done again."""
        result = SmallResult(captured, {})
        with self._changed:
            now_s = self._clock.monotonic_s()
            for course in [self._courses[id_] for id_ in datasets if id_ in self._courses]:
                id_ = course.followed.rule.id
                if result.has_captured(id_):
                    course.captured()
                else:
                    course.undone(part_for(course.followed.roots, work), result.why_not(id_), now_s)
            self._changed.notify_all()
        if captured is not None:
            self.captured(captured)

    def left_behind(self, dataset: DatasetId) -> None:
        """A receiver lacks what the state has, and nobody else is going to send it."""
        with self._changed:
            if dataset in self._courses:
                self._courses[dataset].left_behind(self._clock.monotonic_s())
                self._changed.notify_all()

    def captured(self, result: CaptureResult) -> None:
        """Of any small run: files whose time stamps do not yet prove that they were read whole are looked at again, and
        other names of files that got or lost one."""
        names = [Place(path) for path in self._tools.source.paths_of(result.linked)]
        with self._changed:
            now_s = self._clock.monotonic_s()
            for course in self._courses.values():
                course.look_again(result.suspects, now_s)
                course.look([place for place in names if concerns(course.followed, (place,))], now_s)

    def names_changed(self, inodes: Iterable[int]) -> None:
        """These files got or lost a name, as a run has recorded that came to no end: the next one sees no change in that."""
        with self._changed:
            for course in self._courses.values():
                course.backlog.add_strangers(inodes, self._clock.monotonic_s())
            self._changed.notify_all()

    # The follower's own thread.

    def _run(self) -> None:
        while not self._closing:
            try:
                self._turn()
            except Exception:
                # Whatever it is, following goes on: what was told is in the backlogs.
                logger.exception("following failed for a moment")
                with self._changed:
                    self._changed.wait_for(lambda: self._closing, 5.0)

    def _turn(self) -> None:
        self._tend_watch()
        self._look_at_open_files()
        self._work()
        self._tools.pool.close_idle()
        self._remember()
        with self._changed:
            nap_s = self._nap_s()
            if nap_s > 0:
                self._changed.wait(nap_s)

    def _nap_s(self) -> float:
        now_s = self._clock.monotonic_s()
        times = [time_s for course in self._courses.values() if (time_s := course.next_s()) is not None]
        if self._plan is not None or self._closing:
            return 0.0
        return min(max(0.0, max(min(times, default=now_s + _LONGEST_NAP_S), self._rest.until_s) - now_s), _LONGEST_NAP_S)

    def _tend_watch(self) -> None:
        """Open what the plan asks for, and again what has ended."""
        now_s = self._clock.monotonic_s()
        with self._changed:
            plan = self._plan
            over = self._lookout is not None and self._lookout.error is not None
            missing = self._lookout is None and bool(self._courses) and now_s >= self._reopen_at_s
            if plan is None and not over and not missing:
                return
            followed = plan if plan is not None else tuple(course.followed for course in self._courses.values())
            before = self._courses
            self._courses = {each.rule.id: before.get(each.rule.id) or Course(each, self._clock) for each in followed}
        lost = over or self._lookout is None
        self._begin(followed, frozenset() if lost else frozenset(before))
        with self._changed:
            if self._plan is plan:
                self._plan = None
            self._changed.notify_all()

    def _begin(self, followed: tuple[Followed, ...], watched: frozenset[DatasetId]) -> None:
        """A watch over the roots of these, and a look at all that may have changed unseen: of what was not `watched` until now."""
        roots, behind_links = real_roots(followed)
        before, request = self._lookout, _request(roots, followed, self._tools.only)
        lookout, error = before, None
        if before is None or before.error is not None or before.request != request:
            # The new one begins before the old one ends, so that nothing happens between them.
            lookout, error = self._open(request)
        now_ns, now_s = self._clock.now_ns(), self._clock.monotonic_s()
        with self._changed:
            self._lookout = lookout
            for each in followed:
                course = self._courses[each.rule.id]
                was_ready, was_blind = course.is_ready, course.is_blind
                course.begin(each, blind=(error or _BEHIND_A_LINK) if lookout is None or each in behind_links else None)
                seen_ns, is_looked_at = self._tools.record.seen_until_ns(each.rule.id), was_blind and course.is_blind
                if each.rule.id not in watched and not is_looked_at and self._ready(course) and (was_ready or seen_ns is None):
                    course.look_at_all(seen_ns, now_ns, now_s)
        self._reopen_at_s = now_s + REOPEN_S
        if before is not None and before is not lookout:
            before.close()

    def _open(self, request: WatchRequest | None) -> tuple[Lookout | None, ErrorFacts | None]:
        if request is None:
            return None, None
        try:
            return Lookout(request, self._heard, self._clock), None
        except HoldfastError as error:
            logger.warning("changes cannot be followed", extra={"facts": {"code": error.code, "error": error.message}})
            return None, error.facts()

    def _end_watch(self) -> None:
        lookout, self._lookout = self._lookout, None
        if lookout is not None:
            lookout.close()

    def _heard(self, batch: Batch) -> None:
        """By the lookout's thread."""
        self._tools.heard(batch)
        with self._changed:
            now_s = self._clock.monotonic_s()
            for course in self._courses.values():
                course.hear(batch, now_s)
            self._changed.notify_all()

    def _look_at_open_files(self) -> None:
        now_s = self._clock.monotonic_s()
        if self._lookout is None or now_s < self._suspects_at_s:
            return
        self._suspects_at_s = now_s + OPEN_FILES_S
        found = self._lookout.suspects()
        with self._changed:
            for course in self._courses.values():
                course.look_again(found.open_files | found.mapped_files, now_s)

    def _work(self) -> None:
        """A small run for all that is due, if anything is."""
        now_s = self._clock.monotonic_s()
        with self._changed:
            self._mind()
            if now_s < self._rest.until_s or not any(course.is_due(now_s) for course in self._courses.values()):
                return
            rules = [course.followed.rule for course in self._courses.values() if course.is_due(now_s)]
        with self._tools.claims.free_of(rules) as free:
            now_s = self._clock.monotonic_s()
            with self._changed:
                if self._closing:
                    return
                due = [self._courses[rule.id] for rule in free if rule.id in self._courses and self._courses[rule.id].is_due(now_s)]
                due = [course for course in due if self._ready(course)]
                works = {course.followed.rule.id: course.take(now_s) for course in due}
                for course in self._courses.values():
                    if course.is_due(now_s) and course not in due:
                        # Somebody else makes a run of it.
                        course.postpone(now_s + _BUSY_S)
            if due:
                aside = self._making.set_aside(due, works)
                self._deliver(due, works, now_s)
                self._rest.ran(now_s, self._clock.monotonic_s())
                self._lay_ahead(aside)

    def _mind(self) -> None:
        """Before the courses are asked what is due."""
        is_told_more, now_s = self._lookout is not None and self._lookout.is_reading, self._clock.monotonic_s()
        for course in self._courses.values():
            course.mind_windows()
            if is_told_more:
                course.backlog.expect(now_s)

    def _is_alone(self, mine: Sequence[Course]) -> bool:
        """Brings the courses up to now; whether none but these has anything to do."""
        self._mind()
        now_s = self._clock.monotonic_s()
        return not any(course.is_ready and course.is_due(now_s) for course in self._courses.values() if course not in mine)

    def _lay_ahead(self, aside: Sequence[LargeFile]) -> None:
        """One of them: the newest small changes go before the next."""
        if aside and not self._closing:
            self._making.lay_ahead(aside[0], self._begun())

    def _begun(self) -> Cancellation:
        """One for each piece of work: it keeps all that wants to hear of the end."""
        with self._changed:
            if not self._closing:
                self._cancellation = Cancellation()
        return self._cancellation

    def _ready(self, course: Course) -> bool:
        """Of one that was followed in an earlier life nobody has watched until now, also where its state was lost in between."""
        if not course.is_ready:
            course.is_ready = self._tools.source.is_ready(course.followed.rule.id)
            seen_ns = self._tools.record.seen_until_ns(course.followed.rule.id)
            if course.is_ready and seen_ns is not None:
                course.look_at_all(seen_ns, self._clock.now_ns(), self._clock.monotonic_s())
        return course.is_ready

    def _deliver(self, due: Sequence[Course], works: Works, now_s: float) -> None:
        small = self._making.small_run(due, works, now_s)
        chosen = [course.followed for course in due if course.is_behind or concerns(course.followed, small.places)]
        if chosen:
            self._small_run(due, chosen, works, small)
            return
        with self._changed:
            for course in due:
                # It was of other names of files that are none of ours, or everything was put off.
                course.done(now_s)

    def _small_run(self, due: Sequence[Course], chosen: Sequence[Followed], works: Works, small: SmallRun) -> None:
        result = SmallResult(None, {}, None)
        cancellation = self._begun()
        took_part = {each.rule.id for each in chosen}
        mine = [course for course in due if course.followed.rule.id in took_part]
        more = self._making.more(mine, works, lambda: self._is_alone(mine))
        try:
            result = self._tools.source.small_run(chosen, small, cancellation, more)
        finally:
            # Whatever happened, the work is somebody's again.
            with self._changed:
                self._learn(due, took_part, works, result)

    def _learn(self, due: Sequence[Course], took_part: set[DatasetId], works: Mapping[DatasetId, Work], result: SmallResult) -> None:
        now_s = self._clock.monotonic_s()
        for course in due:
            id_ = course.followed.rule.id
            if id_ not in took_part:
                course.done(now_s)
            elif not result.has_captured(id_):
                course.undone(works[id_], result.why_not(id_), now_s)
            elif id_ in result.failed and not WindowClosed.says(result.failed[id_]):
                course.behind(result.failed[id_], now_s)
            elif result.error is not None:
                # It was captured, and then something went wrong before everybody had it.
                course.behind(result.error, now_s)
            else:
                course.done(now_s)
        if result.captured is not None:
            self.captured(result.captured)

    def _remember(self) -> None:
        """Up to when everything was seen, for the next life."""
        now_s, now_ns = self._clock.monotonic_s(), self._clock.now_ns()
        with self._changed:
            seen = {id_: course.seen_until_ns(now_ns, now_s) for id_, course in self._courses.items() if course.is_ready}
            seen = self._tools.record.with_earlier(seen)
            is_blind = bool(self._courses) and all(course.is_blind for course in self._courses.values())
        is_known = is_blind if self._lookout is None else self._lookout.error is None
        if not is_known or (now_s < self._remember_at_s and self._tools.record.knows(seen)):
            return
        self._remember_at_s = now_s + _REMEMBER_S
        self._tools.record.write(seen)

    def _following(self) -> list[Following]:
        with self._changed:
            coverage, now_s = self._lookout.coverage if self._lookout is not None else (), self._clock.monotonic_s()
            return [course.told(coverage, self._clock.now_ns(), now_s) for course in self._courses.values()]


def _request(roots: tuple[bytes, ...], followed: tuple[Followed, ...], only: Means | None) -> WatchRequest | None:
    if not roots:
        return None
    one_system = all(each.rule.classification.one_file_system for each in followed)
    return WatchRequest(roots=roots, cuts=common_cuts(followed), one_file_system=one_system, only=only)
