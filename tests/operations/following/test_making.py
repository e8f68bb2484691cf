"""More for a run that is under way: what is due by then, all of it noted, and nothing that may be one of destruction."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from holdfast.core.ids import DatasetId
from holdfast.host.watch import Aspect, Batch, Dirty, Gap, Reason
from holdfast.model.document import Classification
from holdfast.model.rules import DatasetRule
from holdfast.operations.following.backlog import BURST_NAMES
from holdfast.operations.following.claims import Claims
from holdfast.operations.following.course import Course
from holdfast.operations.following.follow_tools import FollowTools
from holdfast.operations.following.making import GO_ON_S, Making, Works
from holdfast.operations.following.plan import Followed
from holdfast.operations.following.record import Record
from holdfast.operations.following.session_pool import SessionPool
from holdfast.operations.run_order import SmallRun
from holdfast.testing.virtual_clock import VirtualClock
from tests.operations.following.test_follower import Book

ONE = DatasetId("one")


@dataclass
class Scene:
    data: Path
    clock: VirtualClock = field(default_factory=lambda: VirtualClock(datetime(2026, 1, 1, tzinfo=UTC)))
    works: Works = field(default_factory=dict)
    claims: Claims = field(default_factory=Claims)
    is_alone: bool = True

    def __post_init__(self) -> None:
        rule = DatasetRule(id=ONE, label="files1/one", policy="one", classification=Classification(paths=(str(self.data),)), operations=())
        self.course = Course(Followed(rule, (bytes(self.data),), ()), self.clock)
        tools = FollowTools(
            clock=self.clock,
            source=Book(),
            claims=self.claims,
            pool=SessionPool(self.clock),
            record=Record(self.data.parent / "followed.json"),
            tell=lambda _: None,
        )
        self.making = Making(tools, threading.Condition(threading.RLock()))

    def hear(self, first: int, count: int, *, there: bool = True) -> None:
        """So many files are there, or are gone, and have settled."""
        for number in range(first, first + count):
            (self.data / f"{number}").touch() if there else (self.data / f"{number}").unlink(missing_ok=True)
        names = tuple(Dirty(bytes(self.data / f"{number}"), what=Aspect.ENTRY) for number in range(first, first + count))
        self.course.hear(Batch(names=names), self.clock.monotonic_s())
        self.clock.advance(1.0)

    def more(self, is_early: Callable[[], bool] = lambda: False) -> SmallRun | None:
        if ONE not in self.works:
            self.works[ONE] = self.course.take(self.clock.monotonic_s())
            self.given = self.making.more([self.course], self.works, lambda: self.is_alone)
        return self.given(is_early)

    def noted(self) -> int:
        """Of all that was handed out, how many are files."""
        return sum(place.path != bytes(self.data) for place in self.works[ONE].places)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    (tmp_path / "data").mkdir()
    return Scene(tmp_path / "data")


def test_what_is_due_by_then_is_given_and_noted(scene: Scene) -> None:
    scene.hear(0, 10)
    assert scene.more() is None
    scene.hear(10, BURST_NAMES)
    small = scene.more()
    assert small is not None
    assert len(small.places) == BURST_NAMES + 1
    assert scene.noted() == BURST_NAMES + 10
    # Not delivered as long as nothing was told of it; what comes back is all of it, with its age.
    assert scene.course.lag_s(scene.clock.monotonic_s()) == 2.0
    scene.course.undone(scene.works[ONE], None, scene.clock.monotonic_s())
    assert len(scene.course.backlog) == BURST_NAMES + 11


def test_little_waits_for_the_next_run(scene: Scene) -> None:
    scene.more()
    scene.hear(0, BURST_NAMES // 2)
    assert scene.more() is None
    assert len(scene.course.backlog) == BURST_NAMES // 2


def test_as_long_as_it_is_early_more_is_waited_for(scene: Scene) -> None:
    scene.more()
    asked = list[int]()

    def is_early() -> bool:
        scene.hear(len(asked) * BURST_NAMES, BURST_NAMES // 2)
        asked.append(1)
        return True

    assert scene.more(is_early) is not None
    assert len(asked) == 2


def test_what_may_be_destruction_is_not_given_and_not_lost(scene: Scene) -> None:
    scene.hear(0, 2 * BURST_NAMES)
    scene.more()
    scene.hear(0, 2 * BURST_NAMES, there=False)
    assert scene.more() is None
    work = scene.course.take(scene.clock.monotonic_s())
    assert len(work.places) == 2 * BURST_NAMES + 1


def test_it_ends_after_a_while_whatever_comes(scene: Scene) -> None:
    scene.more()
    scene.clock.advance(GO_ON_S)
    scene.hear(0, BURST_NAMES)
    assert scene.more() is None
    assert len(scene.course.backlog) >= BURST_NAMES


def test_it_ends_where_another_dataset_has_something_to_do(scene: Scene) -> None:
    scene.more()
    scene.hear(0, BURST_NAMES)
    scene.is_alone = False
    assert scene.more() is None


def test_it_ends_where_another_run_waits_for_the_dataset(scene: Scene) -> None:
    scene.more()
    scene.hear(0, BURST_NAMES)
    rule = scene.course.followed.rule
    begun = threading.Event()

    def wait_for_it() -> None:
        with scene.claims.all_of([rule], begun.set):
            pass

    with scene.claims.free_of([rule]):
        waiting = threading.Thread(target=wait_for_it)
        waiting.start()
        assert begun.wait(30.0)
        assert scene.more() is None
    waiting.join()
    assert scene.more() is not None


def test_a_gap_is_of_the_dataset_that_told_it(scene: Scene) -> None:
    """Of another one whose roots lie around it is none."""
    rule = DatasetRule(
        id=DatasetId("outer"), label="files1/outer", policy="outer", classification=Classification(paths=("/",)), operations=()
    )
    outer = Course(Followed(rule, (b"/",), ()), scene.clock)
    gap = Gap(path=bytes(scene.data), since_ns=1, until_ns=2, reason=Reason.REPLACED)
    for course in (scene.course, outer):
        course.hear(Batch(gaps=(gap,)), scene.clock.monotonic_s())
    works = {course.followed.rule.id: course.take(scene.clock.monotonic_s() + 9.0) for course in (scene.course, outer)}
    small = scene.making.small_run([scene.course, outer], works, scene.clock.monotonic_s())
    assert [(dataset, len(gaps)) for dataset, gaps in small.gaps.items()] == [(ONE, 1)]
