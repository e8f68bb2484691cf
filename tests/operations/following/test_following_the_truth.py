"""What the follower has captured is what a scan of everything would: real watch, real state, edits by chance."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from holdfast.capture.comparison import SMALL, Compared
from holdfast.capture.ports import CaptureRequest, CaptureResult
from holdfast.capture.scan import Capture
from holdfast.capture.state import CaptureState
from holdfast.core.clock import SystemClock
from holdfast.core.entropy import SystemEntropy
from holdfast.core.ids import DatasetId
from holdfast.host.watch import Means
from holdfast.model.change import Commit
from holdfast.model.document import Classification
from holdfast.model.entry import walk_key
from holdfast.model.following import Following
from holdfast.model.gaps import GapReason
from holdfast.model.rules import DatasetRule
from holdfast.operations.following.claims import Claims
from holdfast.operations.following.follow_tools import FollowTools, SmallResult
from holdfast.operations.following.follower import Follower
from holdfast.operations.following.plan import Followed
from holdfast.operations.following.record import Record
from holdfast.operations.following.session_pool import SessionPool
from holdfast.operations.run_order import More, SmallRun
from holdfast.operations.running import Cancellation
from holdfast.testing.random_edits import RandomEdits
from holdfast.testing.waiting import wait_for

ONE = DatasetId("one")


class Real:
    """A node's state without receivers: small runs capture, and nobody is told."""

    def __init__(self, state: CaptureState, claims: Claims, rule: DatasetRule) -> None:
        self.state, self.claims, self.rule = state, claims, rule
        self.capture = Capture(state, clock=SystemClock(), home_reserve_bytes=0)
        self.small = Capture(state, clock=SystemClock(), home_reserve_bytes=0, scratch=SMALL)

    def is_ready(self, dataset: DatasetId) -> bool:
        return self.state.newest_commit(dataset) is not None

    def paths_of(self, inodes: Iterable[int]) -> tuple[bytes, ...]:
        return tuple(path for inode in inodes for path in self.state.paths_of_inode(inode))

    def idle(self) -> None:
        return

    def small_run(self, datasets: Sequence[Followed], small: SmallRun, cancellation: Cancellation, more: More) -> SmallResult:
        return SmallResult(self.run(CaptureRequest((self.rule,), {ONE: None}, places=small.places, moves=small.moves)), {})

    def run(self, request: CaptureRequest, compared: Compared | None = None) -> CaptureResult:
        run = (self.small if request.places is not None else self.capture).run(request, compared=compared)
        for _ in run:
            pass
        result = run.result()
        self.state.finish(Commit(dataset=ONE, epoch=run.epoch, seq=run.run, captured_at=run.captured_at))
        return result

    def scan(self) -> CaptureResult:
        """With the claim."""
        return self.run(CaptureRequest((self.rule,), {ONE: self.state.run}))


@contextmanager
def followed(folder: Path, only: Means | None = None) -> Iterator[Scene]:
    """A folder with some files that is scanned and followed, and one outside."""
    data, outside = folder / "data", folder / "outside"
    data.mkdir()
    outside.mkdir()
    for number in range(20):
        (data / f"f{number}").write_bytes(bytes([number]) * 500)
    rule = DatasetRule(id=ONE, label="files1/one", policy="one", classification=Classification(paths=(str(data),)), operations=())
    claims, told = Claims(), list[Following]()
    with closing(CaptureState.open(folder / "state.db", entropy=SystemEntropy())) as state:
        real = Real(state, claims, rule)
        with claims.all_of((rule,)):
            real.scan()
        tools = FollowTools(
            clock=SystemClock(),
            source=real,
            claims=claims,
            pool=SessionPool(SystemClock()),
            record=Record(folder / "followed.json"),
            tell=told.extend,
            only=only,
        )
        follower = Follower(tools)
        try:
            follower.configure((Followed(rule, (bytes(data),), ()),))
            assert follower.scan_begins([ONE]) == {ONE}
            yield Scene(data, outside, real, follower, told)
        finally:
            follower.close()


@pytest.mark.parametrize("means", [Means.FANOTIFY, Means.INOTIFY])
@pytest.mark.parametrize("seed", range(4))
def test_a_scan_after_any_edits_finds_nothing_left(tmp_path: Path, seed: int, means: Means) -> None:
    with followed(tmp_path, means) as scene:
        # What is written through a name outside, inotify does not see.
        edits = RandomEdits(Random(seed), scene.data, scene.outside, hard_links=means is Means.FANOTIFY)
        for _ in range(6):
            done = [edits.once() for _ in range(25)]
            wait_for(scene.follower.is_idle)
            assert not scene.left_over(), done


@pytest.mark.parametrize("seed", range(3))
def test_a_look_at_everything_beside_small_runs_takes_nothing_back(tmp_path: Path, seed: int) -> None:
    with followed(tmp_path) as scene:
        edits, random = RandomEdits(Random(seed), scene.data, scene.outside), Random(seed)
        small_runs = 0

        def meanwhile() -> bool:
            """In the midst of the walk: edits, and small runs of them."""
            nonlocal small_runs
            if random.random() < 0.5:
                before = scene.real.state.run
                done = [edits.once() for _ in range(5)]
                wait_for(scene.follower.is_idle)
                small_runs += scene.real.state.run > before
                assert done
            return False

        for _ in range(3):
            with scene.real.claims.all_of((scene.real.rule,)):
                compared = scene.real.capture.compare((scene.real.rule,), cancelled=meanwhile)
            with closing(compared):
                compared.walk()
                edits.once()
                wait_for(scene.follower.is_idle)
                with scene.real.claims.all_of((scene.real.rule,)):
                    scene.real.run(CaptureRequest((scene.real.rule,), {ONE: scene.real.state.run}), compared)
                    assert not scene.left_over_claimed()
        assert small_runs


@pytest.mark.parametrize("name", ["d", "d/below/file", "file"])
def test_what_was_away_for_a_moment_of_a_look_at_everything_stays(tmp_path: Path, name: str) -> None:
    """Nothing had changed when a small run looked, so the look at everything took it away: until the next one, nobody had it."""
    with followed(tmp_path) as scene:
        (scene.data / "d" / "below").mkdir(parents=True)
        for path in (scene.data / "d" / "below" / "file", scene.data / "file"):
            path.write_bytes(b"content")
        wait_for(scene.follower.is_idle)
        with scene.real.claims.all_of((scene.real.rule,)):
            compared = scene.real.capture.compare((scene.real.rule,))
            (scene.data / name).rename(scene.outside / "away")
            compared.walk()
            (scene.outside / "away").rename(scene.data / name)
        wait_for(scene.follower.is_idle)
        with closing(compared), scene.real.claims.all_of((scene.real.rule,)):
            scene.real.run(CaptureRequest((scene.real.rule,), {ONE: scene.real.state.run}), compared)
        wait_for(scene.follower.is_idle)
        assert not scene.left_over()


def test_what_is_behind_a_link_after_a_look_at_everything_is_not_taken_for_being_there(tmp_path: Path) -> None:
    with followed(tmp_path) as scene:
        (scene.data / "d").mkdir()
        (scene.data / "d" / "file").write_bytes(b"content")
        wait_for(scene.follower.is_idle)
        with scene.real.claims.all_of((scene.real.rule,)), closing(scene.real.capture.compare((scene.real.rule,))) as compared:
            (scene.data / "d").rename(scene.outside / "d")
            (scene.data / "d").symlink_to(scene.outside / "d")
            compared.walk()
            scene.real.run(CaptureRequest((scene.real.rule,), {ONE: scene.real.state.run}), compared)
            assert not any(b"x00file" in row for row in rows_of(scene.real.state, scene.data))


def test_a_queue_that_overflows_is_a_gap_and_nothing_is_missing(tmp_path: Path) -> None:
    with short_queue(16), followed(tmp_path, Means.INOTIFY) as scene:
        for number in range(3_000):
            (scene.data / f"burst {number}").write_bytes(b"x" * (number % 50))
        wait_for(scene.follower.is_idle)
        assert not scene.left_over()
        wait_for(lambda: scene.told and scene.told[-1].gaps and scene.told[-1].open_gap_since is None)
        gaps = scene.told[-1].gaps
        assert {gap.reason for gap in gaps} == {GapReason.OVERFLOW}
        assert all(gap.since <= gap.until for gap in gaps)


@contextmanager
def short_queue(events: int) -> Iterator[None]:
    """The kernel keeps no more for an inotify that is made meanwhile (inotify(7))."""
    limit = Path("/proc/sys/fs/inotify/max_queued_events")
    before = limit.read_text()
    try:
        limit.write_text(str(events))
    except OSError as error:
        pytest.skip(f"{limit} cannot be set here: {error}")
    try:
        yield
    finally:
        limit.write_text(before)


@dataclass
class Scene:
    data: Path
    outside: Path
    real: Real
    follower: Follower
    told: list[Following]

    def left_over(self) -> set[bytes]:
        """What a scan of everything changes: nothing, where all was followed."""
        with self.real.claims.all_of((self.real.rule,)):
            return self.left_over_claimed()

    def left_over_claimed(self) -> set[bytes]:
        before = set(rows_of(self.real.state, self.data))
        self.real.scan()
        return set(rows_of(self.real.state, self.data)) ^ before


def rows_of(state: CaptureState, data: Path) -> Iterable[bytes]:
    """What was captured at and below `data`; the folders above are no part of what is watched."""
    key = walk_key(bytes(data))
    with closing(state.reader()) as reader:
        # Not the time of change: a file that gets or loses a name outside has another one, and nothing else of it differs.
        query = "SELECT key, members, kind, size, mtime, inode FROM rows WHERE members AND key >= ? AND key < ? ORDER BY key"
        for row in reader.execute(query, (key, key + b"\x01")):
            yield repr(row).encode()
