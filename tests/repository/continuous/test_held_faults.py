"""Every fault at every step of holding and sealing: what was acknowledged is there, what is there is right, and the next commit works."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pytest

from holdfast.core.clock import now
from holdfast.core.errors import HoldfastError
from holdfast.model.entry import Entry
from holdfast.repository.continuous import storing_ahead
from holdfast.repository.repository import Repository
from holdfast.testing.faulty_disk import Fault, FaultyDisk, PowerCut, bursts, trials
from holdfast.testing.repository_scene import DATASET, RepositoryScene
from tests.repository.followed import FollowedSource, read_all

State = tuple[datetime, dict[bytes, Entry]]


@pytest.fixture(autouse=True)
def _stored_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    """Little counts as much, so that sealing by the clock has both of its parts."""
    monkeypatch.setattr(storing_ahead, "_MANY", 1)


@contextmanager
def place() -> Iterator[RepositoryScene]:
    fast = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="holdfast-held-", dir=fast if fast.is_dir() else None))
    try:
        scene = RepositoryScene(folder / "disk")
        scene.folder.mkdir()
        scene.create()
        yield scene
    finally:
        shutil.rmtree(folder)


@dataclass
class Story:
    """`states` by seq: of all commits that were begun. `told`: the last that was acknowledged."""

    scene: RepositoryScene
    source: FollowedSource = field(init=False)
    states: dict[int, State] = field(default_factory=dict)
    told: int = 0

    def __post_init__(self) -> None:
        self.source = FollowedSource(self.scene)

    def begin(self) -> Repository:
        repository = self.scene.open()
        self.source.write(b"/data/one", b"first")
        self.source.folder(b"/data/sub")
        self.source.write(b"/data/sub/two", b"first", b"second")
        self.commit(repository, "backup")
        self.step(repository, 1)
        return repository

    def commit(self, repository: Repository, *marks: str) -> None:
        self.states[self.source.feeder.seq + 1] = (now(self.scene.clock), dict(self.source.tree))
        self.source.send(repository, *marks)
        self.told = self.source.feeder.seq

    def step(self, repository: Repository, number: int) -> None:
        self.scene.clock.advance(1)
        self.source.write(b"/data/one", b"state %d" % number)
        if number % 3 == 0:
            self.source.remove(b"/data/sub")
        elif number % 3 == 1:
            self.source.folder(b"/data/sub")
            self.source.write(b"/data/sub/new%d" % number, b"new", b"more %d" % number)
        self.commit(repository)

    def play(self, repository: Repository) -> None:
        """Held, sealed by the clock, held, sealed by a point, held again."""
        for number in (2, 3, 4):
            self.step(repository, number)
        self.scene.clock.advance(60)
        repository.tick()
        self.step(repository, 5)
        self.commit(repository, "backup")
        self.step(repository, 6)
        self.source.leave()
        repository.seal()

    def verify(self, *, stock: bool) -> None:
        """After the fault: a new life."""
        repository = self.scene.open()
        # What was being written and was never acknowledged may have left its beginning.
        assert {finding.code for finding in repository.held_problems} <= {"journal-cut"}
        self._go_on(repository)
        for seq, (at, tree) in self.states.items():
            if seq <= self.told:
                assert read_all(repository.reader(repository.point_at(DATASET, at))) == tree, seq
        assert [finding for finding in repository.check(read_data=True) if finding.code not in ("pack-unused",)] == []
        repository.close()
        if stock:
            self.scene.restic.check()

    def _go_on(self, repository: Repository) -> None:
        source = self.source
        source.session = None
        action = self.scene.action(repository)
        here = action.cursor()
        action.close()
        assert here is not None
        assert self.told <= here.seq <= source.feeder.seq
        source.sent = self.states[here.seq][1]
        for seq in [seq for seq in self.states if seq > here.seq]:
            del self.states[seq]
        source.feeder.seq = max(here.seq, source.feeder.seq)
        self.told = here.seq
        self.step(repository, 7)
        source.leave()
        repository.seal()


def _steps() -> FaultyDisk:
    with place() as scene:
        story = Story(scene)
        repository = story.begin()
        with FaultyDisk(scene.folder) as disk:
            story.play(repository)
        repository.close()
        story.verify(stock=True)
        return disk


def _try(number: int, fault: Fault, *, stock: bool) -> None:
    with place() as scene:
        story = Story(scene)
        repository = story.begin()
        with FaultyDisk.with_fault(scene.folder, number, fault) as disk, suppress(HoldfastError, OSError, PowerCut):
            story.play(repository)
        assert disk.fired or fault is Fault.FULL
        if not fault.ends_all:
            if story.source.session is not None:
                story.source.session.abort()
                story.source.leave()
            repository.close()
        else:
            scene.kill(repository)
        story.verify(stock=stock)


def test_each_kind_of_moment_once() -> None:
    disk = _steps()
    chosen = set(bursts(disk.steps))
    for number, fault in trials(disk.steps, every=False):
        if number in chosen and number % 4 == 0:
            _try(number, fault, stock=number % 5 == 0)


@pytest.mark.big
@pytest.mark.timeout(1800)
def test_every_fault_at_every_step() -> None:
    disk = _steps()
    for number, fault in trials(disk.steps, every=True):
        _try(number, fault, stock=number % 10 == 0)
