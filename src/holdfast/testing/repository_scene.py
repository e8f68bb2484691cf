"""A repository in a scratch folder, and a source that delivers trees to it: for tests of the repository and of what stands on it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from holdfast.backend.backend import Backend
from holdfast.backend.local import LocalBackend
from holdfast.backend.location import open_backend
from holdfast.core.clock import now
from holdfast.core.ids import ActionId, DatasetId, NodeId, PointId, RepositoryId
from holdfast.delivery.ports import Action
from holdfast.model import rules
from holdfast.model.change import Acknowledgement, Commit, Mark
from holdfast.model.document import KeepRules
from holdfast.model.entry import Entry
from holdfast.model.gaps import Gap
from holdfast.model.object_location import parse_object_location
from holdfast.repository.repository import Repository, Scrypt, create_repository, open_repository
from holdfast.testing.faulty_backend import FaultyBackend, Plan, no_fault
from holdfast.testing.feeding import Feeder
from holdfast.testing.object_store import STOCK_RESTIC_KEYS, ObjectStore, make_owner
from holdfast.testing.stock_restic import StockRestic
from holdfast.testing.tree_source import TreeSource
from holdfast.testing.virtual_clock import SeededEntropy, VirtualClock

PASSWORD = "correct horse"
START = datetime(2026, 1, 1, tzinfo=UTC)
DATASET = DatasetId("d" * 32)
SENDER = NodeId("a" * 32)
CHEAP = Scrypt(n=1024, r=8, p=1)

everywhere = pytest.mark.parametrize("scene", ["local", "s3"], indirect=True)
"""For a test of a repository that must hold wherever the repository lies; its fixture `scene` is a folder's, then a bucket's."""


@dataclass
class MarkingFeeder(Feeder):
    """A feeder whose commits become points: of `operations`, point ids are made of dataset and seq; an hour passes between two."""

    operations: tuple[str, ...] = ("backup",)
    captured_at: datetime = START

    def commit(self) -> Commit:
        marks = tuple(Mark(operation=name, kind=name, point=self.point_id(name)) for name in self.operations)
        return Commit(
            dataset=self.dataset,
            epoch=self.epoch,
            seq=self.seq,
            captured_at=self.captured_at + timedelta(hours=self.seq),
            marks=marks,
            files=3,
        )

    def point_id(self, operation: str) -> PointId:
        return PointId(f"{operation.encode().hex()}{self.seq:08x}".rjust(28, "0")[-28:][::-1] + self.dataset[:4])


@dataclass
class FollowingFeeder(Feeder):
    """A feeder of a followed dataset: its commits are continuous and captured now, but for the full ones, and for those with `marks`."""

    clock: VirtualClock = field(default_factory=lambda: VirtualClock(START))
    marks: tuple[str, ...] = ()
    gaps: tuple[Gap, ...] = ()
    is_continuous: bool = True

    def commit(self) -> Commit:
        marks = tuple(
            Mark(operation=name, kind=name, point=PointId(f"{name.encode().hex()}{self.seq:08x}".rjust(26, "0")[-26:] + self.dataset[-6:]))
            for name in self.marks
        )
        return Commit(
            dataset=self.dataset,
            epoch=self.epoch,
            seq=self.seq,
            captured_at=now(self.clock),
            marks=marks,
            files=3,
            continuous=self.is_continuous,
            gaps=self.gaps,
        )


@dataclass
class RepositoryScene:
    """`open` may be called again and again: each time is a new process's view of the same place. `following`: operations of its actions
    that need more than points."""

    folder: Path
    clock: VirtualClock = field(default_factory=lambda: VirtualClock(START))
    made: list[tuple[DatasetId, tuple[str, ...]]] = field(default_factory=list)
    following: tuple[rules.StoredOperation, ...] = ()
    repositories: list[Repository] = field(default_factory=list)
    _opened: int = 0

    @property
    def place(self) -> Path:
        return self.folder / "store"

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def restic(self) -> StockRestic:
        return StockRestic(str(self.place), PASSWORD)

    def backend(self) -> Backend:
        """The place, as its owner opens it."""
        return LocalBackend(self.place)

    def create(self) -> None:
        create_repository(self.backend(), PASSWORD, clock=self.clock, entropy=SeededEntropy("create"), cost=CHEAP)

    def copy_to(self, folder: Path) -> RepositoryScene:
        """The same repository and home at another place, at the same time of day."""
        shutil.copytree(self.folder / "store", folder / "store", copy_function=os.link)
        shutil.copytree(self.home, folder / "home")
        return RepositoryScene(folder, clock=VirtualClock(now(self.clock)), _opened=self._opened)

    def open(self, wrap: Callable[[Backend], Backend] = lambda backend: backend) -> Repository:
        self._opened += 1
        repository = open_repository(
            wrap(self.backend()),
            self.home,
            name="main",
            repository_id=RepositoryId("c" * 32),
            password=PASSWORD,
            clock=self.clock,
            entropy=SeededEntropy(f"open {self._opened}"),
            wait=lambda _seconds: None,
        )
        self.repositories.append(repository)
        return repository

    def kill(self, repository: Repository) -> None:
        """Its process dies: nothing that it holds is sealed, no lock given back."""
        repository._interior.lock._stop.set()
        repository._interior.stop()

    def end(self) -> None:
        """What was opened and left is left as by a process that dies."""
        while self.repositories:
            self.kill(self.repositories.pop())

    def open_faulty(self, plan: Plan = no_fault) -> tuple[Repository, FaultyBackend]:
        """As `open`, over a backend that fails as planned."""
        made: list[FaultyBackend] = []

        def wrap(backend: Backend) -> Backend:
            made.append(FaultyBackend(backend, plan))
            return made[0]

        return self.open(wrap), made[0]

    def action(
        self,
        repository: Repository,
        *,
        sender: NodeId = SENDER,
        dataset: DatasetId = DATASET,
        keep: KeepRules | None = None,
        lock_s: float | None = None,
        trust: bool = False,
    ) -> Action:
        """What it stores inherits the tags `linux` and `prod`."""
        stored = tuple(
            rules.StoredOperation(name=name, kind=name, keep=keep or KeepRules(), lock_s=lock_s) for name in ("backup", "archive")
        )
        stored += self.following
        action = rules.StoreAction(id=ActionId("b" * 32), repository=repository.id, operations=stored)
        receive = rules.Receive(
            dataset=dataset,
            label="files1/documents",
            sender=sender,
            actions=(action,),
            trust="repository" if trust else "node",
            tags=("linux", "prod"),
        )
        return repository.store_action(action, receive, lambda commit, names, _: self.made.append((commit.dataset, names)))

    def feeder(self, source: TreeSource, dataset: DatasetId = DATASET) -> MarkingFeeder:
        return MarkingFeeder(dataset=dataset, roots=(source.root,), chunks=source.chunks)

    def store(self, repository: Repository, feeder: Feeder, old: dict[bytes, Entry] | None, new: dict[bytes, Entry]) -> Acknowledgement:
        """One commit in a session of its own."""
        action = self.action(repository)
        try:
            action.cursor()
            return feeder.send(action, old, new)
        finally:
            action.close()


@dataclass
class BucketScene(RepositoryScene):
    """The same in an object store, read through the owner's cache. `place` is not a folder then; `bucket` and `prefix` say where it is."""

    object_store: ObjectStore | None = None
    bucket: str = ""
    prefix: str = "holdfast"

    @property
    def url(self) -> str:
        assert self.object_store is not None
        return self.object_store.location(self.bucket, self.prefix)

    @property
    def restic(self) -> StockRestic:
        return StockRestic(parse_object_location(self.url).restic, PASSWORD, STOCK_RESTIC_KEYS)

    def backend(self) -> Backend:
        return open_backend(self.url, make_owner(self.home))
