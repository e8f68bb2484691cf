"""The follower on a real folder: what happens is run, what fails is tried again, what was not seen is a gap."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from holdfast.capture.ports import CaptureResult, DatasetTotals
from holdfast.core.clock import SystemClock, now, utc
from holdfast.core.errors import ErrorFacts, SourceVanished
from holdfast.core.ids import DatasetId
from holdfast.model.document import Classification
from holdfast.model.following import Following, FollowState
from holdfast.model.gaps import GapReason
from holdfast.model.jobs import Counters
from holdfast.model.rules import DatasetRule
from holdfast.operations.following.claims import Claims
from holdfast.operations.following.follow_tools import FollowTools, SmallResult
from holdfast.operations.following.follower import Follower
from holdfast.operations.following.plan import Followed
from holdfast.operations.following.record import Record
from holdfast.operations.following.session_pool import SessionPool
from holdfast.operations.run_order import More, SmallRun
from holdfast.operations.running import Cancellation
from holdfast.testing.waiting import wait_for

ONE, TWO = DatasetId("one"), DatasetId("two")
AWAY = ErrorFacts("not-reachable", "nobody is there", "", True)


def result(refused: dict[DatasetId, SourceVanished] | None = None) -> CaptureResult:
    totals = {id_: DatasetTotals(1, 1, 0) for id_ in (ONE, TWO)}
    return CaptureResult(1, datetime(2026, 1, 1, tzinfo=UTC), totals, Counters(), (), 0, refused or {})


@dataclass
class Book:
    """Stands for the node's state: notes each small run, and lets the first ones end as it is told."""

    ready: bool = True
    runs: list[SmallRun] = field(default_factory=list)
    endings: list[SmallResult] = field(default_factory=list)
    goes_on: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.goes_on.set()

    def is_ready(self, dataset: DatasetId) -> bool:
        return self.ready

    def paths_of(self, inodes: Iterable[int]) -> tuple[bytes, ...]:
        return ()

    def idle(self) -> None:
        return

    def small_run(self, datasets: Sequence[Followed], small: SmallRun, cancellation: Cancellation, more: More) -> SmallResult:
        self.runs.append(small)
        assert self.goes_on.wait(60)
        return self.endings.pop(0) if self.endings else SmallResult(result(), {})

    def looked_at(self, path: Path) -> bool:
        name = bytes(path)
        return any(place.path == name or (place.below and name.startswith(place.path + b"/")) for run in self.runs for place in run.places)


@dataclass
class Scene:
    data: Path
    book: Book
    claims: Claims = field(default_factory=Claims)
    told: list[Following] = field(default_factory=list)

    @property
    def rule(self) -> DatasetRule:
        return DatasetRule(id=ONE, label="files1/one", policy="one", classification=Classification(paths=(str(self.data),)), operations=())

    def unconfigured(self) -> Follower:
        tools = FollowTools(
            clock=SystemClock(),
            source=self.book,
            claims=self.claims,
            pool=SessionPool(SystemClock()),
            record=Record(self.data.parent / "followed.json"),
            tell=lambda found: self.told.extend(found),
        )
        return Follower(tools)

    def follower(self) -> Follower:
        """One that watches already."""
        follower = self.unconfigured()
        follower.configure((self.plan(),))
        assert follower.scan_begins([ONE]) == {ONE}
        return follower

    def plan(self) -> Followed:
        rule = self.rule
        return Followed(rule, (bytes(self.data),), ())

    @property
    def state(self) -> FollowState | None:
        return self.told[-1].state if self.told else None


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    (tmp_path / "data").mkdir()
    return Scene(tmp_path / "data", Book())


@pytest.fixture
def following(scene: Scene) -> Iterator[Follower]:
    follower = scene.follower()
    yield follower
    follower.close()


def test_what_happens_is_run_and_told(scene: Scene, following: Follower) -> None:
    (scene.data / "letter").write_bytes(b"dear")
    wait_for(lambda: scene.book.looked_at(scene.data / "letter"))
    wait_for(lambda: scene.state is FollowState.FOLLOWING)
    assert scene.told[-1].means
    assert not scene.told[-1].gaps


def test_what_waits_is_told_while_a_run_takes_its_time(scene: Scene, following: Follower) -> None:
    wait_for(lambda: scene.state is FollowState.FOLLOWING)
    before = len(scene.book.runs)
    scene.book.goes_on.clear()
    try:
        (scene.data / "letter").write_bytes(b"dear")
        wait_for(lambda: len(scene.book.runs) > before)
        (scene.data / "other").write_bytes(b"sir")
        told = wait_for(lambda: next((each for each in scene.told if each.pending and each.pending_since is not None), None))
        assert told.pending_bytes == 3
    finally:
        scene.book.goes_on.set()
    wait_for(lambda: not scene.told[-1].pending)


def test_the_first_scan_makes_it_followed_though_nothing_changes(scene: Scene) -> None:
    scene.book.ready = False
    follower = scene.follower()
    try:
        scene.book.ready = True
        follower.scan_ended([ONE], [ONE])
        wait_for(lambda: scene.state is FollowState.FOLLOWING)
        assert not scene.book.runs
    finally:
        follower.close()


def test_it_begins_with_a_look_at_everything(scene: Scene, following: Follower) -> None:
    wait_for(lambda: any(place.path == bytes(scene.data) and place.below for run in scene.book.runs for place in run.places))
    assert all(not run.gaps for run in scene.book.runs)


def test_until_the_first_scan_is_done_it_only_gathers(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    scene = Scene(tmp_path / "data", Book(ready=False))
    follower = scene.follower()
    try:
        (scene.data / "early").write_bytes(b"x")
        wait_for(lambda: scene.state is FollowState.STARTING and scene.told[-1].pending > 0)
        assert not scene.book.runs
        scene.book.ready = True
        follower.scan_ended([ONE], [ONE])
        wait_for(lambda: scene.book.looked_at(scene.data / "early"))
    finally:
        follower.close()


def test_a_scan_makes_it_ready_though_nothing_happens(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    scene = Scene(tmp_path / "data", Book(ready=False))
    follower = scene.follower()
    try:
        wait_for(lambda: scene.state is FollowState.STARTING)
        scene.book.ready = True
        follower.scan_ended([ONE], [ONE])
        wait_for(lambda: scene.state is FollowState.FOLLOWING)
        assert not scene.book.runs
    finally:
        follower.close()


@pytest.mark.parametrize("ending", [SmallResult(None, {}, AWAY), SmallResult(result({ONE: SourceVanished("it is gone")}), {})])
def test_what_could_not_be_captured_is_tried_again_whole(scene: Scene, following: Follower, ending: SmallResult) -> None:
    wait_for(lambda: scene.state is FollowState.FOLLOWING)
    scene.book.runs.clear()
    scene.book.endings.append(ending)
    (scene.data / "letter").write_bytes(b"dear")
    wait_for(lambda: len(scene.book.runs) >= 2)
    first, second = scene.book.runs[:2]
    assert set(first.places) <= set(second.places)
    wait_for(lambda: scene.state is FollowState.FOLLOWING and scene.told[-1].error is None)


def test_each_dataset_has_its_own_error_also_where_nothing_was_captured_of_any(scene: Scene, following: Follower) -> None:
    """The run's may be of another one, which is refused: then this one is not, and there is no gap."""
    wait_for(lambda: scene.state is FollowState.FOLLOWING)
    scene.book.runs.clear()
    scene.book.endings += [SmallResult(None, {ONE: AWAY}, ErrorFacts("source-vanished", "another is gone"))] * 4
    (scene.data / "letter").write_bytes(b"dear")
    wait_for(lambda: scene.state is FollowState.WAITING)
    assert scene.told[-1].error == AWAY
    wait_for(lambda: scene.state is FollowState.FOLLOWING)
    assert not any(run.gaps for run in scene.book.runs)


def test_a_receiver_that_did_not_get_it_is_tried_again_without_another_look(scene: Scene, following: Follower) -> None:
    wait_for(lambda: scene.state is FollowState.FOLLOWING)
    scene.book.runs.clear()
    scene.book.endings.append(SmallResult(result(), {ONE: AWAY}))
    (scene.data / "letter").write_bytes(b"dear")
    wait_for(lambda: len(scene.book.runs) >= 2)
    assert scene.book.runs[1].places == ()


def test_what_happened_between_two_lives_is_a_gap_until_it_was_looked_at(scene: Scene) -> None:
    first = scene.follower()
    wait_for(lambda: scene.state is FollowState.FOLLOWING)
    first.close()
    (scene.data / "meanwhile").write_bytes(b"x")
    scene.book.runs.clear()
    second = scene.follower()
    try:
        wait_for(lambda: scene.book.looked_at(scene.data / "meanwhile"))
        (gap,) = scene.book.runs[0].gaps[ONE]
        assert gap.reason is GapReason.RESTART
        assert gap.since < gap.until
        wait_for(lambda: bool(scene.told[-1].gaps))
        assert scene.told[-1].gaps == (gap,)
    finally:
        second.close()


@pytest.mark.parametrize("others", [False, True])
def test_the_time_in_which_no_flow_followed_it_is_a_gap(scene: Scene, *, others: bool) -> None:
    """Also where another dataset is followed all the time, and where the node was restarted meanwhile."""
    (scene.data.parent / "other").mkdir()
    rule = msgspec.structs.replace(scene.rule, id=TWO, label="files1/two")
    left = (Followed(rule, (bytes(scene.data.parent / "other"),), ()),) if others else ()
    first = scene.unconfigured()
    first.configure((scene.plan(), *left))
    wait_for(lambda: scene.state is FollowState.FOLLOWING)
    first.configure(left)
    assert first.scan_begins([ONE]) == frozenset()
    (scene.data / "meanwhile").write_bytes(b"x")
    before = now(SystemClock())
    first.close()
    scene.book.runs.clear()
    second = scene.unconfigured()
    try:
        second.configure(left)
        second.configure((scene.plan(), *left))
        wait_for(lambda: scene.book.looked_at(scene.data / "meanwhile"))
        (gap,) = (gap for run in scene.book.runs for gap in run.gaps.get(ONE, ()))
        assert gap.since < before < gap.until
    finally:
        second.close()


def test_who_has_lost_its_state_says_since_when_nobody_watched(scene: Scene) -> None:
    first = scene.follower()
    wait_for(lambda: scene.state is FollowState.FOLLOWING)
    first.close()
    ended = Record(scene.data.parent / "followed.json").seen_until_ns(ONE)
    assert ended is not None
    scene.book.ready = False
    scene.follower().close()
    third = scene.follower()
    try:
        scene.book.ready = True
        third.scan_ended([ONE], [ONE])
        wait_for(lambda: any(run.gaps for run in scene.book.runs))
        assert [gap.since for run in scene.book.runs for gap in run.gaps.get(ONE, ())] == [utc(ended)]
    finally:
        third.close()


def test_a_gap_that_was_not_healed_is_there_in_the_next_life(scene: Scene) -> None:
    first = scene.follower()
    wait_for(lambda: scene.state is FollowState.FOLLOWING)
    first.close()
    scene.book.endings += [SmallResult(None, {}, AWAY)] * 50
    second = scene.follower()
    wait_for(lambda: scene.state is FollowState.WAITING)
    began = scene.told[-1].open_gap_since
    second.close()
    scene.book.endings.clear()
    scene.book.runs.clear()
    third = scene.follower()
    try:
        wait_for(lambda: any(run.gaps for run in scene.book.runs))
        assert [gap.since for run in scene.book.runs for gap in run.gaps.get(ONE, ())] == [began]
    finally:
        third.close()


def test_a_point_takes_all_that_changed_and_gives_back_what_failed(scene: Scene, following: Follower) -> None:
    wait_for(lambda: scene.state is FollowState.FOLLOWING)
    with scene.claims.all_of((scene.rule,)):
        (scene.data / "letter").write_bytes(b"dear")
        work = following.take_for_point([ONE])
        assert work is not None
        assert bytes(scene.data / "letter") in [place.path for place in work.places]
        scene.book.runs.clear()
        following.point_ended([ONE], work, None)
    wait_for(lambda: scene.book.looked_at(scene.data / "letter"))


@pytest.mark.parametrize("captured", [result({ONE: SourceVanished("the disk is gone")}), replace(result(), is_whole=False)])
def test_what_a_point_did_not_capture_is_still_to_be_done(scene: Scene, following: Follower, captured: CaptureResult) -> None:
    wait_for(lambda: scene.state is FollowState.FOLLOWING)
    with scene.claims.all_of((scene.rule,)):
        (scene.data / "letter").write_bytes(b"dear")
        work = following.take_for_point([ONE])
        assert work is not None
        scene.book.runs.clear()
        following.point_ended([ONE], work, captured)
    wait_for(lambda: scene.book.looked_at(scene.data / "letter"))


def test_no_point_is_made_without_a_scan_while_something_is_not_known(scene: Scene, following: Follower) -> None:
    wait_for(lambda: scene.state is FollowState.FOLLOWING)
    scene.book.endings += [SmallResult(None, {}, AWAY)] * 5
    (scene.data / "letter").write_bytes(b"dear")
    wait_for(lambda: scene.state is FollowState.WAITING)
    with scene.claims.all_of((scene.rule,)):
        assert following.take_for_point([ONE]) is None
        assert following.take_for_point([DatasetId("strange")]) is None


def test_where_a_root_lies_behind_a_link_all_is_looked_at_now_and_then(tmp_path: Path) -> None:
    (tmp_path / "real" / "data").mkdir(parents=True)
    (tmp_path / "link").symlink_to("real")
    scene = Scene(tmp_path / "link" / "data", Book())
    follower = scene.unconfigured()
    try:
        follower.configure((scene.plan(),))
        wait_for(lambda: scene.state is FollowState.NOT_WATCHED)
        assert scene.told[-1].error is not None
        wait_for(lambda: scene.book.looked_at(scene.data / "anything"))
    finally:
        follower.close()


def test_rules_that_change_nothing_of_the_roots_leave_the_watch_as_it_is(scene: Scene, following: Follower) -> None:
    wait_for(lambda: scene.state is FollowState.FOLLOWING)
    scene.book.runs.clear()
    following.configure((scene.plan(),))
    assert following.scan_begins([ONE]) == {ONE}
    (scene.data / "letter").write_bytes(b"dear")
    wait_for(lambda: scene.book.looked_at(scene.data / "letter"))
    assert not any(run.gaps for run in scene.book.runs)
    assert not any(place.path == bytes(scene.data) and place.below for run in scene.book.runs for place in run.places)
