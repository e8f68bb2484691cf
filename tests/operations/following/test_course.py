"""What was taken counts as delivered only when it was; a gap that waits is one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from holdfast.capture.ports import Place
from holdfast.core.clock import ns_of
from holdfast.core.errors import ErrorFacts
from holdfast.core.ids import DatasetId
from holdfast.host.watch import Aspect, Batch, Dirty, Gap, Reason
from holdfast.model.document import Classification
from holdfast.model.following import FollowState
from holdfast.model.gaps import Gap as Told
from holdfast.model.gaps import GapReason
from holdfast.model.rules import DatasetRule
from holdfast.operations.following.backlog import SETTLE_S, Work
from holdfast.operations.following.course import BACK_OFF_S, LONG_AWAY_ATTEMPTS, LONG_AWAY_S, Course
from holdfast.operations.following.plan import Followed
from holdfast.testing.virtual_clock import VirtualClock

START = datetime(2026, 1, 1, tzinfo=UTC)
NOW_NS = ns_of(START) + 60 * 10**9
LETTER = Batch(names=(Dirty(b"/data/letter", what=Aspect.CONTENT | Aspect.CLOSED),))


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(START)


@pytest.fixture
def course(clock: VirtualClock) -> Course:
    rule = DatasetRule(
        id=DatasetId("one"), label="files1/one", policy="one", classification=Classification(paths=("/data",)), operations=()
    )
    found = Course(Followed(rule, (b"/data",), ()), clock)
    found.is_ready = True
    return found


@pytest.mark.parametrize("everything", [False, True])
def test_until_it_is_captured_it_was_not_seen(course: Course, everything: bool) -> None:
    course.hear(LETTER, 10.0)
    assert course.take(40.0, everything=everything)
    assert course.seen_until_ns(NOW_NS, 60.0) == NOW_NS - 50 * 10**9
    course.captured()
    assert course.seen_until_ns(NOW_NS, 60.0) == NOW_NS


def test_what_was_changed_in_a_folder_that_is_gone_is_no_place(course: Course) -> None:
    course.hear(Batch(names=(Dirty(b"", what=Aspect.CONTENT | Aspect.CLOSED, inode=7),)), 10.0)
    work = course.take(40.0)
    assert (work.places, work.inodes) == ((), {7})


def test_what_comes_back_keeps_its_age(course: Course) -> None:
    course.hear(LETTER, 10.0)
    course.undone(course.take(40.0, everything=True), None, 41.0)
    assert course.lag_s(60.0) == 50.0


def test_a_gap_that_waits_leaves_nothing_sound(course: Course) -> None:
    assert course.is_sound
    course.hear(Batch(gaps=(Gap(path=b"/data/deep", since_ns=ns_of(START), until_ns=NOW_NS, reason=Reason.OVERFLOW),)), 10.0)
    assert not course.is_sound
    course.take(11.0)
    assert not course.is_sound
    assert course.seen_until_ns(NOW_NS, 60.0) == ns_of(START)
    course.done(12.0)
    assert course.is_sound


AWAY = ErrorFacts("not-reachable", "nobody is there", "", True)
GONE = ErrorFacts("source-vanished", "/data is gone")


def test_the_time_in_which_the_source_was_refused_is_one_gap(course: Course, clock: VirtualClock) -> None:
    course.hear(LETTER, 0.0)
    for _ in range(3):
        clock.advance(10.0)
        work = course.take(clock.monotonic_s())
        course.undone(work, GONE, clock.monotonic_s())
        told = course.told((), clock.now_ns(), clock.monotonic_s())
        assert (told.state, told.gaps, told.open_gap_since) == (FollowState.WAITING, (), START)
    assert not course.is_sound
    assert course.seen_until_ns(clock.now_ns(), clock.monotonic_s()) == ns_of(START)
    clock.advance(10.0)
    gap = Told(path=b"/data", since=START, until=START + timedelta(seconds=40), reason=GapReason.VANISHED)
    assert course.take(clock.monotonic_s()).gaps == (gap,)
    course.done(clock.monotonic_s())
    told = course.told((), clock.now_ns(), clock.monotonic_s())
    assert (told.state, told.gaps, told.open_gap_since) == (FollowState.FOLLOWING, (gap,), None)
    assert course.take(clock.monotonic_s()).gaps == ()


def test_a_refusal_that_somebody_else_ended_is_a_gap_though_nothing_is_left_to_do(course: Course, clock: VirtualClock) -> None:
    course.undone(Work(since_s=clock.monotonic_s()), GONE, clock.monotonic_s())
    clock.advance(60.0)
    assert course.is_due(clock.monotonic_s())
    work = course.take(clock.monotonic_s())
    assert ([place.path for place in work.places], [gap.reason.value for gap in work.gaps]) == ([b"/data"], ["source-vanished"])


def test_a_root_of_another_dataset_that_comes_into_one_of_ours_is_looked_at_and_no_gap(course: Course) -> None:
    gaps = [Gap(path=path, since_ns=1, until_ns=2, reason=Reason.REPLACED) for path in (b"/data/theirs", b"/data", b"/")]
    course.hear(Batch(gaps=tuple(gaps[:1])), 10.0)
    work = course.take(20.0)
    assert (work.places, work.gaps) == ((Place(b"/data/theirs", True),), ())
    course.done(20.0)
    course.hear(Batch(gaps=tuple(gaps)), 30.0)
    assert [gap.path for gap in course.take(40.0).gaps] == [b"/data", b"/"]


def test_who_is_not_watched_has_seen_nothing_since_it_looked(course: Course, clock: VirtualClock) -> None:
    course.begin(course.followed, blind=ErrorFacts("watch-unavailable", "", ""))
    clock.advance(100.0)
    assert [gap.until for gap in course.take(100.0).gaps] == [START + timedelta(seconds=100)]
    course.done(100.0)
    assert course.seen_until_ns(NOW_NS + 200 * 10**9, 260.0) == ns_of(START) + 100 * 10**9


def test_the_time_before_the_watch_was_lost_is_no_gap(course: Course, clock: VirtualClock) -> None:
    course.begin(course.followed, blind=None)
    clock.advance(1000.0)
    course.begin(course.followed, blind=ErrorFacts("watch-unavailable", "", ""))
    assert [gap.since for gap in course.take(1000.0).gaps] == [START + timedelta(seconds=1000)]


def test_a_clock_that_was_set_back_leaves_a_gap_all_the_same(course: Course) -> None:
    course.look_at_all(NOW_NS, ns_of(START), 0.0)
    (gap,) = course.take(1.0).gaps
    assert (ns_of(gap.since), ns_of(gap.until)) == (ns_of(START), NOW_NS)


def due_at(course: Course, clock: VirtualClock) -> float | None:
    """Since when what is taken now is due, seconds from the start."""
    work = course.take(clock.monotonic_s())
    return None if work.due_ns is None else round((work.due_ns - ns_of(START)) / 1e9, 6)


def test_what_is_taken_is_due_since_it_had_settled(course: Course, clock: VirtualClock) -> None:
    began_s = clock.monotonic_s()
    course.hear(LETTER, began_s)
    clock.advance(9.0)
    assert due_at(course, clock) == SETTLE_S
    course.done(clock.monotonic_s())
    assert due_at(course, clock) is None


def test_a_gap_is_due_since_it_is_known(course: Course, clock: VirtualClock) -> None:
    clock.advance(3.0)
    course.hear(Batch(gaps=(Gap(path=b"/data", since_ns=1, until_ns=2, reason=Reason.OVERFLOW),)), clock.monotonic_s())
    clock.advance(6.0)
    assert due_at(course, clock) == 3.0


def test_what_was_put_off_or_is_the_rest_of_more_is_not_late(course: Course, clock: VirtualClock) -> None:
    course.look_later(b"/data/image", clock.monotonic_s() + 100)
    clock.advance(100.0)
    assert due_at(course, clock) == 100.0
    course.done(clock.monotonic_s())
    course.hear(Batch(names=tuple(Dirty(b"/data/%d" % number, what=Aspect.CLOSED) for number in range(50_001))), clock.monotonic_s())
    for second in (110, 120):
        clock.advance(10.0)
        assert due_at(course, clock) == {110: 100.1, 120: 110.0}[second]
        course.done(clock.monotonic_s())


def test_what_could_not_be_done_is_late_until_it_is(course: Course, clock: VirtualClock) -> None:
    course.hear(LETTER, clock.monotonic_s())
    for _ in range(2):
        clock.advance(10.0)
        course.undone(course.take(clock.monotonic_s()), None, clock.monotonic_s())
    assert due_at(course, clock) == 0.0


def test_who_is_away_keeps_nobody_from_what_changes(course: Course, clock: VirtualClock) -> None:
    for _ in range(LONG_AWAY_ATTEMPTS + 1):
        course.hear(LETTER, clock.monotonic_s())
        clock.advance(BACK_OFF_S[-1])
        assert course.take(clock.monotonic_s())
        course.behind(AWAY, clock.monotonic_s())
        assert course.is_sound
        assert course.told((), clock.now_ns(), clock.monotonic_s()).error == AWAY
    now_s = clock.monotonic_s()
    assert course.next_s() == now_s + LONG_AWAY_S
    course.hear(LETTER, now_s)
    assert course.next_s() == now_s + SETTLE_S
    # A run of that tries the receiver, too, and does not put the next attempt off.
    course.take(now_s + 1)
    course.behind(AWAY, now_s + 1)
    assert course.next_s() == now_s + LONG_AWAY_S
