"""A repository beside its model: every step is done to both, also when it is cut off by a crash or a failing disk, and then compared."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from holdfast.backend.backend import FileType
from holdfast.backend.local import LocalBackend
from holdfast.core.errors import NoSpace, StoreError
from holdfast.core.ids import ActionId, DatasetId, NodeId, PointId, RepositoryId
from holdfast.delivery.ports import Action
from holdfast.model import rules
from holdfast.model.change import Cursor
from holdfast.model.entry import walk_key
from holdfast.model.jobs import Severity
from holdfast.model.points import Point
from holdfast.repository.repository import Repository, create_repository, open_repository
from holdfast.testing.faulty_backend import FaultyBackend
from holdfast.testing.repository_scene import CHEAP, PASSWORD
from holdfast.testing.stock_restic import StockRestic
from holdfast.testing.virtual_clock import SeededEntropy, VirtualClock
from tests.repository.damage import read_point
from tests.repository.modelled.model import ForeignSnapshot, Model, Observed, Stored, assert_equal, between
from tests.repository.modelled.sources import CHUNKS, Source, Tree

OPERATIONS = ("backup", "archive")
# Longer than a session lock counts that nobody refreshes.
STALE_S = 31 * 60.0


class PowerCut(BaseException):
    """Nothing after this instant happens; not an `Exception`, so that nothing handles it."""


@dataclass(frozen=True)
class Fault:
    """At write step `at` from now, counted from 1.

    `how`: `killed` = the process is gone; `torn` = the machine is, with half of what was not durable; `full` = no room from here on, but
    removing works; `error` = this one step fails. `home`: what is left of the catalog after the first two, or who opens it then.
    `again`: the opening afterwards dies at this step, too (0 = it does not).
    """

    at: int
    how: str
    home: str
    again: int = 0

    @property
    def kills(self) -> bool:
        return self.how in ("killed", "torn")


class DyingBackend(FaultyBackend):
    """Works until its fault; a killed one does nothing at all any more, not even with locks."""

    def __init__(self, place: Path) -> None:
        super().__init__(LocalBackend(place), lambda _step, _verb, _kind: None)
        self.dead = False
        self._torn = False

    def arm(self, fault: Fault) -> None:
        self.steps = self.fired = 0
        self._torn = fault.how == "torn"

        def plan(step: int, verb: str, _kind: FileType) -> BaseException | None:
            if fault.kills:
                return PowerCut() if step >= fault.at else None
            if fault.how == "full":
                return NoSpace("full", hint="make room") if step >= fault.at and verb != "remove" else None
            return StoreError("i/o error") if step == fault.at else None

        self.plan = plan

    def disarm(self) -> None:
        self.plan = lambda _step, _verb, _kind: None

    def _step(self, verb: str, kind: FileType) -> None:
        if self.dead:
            raise PowerCut
        try:
            super()._step(verb, kind)
        except PowerCut:
            self.dead = True
            raise

    def settle(self, kind: FileType, names: tuple[str, ...]) -> None:
        try:
            super().settle(kind, names)
        except PowerCut:
            if self._torn and len(names) > 1:
                self._torn = False
                self._grouped.settle(kind, names[: len(names) // 2])
            raise

    def forget(self, kind: FileType, names: tuple[str, ...]) -> None:
        if not self.dead:
            super().forget(kind, names)


class Site:
    """A place with its owner. `open` may follow `leave` or a crash; `home` is another folder after every change of the owner.

    `pass_time` moves the clock that all sites share, by seconds.
    """

    def __init__(self, folder: Path, clock: VirtualClock, pass_time: Callable[[float], None]) -> None:
        self.folder, self.clock = folder, clock
        self._pass_time = pass_time
        self.model = Model()
        self.restic = StockRestic(str(self.place), PASSWORD)
        self._owner = self._opened = 0
        create_repository(LocalBackend(self.place), PASSWORD, clock=clock, entropy=SeededEntropy(f"create {folder.name}"), cost=CHEAP)
        self.open()

    @property
    def place(self) -> Path:
        return self.folder / "store"

    @property
    def home(self) -> Path:
        return self.folder / f"home{self._owner}"

    def open(self, fault: Fault | None = None) -> None:
        self._opened += 1
        self.backend = DyingBackend(self.place)
        if fault is not None:
            self.backend.arm(fault)
        self.repository: Repository = open_repository(
            self.backend,
            self.home,
            name=f"owner{self._owner}",
            repository_id=RepositoryId(f"{self._owner:032x}"),
            password=PASSWORD,
            clock=self.clock,
            entropy=SeededEntropy(f"{self.folder.name} {self._opened}"),
            wait=lambda _seconds: None,
        )

    def leave(self) -> None:
        self.repository.close()

    def keep_fresh(self) -> None:
        """What the owner does every few minutes while it is in a session."""
        if not self.backend.dead:
            self.repository._interior.lock.refresh()

    def unlock(self) -> None:
        """What people do before they work with restic where a dead owner has left its session lock."""
        if any((self.place / "locks").iterdir()):
            self.restic.run("unlock")

    def give_away(self) -> None:
        """Another machine opens it by its key and its location; nothing of this home goes along."""
        self.leave()
        self._owner += 1
        self.open()

    def lose_catalog(self) -> None:
        self.leave()
        self._discard_catalog()
        self.open()

    def attempt(self, do: Callable[[], object], change: Callable[[Model], object], fault: Fault | None = None) -> bool:
        """Do it, and to the model the same; True when it ended as usual. A fault may strike: what is left then lies between the two."""
        if fault is not None:
            self._keep_catalog()
            self.backend.arm(fault)
        try:
            do()
        except (PowerCut, StoreError):
            if not self.backend.fired:
                raise
        finally:
            self.backend.disarm()
        after = self.model.copy()
        change(after)
        if fault is None or not self.backend.fired:
            self.model = after
            return True
        if self.backend.dead:
            self._come_back(fault)
        self.model = between(self.model, after, self.observe())
        return False

    def _come_back(self, fault: Fault) -> None:
        """A new life after a crash, on what was durable."""
        self.restic.check()
        self._bury()
        if fault.home == "older":
            self._bring_back_catalog()
        elif fault.home == "gone":
            self._discard_catalog()
        elif fault.home == "another owner":
            # Nobody there knows whose the session lock is that was left: it must grow old.
            self._owner += 1
            self._pass_time(STALE_S)
        if fault.how == "torn":
            for stray in self.place.glob("*/**/.hf-tmp-*"):
                stray.write_bytes(stray.read_bytes()[: stray.stat().st_size // 2])
        if fault.again:
            try:
                self.open(Fault(fault.again, "killed", "kept"))
            except PowerCut:
                pass
            else:
                self._bury()
        self.open()

    def _bury(self) -> None:
        """What the dead process held of this one."""
        self.repository._interior.lock._stop.set()
        self.repository._interior.stop()

    def _catalog_files(self) -> list[Path]:
        return sorted(self.home.glob("catalog.db*"))

    def _discard_catalog(self) -> None:
        for path in self._catalog_files():
            path.unlink()

    def _keep_catalog(self) -> None:
        kept = self.folder / "kept"
        shutil.rmtree(kept, ignore_errors=True)
        kept.mkdir()
        for path in self._catalog_files():
            # What SQLite has in shared memory does not outlive the machine.
            if not path.name.endswith("-shm"):
                shutil.copy2(path, kept)

    def _bring_back_catalog(self) -> None:
        """A database that was not yet written through when the machine went."""
        self._discard_catalog()
        for path in (self.folder / "kept").iterdir():
            shutil.copy2(path, self.home)

    def observe(self) -> Observed:
        points: dict[DatasetId, dict[PointId, Point]] = {}
        found = self.repository.points()
        for point in found:
            if not point.foreign:
                points.setdefault(point.dataset_id, {})[point.id] = point
        foreign = [point for point in found if point.foreign]
        assert len({point.time for point in foreign}) == len(foreign), "a snapshot of another program is there twice"
        heads: dict[DatasetId, set[Cursor]] = {}
        commits = self.repository._interior.commits
        names = dict(commits.datasets())
        for row in commits.listed():
            if row.is_head and row.dataset is not None:
                heads.setdefault(DatasetId(names[row.dataset]), set()).add(Cursor(row.brief.epoch, row.brief.seq))
        return Observed(points, heads, {point.time: point for point in foreign})

    def compare(self) -> None:
        assert_equal(self.model, self.observe())

    def point(self, id_: PointId) -> Point:
        return self.repository.point(id_)

    def check(self, *, read_data: bool) -> None:
        findings = self.repository.check(read_data=read_data)
        assert [finding for finding in findings if finding.severity is not Severity.INFO] == []

    def tree_of(self, dataset: DatasetId, point: PointId) -> Tree:
        held = self.model.of(dataset)
        return held.commits[held.points[point].cursor].tree

    def verify(self, dataset: DatasetId, point: PointId) -> None:
        """A point of ours, through our own reader."""
        verify_tree(self.repository, self.point(point), self.tree_of(dataset, point))


@contextmanager
def session(site: Site, source: Source, stored: Stored, *, sender: NodeId | None = None, is_followed: bool = False) -> Iterator[Action]:
    """The action of one session, closed at its end; not when the process dies in it."""
    operations = tuple(rules.StoredOperation(name=name, kind=name, keep=stored.keep, lock_s=stored.lock_s) for name in OPERATIONS)
    if is_followed:
        operations += (rules.StoredOperation(name="live", kind="live"),)
    order = rules.StoreAction(id=ActionId("b" * 32), repository=site.repository.id, operations=operations)
    receive = rules.Receive(dataset=source.dataset, label=source.label, sender=sender or source.sender, actions=(order,))
    action = site.repository.store_action(order, receive, lambda *_: None)
    try:
        yield action
    except Exception:
        action.close()
        raise
    action.close()


def verify_tree(repository: Repository, point: Point, tree: Tree) -> None:
    reader = repository.reader(point)
    try:
        assert list(reader.entries()) == [tree[path] for path in sorted(tree, key=walk_key)]
    finally:
        reader.close()
    expected = {path: b"".join(CHUNKS[ref.id] for ref in entry.chunks) for path, entry in tree.items() if entry.chunks}
    assert read_point(repository, point.id) == expected


def verify_foreign(repository: Repository, point: Point, snapshot: ForeignSnapshot) -> None:
    contents = read_point(repository, point.id)
    reader = repository.reader(point)
    try:
        entries = [entry for entry in reader.entries() if entry.path in snapshot.files]
    finally:
        reader.close()
    found = {
        entry.path: (entry.kind.value, entry.mode, entry.mtime_ns, entry.link_target, entry.xattrs, contents.get(entry.path, b""))
        for entry in entries
    }
    assert found == snapshot.files
