"""Every fault at every step of archiving: what the owner said it has, on whose word a source removes its files, is there and right."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from holdfast.core.errors import HoldfastError
from holdfast.model.archiving import ToArchive, Verdict, digest_of, lineage_path
from holdfast.model.moments import archive_of
from holdfast.repository.archiving.archive import ArchivedFrom
from holdfast.repository.repository import Repository
from holdfast.testing.faulty_disk import Fault, FaultyDisk, PowerCut, bursts, trials
from holdfast.testing.repository_scene import DATASET, SENDER, RepositoryScene
from holdfast.testing.tree_source import TreeSource

WHOSE = ArchivedFrom(DATASET, "files1/documents", SENDER)
DAY_S = 86_400.0


@contextmanager
def place() -> Iterator[Story]:
    fast = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="holdfast-archive-", dir=fast if fast.is_dir() else None))
    try:
        (folder / "data").mkdir()
        for name in ("one", "two", "three", "four"):
            (folder / "data" / name).write_bytes(name.encode() * 2_000)
        scene = RepositoryScene(folder / "disk")
        scene.folder.mkdir()
        scene.create()
        yield Story(scene, TreeSource(folder / "data"))
    finally:
        shutil.rmtree(folder)


@dataclass
class Story:
    """`told`: what the owner said is archived, by path in the lineage, and until when it has to be. `held`: the hold it said it keeps."""

    scene: RepositoryScene
    source: TreeSource
    told: dict[bytes, tuple[ToArchive, float]] = field(default_factory=dict)
    held: str = ""

    def begin(self) -> Repository:
        repository = self.scene.open()
        self.scene.store(repository, self.scene.feeder(self.source), None, self.source.all)
        self.put(repository, None, b"one", b"two")
        return repository

    def put(self, repository: Repository, keep_s: float | None, *names: bytes) -> None:
        entries = [self.source.all[self.source.root + b"/" + name] for name in names]
        asked = [ToArchive(each.path, each.size_bytes, each.mtime_ns, digest_of(ref.id for ref in each.chunks)) for each in entries]
        at_ns = self.scene.clock.now_ns()
        verdicts = repository.archive.put(WHOSE, at_ns, asked, keep_s)
        assert set(verdicts) == {Verdict.ARCHIVED}
        until_s = float("inf") if keep_s is None else at_ns / 1e9 + keep_s
        self.told.update({lineage_path(at_ns, file.path): (file, until_s) for file in asked})

    def play(self, repository: Repository) -> None:
        """Others are archived, one is held, and a day later what is not held goes."""
        self.scene.clock.advance(60)
        self.put(repository, None, b"three")
        repository.archive.hold(DATASET, "audit", self.source.root + b"/two")
        self.held = "audit"
        self.scene.clock.advance(2 * DAY_S)
        # From here on `one` and `three` may go at any step; `two` is held.
        before_s = self.scene.clock.now_ns() / 1e9 - DAY_S
        self.told = {path: (file, before_s if not file.path.endswith(b"two") else until) for path, (file, until) in self.told.items()}
        self.put(repository, DAY_S, b"four")

    def verify(self, *, stock: bool) -> None:
        """After the fault: a new life."""
        repository = self.scene.open()
        assert [finding for finding in repository.check(read_data=True) if finding.code != "pack-unused"] == []
        reader = repository.reader(repository.point(archive_of(DATASET)))
        found = {entry.path: digest_of(ref.id for ref in entry.chunks) for entry in reader.entries() if entry.kind.value == "file"}
        reader.close()
        now_s = self.scene.clock.now_ns() / 1e9
        for path, (file, until_s) in self.told.items():
            assert found.get(path) == file.digest or until_s <= now_s, path
        (totals,) = repository.archive.totals()
        assert totals.files == len(found)
        if self.held:
            assert [hold.name for hold in totals.holds] == [self.held]
        self.scene.clock.advance(1)
        self.put(repository, None, b"four")
        repository.close()
        if stock:
            self.scene.restic.check()


def _steps() -> FaultyDisk:
    with place() as story:
        repository = story.begin()
        with FaultyDisk(story.scene.folder) as disk:
            story.play(repository)
        repository.close()
        story.verify(stock=True)
        return disk


def _try(number: int, fault: Fault, *, stock: bool) -> None:
    with place() as story:
        repository = story.begin()
        with FaultyDisk.with_fault(story.scene.folder, number, fault) as disk, suppress(HoldfastError, OSError, PowerCut):
            story.play(repository)
        assert disk.fired or fault is Fault.FULL
        if fault.ends_all:
            story.scene.kill(repository)
        else:
            repository.close()
        story.verify(stock=stock)


def test_each_kind_of_moment_once() -> None:
    disk = _steps()
    chosen = set(bursts(disk.steps))
    for number, fault in trials(disk.steps, every=False):
        if number in chosen and number % 2 == 0:
            _try(number, fault, stock=number % 5 == 0)


@pytest.mark.big
@pytest.mark.timeout(1800)
def test_every_fault_at_every_step() -> None:
    for number, fault in trials(_steps().steps, every=True):
        _try(number, fault, stock=False)
