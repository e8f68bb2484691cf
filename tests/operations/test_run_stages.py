"""A small run in stages: a commit for each, of which only the last is waited for; who fails one gets all of it later, and says why. It goes
on as long as more is due."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from holdfast.capture.ports import CaptureResult, Place
from holdfast.capture.scan import Capture
from holdfast.capture.state import CaptureState
from holdfast.core.clock import SystemClock, ns_of
from holdfast.core.entropy import SystemEntropy
from holdfast.core.errors import NoSpace
from holdfast.core.ids import ActionId, JobId, NodeId
from holdfast.model.change import Acknowledgement, Commit
from holdfast.model.document import Classification
from holdfast.model.gaps import Gap, GapReason
from holdfast.model.jobs import Job, Progress, State
from holdfast.model.rules import DatasetRule, Delivery, OperationRule
from holdfast.operations import run_sending
from holdfast.operations.following.run_notes import Capturing, Steps
from holdfast.operations.following.stages import parts_of, stages_of
from holdfast.operations.run import run_datasets
from holdfast.operations.run_order import More, RunOrder, RunTools, SmallRun
from holdfast.operations.running import Cancellation, Delivered
from holdfast.testing.deliveries import DATASET, RECEIVER, SOURCE, ServedDelivery
from holdfast.testing.memory_action import MemoryAction
from holdfast.testing.memory_channel import memory_pair
from holdfast.wire.channel import Channel


class FailsOnce(MemoryAction):
    """At its commit of this number, counted from when it is set."""

    left = 0
    held: threading.Event | None = None

    def commit(self, commit: Commit) -> Acknowledgement:
        if self.held is not None:
            self.held.wait(30.0)
        self.left -= 1
        if self.left == 0:
            raise NoSpace("the disk is full", hint="make room")
        return super().commit(commit)


class Told:
    def __init__(self) -> None:
        self.delivered_to: list[Delivered] = []

    def job(self, job: Job) -> None: ...

    def progress(self, progress: Progress) -> None: ...

    def delivered(self, delivered: Delivered) -> None:
        self.delivered_to.append(delivered)


Noted = Callable[[Capturing, Steps], Steps]


class Scene:
    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.data.mkdir()
        self.state = CaptureState.open(folder / "state.db", entropy=SystemEntropy())
        self.mirrors = [FailsOnce("one"), FailsOnce("two")]
        self.captured: list[CaptureResult] = []
        self.broken_off: list[frozenset[int]] = []
        self.told = Told()

    def dial(self, node: NodeId) -> Channel:
        here, there = memory_pair(SOURCE, RECEIVER)
        ServedDelivery(there, self.mirrors)
        return here

    def run(self, small: SmallRun | None = None, more: More = lambda _: None, noted: Noted = lambda _, steps: steps) -> Job:
        classification = Classification(paths=(str(self.data),))
        operation = OperationRule(name="replicate", kind="replicate")
        rule = DatasetRule(id=DATASET, label="files1/documents", policy="documents", classification=classification, operations=(operation,))
        delivery = Delivery(
            id="delivery",
            dataset=DATASET,
            label=rule.label,
            receiver=RECEIVER,
            receiver_name="vault",
            actions=(ActionId("one"), ActionId("two")),
            operations=("replicate",),
            mode="continuous",
        )
        job = Job(id=JobId(""), node=SOURCE, kind="run", rule="", state=State.RUNNING, created_at=datetime.now(UTC), cause="change")
        order = RunOrder(job=job, datasets=(rule,), deliveries=(delivery,), operations={DATASET: ("replicate",)}, generation=1, small=small)
        tools = RunTools(
            clock=SystemClock(),
            entropy=SystemEntropy(),
            state=self.state,
            capture=Capture(self.state, clock=SystemClock(), home_reserve_bytes=0),
            dial=self.dial,
            dial_read=self.dial,
            hook=lambda *_: None,
            news=self.told,
            zone="UTC",
            hostname="files1",
            captured=self.captured.append,
            broken_off=self.broken_off.append,
            noted=noted,
            more=more,
        )
        return run_datasets(order, tools, Cancellation())

    def burst(self, word: bytes) -> SmallRun:
        """Writes twenty files anew."""
        for number in range(20):
            (self.data / f"{number:02d}").write_bytes(word * (number + 1))
        return SmallRun(places=tuple(Place(os.fsencode(path)) for path in sorted(self.data.iterdir())))

    def bursts(self, *words: bytes) -> More:
        """One more each time it is asked, as long as there are any."""
        left = list(words)

        def more(is_early: Callable[[], bool]) -> SmallRun | None:
            return self.burst(left.pop(0)) if left else None

        return more

    def is_in(self, action: MemoryAction) -> bool:
        return all(action.content(os.fsencode(path)) == path.read_bytes() for path in self.data.iterdir())


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    monkeypatch.setattr(run_sending, "stages_of", partial(stages_of, most=5))
    monkeypatch.setattr(run_sending, "parts_of", partial(parts_of, most=5))
    found = Scene(tmp_path)
    with closing(found.state):
        found.burst(b"before")
        assert found.run().state is State.SUCCEEDED
        yield found


def test_each_stage_is_a_commit_and_the_run_is_one(scene: Scene) -> None:
    one, two = scene.mirrors
    job = scene.run(scene.burst(b"after"))
    assert (job.state, job.error) == (State.SUCCEEDED, None)
    assert scene.is_in(one)
    assert scene.is_in(two)
    assert [commit.seq for commit in one.commits] == [1, 2, 3, 4, 5]
    whole = scene.captured[-1]
    assert (whole.is_whole, whole.run, whole.counters.changed) == (True, 5, 20)
    # Nothing has changed: then there is no commit either.
    assert scene.run(SmallRun(places=scene.burst(b"after").places)).error is None
    assert len({commit.seq for commit in one.commits}) == len(one.commits)


def test_each_commit_says_which_run_looked_at_all_of_the_source(scene: Scene) -> None:
    """Also to who was away when it did: a mirror looks at all it has when it hears of one."""
    one, two = scene.mirrors
    scene.run(scene.burst(b"after"))
    assert {commit.scanned for commit in one.commits} == {1}
    one.left = 1
    scene.burst(b"looked at")
    assert scene.run().state is State.FAILED
    scanned = two.commits[-1].seq
    scene.run(scene.burst(b"later"))
    assert (one.commits[-1].scanned, one.commits[-1].continuous) == (scanned, True)
    gap = Gap(path=os.fsencode(scene.data), since=datetime.now(UTC), until=datetime.now(UTC), reason=GapReason.RESTART)
    scene.run(SmallRun(places=(Place(os.fsencode(scene.data), True),), gaps={DATASET: (gap,)}))
    assert two.commits[-1].scanned == two.commits[-1].seq > scanned


def test_who_takes_nothing_is_told_of_also_where_there_is_nothing_for_the_others(scene: Scene) -> None:
    two = scene.mirrors[1]
    two.fail_at, two.failure = "cursor", NoSpace("the disk is full")
    scene.told.delivered_to.clear()
    scene.run(SmallRun(places=()))
    assert [(told.action, told.error and told.error.code) for told in scene.told.delivered_to] == [("one", None), ("two", "no-space")]


def test_who_lacked_nothing_is_well_again_with_a_run_that_finds_nothing(scene: Scene) -> None:
    two, newest = scene.mirrors[1], scene.mirrors[1].commits[-1]
    two.fail_at, two.failure = "cursor", NoSpace("the disk is full")
    scene.run(SmallRun(places=()))
    two.fail_at = ""
    scene.told.delivered_to.clear()
    scene.run(SmallRun(places=()))
    told = {told.action: (told.error, told.captured_at_ns) for told in scene.told.delivered_to}
    assert told == {"one": (None, ns_of(newest.captured_at)), "two": (None, ns_of(newest.captured_at))}
    assert two.commits[-1] is newest


def test_of_receivers_that_are_all_away_it_is_told_also_in_a_run_that_is_no_job(scene: Scene) -> None:
    for each in scene.mirrors:
        each.fail_at, each.failure = "cursor", NoSpace("the disk is full")
    scene.told.delivered_to.clear()
    scene.run(scene.burst(b"after"))
    assert [(told.action, told.error and told.error.code) for told in scene.told.delivered_to] == [("one", "no-space"), ("two", "no-space")]


def test_who_fails_in_the_middle_says_why_and_gets_all_of_it_with_the_next_run(scene: Scene) -> None:
    one, two = scene.mirrors
    one.left = 2
    job = scene.run(scene.burst(b"after"))
    assert job.state is State.FAILED
    assert {told.action: told.error and told.error.code for told in scene.told.delivered_to[-2:]} == {"one": "no-space", "two": None}
    assert scene.is_in(two)
    assert not scene.is_in(one)
    assert scene.captured[-1].is_whole
    scene.burst(b"later")
    assert scene.run(SmallRun(places=(Place(os.fsencode(scene.data / "00")),))).state is State.SUCCEEDED
    assert one.entries.keys() == two.entries.keys()


def test_a_run_goes_on_with_what_has_come_meanwhile(scene: Scene) -> None:
    one, two = scene.mirrors
    job = scene.run(scene.burst(b"after"), scene.bursts(b"more", b"and more"))
    assert (job.state, job.error) == (State.SUCCEEDED, None)
    assert scene.is_in(one)
    assert scene.is_in(two)
    assert [commit.seq for commit in one.commits] == list(range(1, 14))
    whole = scene.captured[-1]
    assert (whole.is_whole, whole.run, whole.counters.changed) == (True, 13, 60)


def test_who_fails_while_it_goes_on_gets_all_of_it_with_the_next_run(scene: Scene) -> None:
    one, two = scene.mirrors
    one.left = 5
    job = scene.run(scene.burst(b"after"), scene.bursts(b"more"))
    assert job.state is State.FAILED
    assert scene.is_in(two)
    assert not scene.is_in(one)
    assert scene.run(SmallRun(places=(Place(os.fsencode(scene.data / "00")),))).state is State.SUCCEEDED
    assert one.entries.keys() == two.entries.keys()
    assert scene.is_in(one)


def test_it_is_early_while_what_was_passed_over_is_unanswered(scene: Scene) -> None:
    asked = list[bool]()

    def more(is_early: Callable[[], bool]) -> SmallRun | None:
        until_s = time.monotonic() + 30.0
        while is_early() and time.monotonic() < until_s:
            asked.append(True)
        asked.append(False)
        return None

    held = threading.Event()
    scene.mirrors[0].held = held
    threading.Timer(0.3, held.set).start()
    assert scene.run(scene.burst(b"after"), more).state is State.SUCCEEDED
    # Asked again and again as long as a commit was held, and not to the end of all patience.
    assert asked[0]
    assert not asked[-1]


def test_of_a_run_that_broke_off_it_is_told_which_files_got_another_name(scene: Scene) -> None:
    """The next one sees nothing new in a name that this one has recorded, and would look at no other name of the file."""

    def breaks_off(_: Capturing, steps: Steps) -> Steps:
        yield next(steps)
        raise NoSpace("the disk is full", hint="make room")

    again = scene.data / "again"
    again.hardlink_to(scene.data / "00")
    small = SmallRun(places=(Place(os.fsencode(again)),))
    with pytest.raises(NoSpace):
        scene.run(small, noted=breaks_off)
    assert scene.broken_off == [{again.stat().st_ino}]
    scene.run(small)
    assert not scene.captured[-1].linked
