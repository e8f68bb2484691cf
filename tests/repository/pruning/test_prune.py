"""Prune: what is needed stays whole, what is not goes, at every step that can be broken off, beside sessions, readers and stock restic."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.backend.backend import FileType
from holdfast.backend.local import LocalBackend
from holdfast.core.errors import HoldfastError, NoSpace, RepositoryDamaged, RepositoryLocked, StoreError
from holdfast.delivery.ports import Action
from holdfast.model.document import KeepRules
from holdfast.model.maintenance import Report
from holdfast.model.reading import PointReader
from holdfast.repository._format.lock import LockFile, encode_lock
from holdfast.repository._format.text import time_text
from holdfast.repository.packs.storage import Storage
from holdfast.repository.pruning.prune import GRACE_S, PruneOrder
from holdfast.repository.pruning.prune_plan import Thresholds
from holdfast.repository.repository import Repository, unlock
from holdfast.testing.faulty_backend import Plan
from holdfast.testing.repository_scene import PASSWORD, MarkingFeeder, RepositoryScene
from holdfast.testing.tree_source import TreeSource
from holdfast.testing.virtual_clock import SeededEntropy

NOTHING_UNUSED = Thresholds(max_unused=0.0)


class Pruned:
    """A repository of which most is needless: five states of a folder, of which the keep rules left the last two."""

    def __init__(self, scene: RepositoryScene, tree: Path) -> None:
        self.scene = scene
        self.tree = tree
        self.feeder: MarkingFeeder = scene.feeder(TreeSource(tree))
        self.random = random.Random(4)

    def change(self, number: int) -> None:
        """One file grows and stays, one is another each time."""
        (self.tree / "one" / f"kept{number}").write_bytes(self.random.randbytes(9_000))
        (self.tree / "large").write_bytes(self.random.randbytes(40_000))

    def commit(self, repository: Repository, keep: KeepRules | None = None) -> None:
        state = TreeSource(self.tree)
        self.feeder.chunks.update(state.chunks)
        action = self.scene.action(repository, keep=keep)
        try:
            self.feeder.send(action, None, state.all)
        finally:
            action.close()

    def fill(self) -> None:
        repository = self.scene.open()
        for number in range(5):
            self.change(number)
            self.commit(repository, KeepRules(last=2))
        repository.close()

    def order(self, **more: object) -> PruneOrder:
        values: dict[str, object] = {"thresholds": NOTHING_UNUSED, **more}
        return PruneOrder(**values)  # type: ignore[arg-type]

    def prune(self, **more: object) -> Report:
        repository = self.scene.open()
        try:
            return repository.prune(self.order(**more))
        finally:
            repository.close()

    def names(self, kind: FileType) -> set[str]:
        return set(LocalBackend(self.scene.place).names(kind))

    def verify(self, target: Path) -> None:
        """Stock restic finds nothing wrong, and our newest point is the tree as it is."""
        self.scene.restic.check()
        repository = self.scene.open()
        newest = [point for point in repository.points() if not point.foreign][-1].snapshot
        repository.close()
        self.scene.restic.restore(newest, target)
        restored = target / str(self.tree).lstrip("/")
        for path in self.tree.rglob("*"):
            if path.is_file():
                assert (restored / path.relative_to(self.tree)).read_bytes() == path.read_bytes()


@pytest.fixture
def pruned(scene: RepositoryScene, tree: Path) -> Pruned:
    made = Pruned(scene, tree)
    made.fill()
    return made


def steps(report: Report) -> dict[str, tuple[int, int]]:
    return {step.code: (step.count, step.size_bytes) for step in report.steps}


def test_needless_packs_are_marked_then_deleted_after_their_time(pruned: Pruned, tmp_path: Path) -> None:
    before = pruned.names(FileType.DATA)
    told = steps(pruned.prune())
    assert told["packs-needless"][0] + told["packs-repacked"][0] > 3
    assert told["packs-deleted"] == (0, 0)
    assert before <= pruned.names(FileType.DATA)
    pruned.verify(tmp_path / "marked")
    pruned.scene.clock.advance(GRACE_S - 1)
    assert steps(pruned.prune())["packs-waiting"][0] == told["packs-needless"][0] + told["packs-repacked"][0]
    pruned.scene.clock.advance(2)
    last = steps(pruned.prune())
    assert last["packs-deleted"][0] == told["packs-needless"][0] + told["packs-repacked"][0]
    assert len(before - pruned.names(FileType.DATA)) == last["packs-deleted"][0]
    assert len(pruned.names(FileType.INDEX)) <= 3
    pruned.verify(tmp_path / "deleted")
    idle = steps(pruned.prune())
    assert set(idle) == {"packs-deleted", "packs-needless", "packs-repacked", "space-freed"}
    assert not any(count for count, _ in idle.values())


def test_dry_run_touches_no_file(pruned: Pruned) -> None:
    files = {kind: pruned.names(kind) for kind in FileType}
    repository = pruned.scene.open()
    planned = repository.prune(pruned.order(grace_s=0.0), dry_run=True)
    repository.close()
    assert {kind: pruned.names(kind) for kind in FileType} == files
    done = pruned.prune(grace_s=0.0)
    for code in ("packs-needless", "packs-repacked", "space-freed"):
        assert steps(planned)[code] == steps(done)[code]


def test_at_once(pruned: Pruned, tmp_path: Path) -> None:
    before = sum(path.stat().st_size for path in (pruned.scene.place / "data").rglob("*") if path.is_file())
    told = steps(pruned.prune(grace_s=0.0))
    after = sum(path.stat().st_size for path in (pruned.scene.place / "data").rglob("*") if path.is_file())
    assert before - after >= told["space-freed"][1] * 0.9
    pruned.verify(tmp_path / "out")
    repository = pruned.scene.open()
    pruned.change(7)
    given = pruned.feeder.given
    pruned.commit(repository)
    # Only what changed travels: who stored what was copied is still told that it is here.
    assert pruned.feeder.given - given < 55_000
    repository.close()
    pruned.verify(tmp_path / "next")


def test_enough_may_stay_needless(pruned: Pruned) -> None:
    told = steps(pruned.prune(thresholds=Thresholds(max_unused=100.0)))
    assert told["space-unused"][1] > 0 or told["packs-repacked"][0] == 0


def test_no_more_is_copied_than_allowed(pruned: Pruned) -> None:
    told = steps(pruned.prune(thresholds=Thresholds(max_unused=0.0, max_repack_bytes=10_000)))
    assert told["packs-repacked"][1] <= 10_000


def _breaks(at: int, error: BaseException, *, removing: bool) -> Plan:
    return lambda step, verb, _kind: error if step >= at and (removing or verb != "remove") else None


def _each_step(pruned: Pruned, folder: Path, error: BaseException, *, removing: bool, grace_s: float) -> Iterator[int]:
    """Break a prune off at each of its steps in turn, on copies of the same repository; ends when it gets through."""
    for at in range(1, 200):
        scene = pruned.scene.copy_to(folder / f"{at}")
        repository, backend = scene.open_faulty(_breaks(at, error, removing=removing))
        try:
            repository.prune(PruneOrder(grace_s=grace_s, thresholds=NOTHING_UNUSED))
        except HoldfastError:
            assert backend.fired
        repository.close()
        if not backend.fired:
            return
        broken = Pruned(scene, pruned.tree)
        broken.verify(folder / f"{at}-broken")
        broken.prune(grace_s=0.0)
        scene.restic.check()
        assert len(broken.names(FileType.SNAPSHOT)) == 2
        yield at


@pytest.mark.parametrize(
    ("error", "removing", "grace_s"),
    [(StoreError("killed"), True, 0.0), (NoSpace("full"), False, GRACE_S)],
    ids=["killed-at-once", "full-marked"],
)
def test_broken_off_at_every_step_nothing_is_lost(
    pruned: Pruned, tmp_path: Path, error: BaseException, removing: bool, grace_s: float
) -> None:
    assert len(list(_each_step(pruned, tmp_path / "steps", error, removing=removing, grace_s=grace_s))) >= 4


def test_stock_restic_between_the_phases(pruned: Pruned, tmp_path: Path) -> None:
    pruned.prune()
    # Content that a marked pack holds: restic does not see it there and stores it anew.
    pruned.scene.restic.run("backup", str(pruned.tree))
    pruned.scene.clock.advance(GRACE_S + 1)
    pruned.prune()
    pruned.verify(tmp_path / "backup")
    pruned.change(8)
    repository = pruned.scene.open()
    pruned.commit(repository, KeepRules(last=1))
    repository.close()
    pruned.prune()
    marked = len(pruned.names(FileType.DATA))
    pruned.scene.restic.run("prune", "--max-unused", "0")
    assert len(pruned.names(FileType.DATA)) < marked
    pruned.verify(tmp_path / "prune")
    pruned.prune()
    pruned.verify(tmp_path / "again")


def test_it_waits_for_other_programs(pruned: Pruned) -> None:
    backend = LocalBackend(pruned.scene.place)
    storage = Storage(backend, unlock(backend, PASSWORD)[0], pruned.scene.clock, SeededEntropy("other"))
    lock = LockFile(time=time_text(pruned.scene.clock.now_ns()), hostname="elsewhere", username="somebody", pid=7)
    repository = pruned.scene.open()
    name = storage.save_document(FileType.LOCK, encode_lock(lock)).hex()
    before = pruned.names(FileType.INDEX)
    with pytest.raises(RepositoryLocked, match="another program"):
        repository.prune(pruned.order())
    assert before <= pruned.names(FileType.INDEX)
    backend.remove(FileType.LOCK, name)
    assert steps(repository.prune(pruned.order()))["space-freed"][1] > 0
    assert pruned.names(FileType.LOCK) == set()
    repository.close()


def test_a_commit_that_was_told_have_it_keeps_what_it_was_told(pruned: Pruned, tmp_path: Path) -> None:
    """A state whose content is in needless packs is delivered while a prune runs: it is asked before, and sealed after."""
    state = TreeSource(pruned.tree)
    (pruned.tree / "large").write_bytes(random.Random(4).randbytes(9_000))
    repository = pruned.scene.open()
    for number in range(3):
        pruned.change(number + 20)
        pruned.commit(repository, KeepRules(last=1))
    # Back to the state of before, of which nothing but needless packs is left.
    pruned.feeder.chunks.update(state.chunks)
    reports: list[Report] = []

    class PruningAction:
        """Prunes between what was asked and what is applied."""

        def __init__(self, inner: Action) -> None:
            self._inner = inner

        def __getattr__(self, name: str) -> object:
            return getattr(self._inner, name)

        def apply(self, *arguments: object) -> None:
            if not reports:
                reports.append(repository.prune(pruned.order(grace_s=0.0)))
            self._inner.apply(*arguments)  # type: ignore[arg-type]

    inner = pruned.scene.action(repository, keep=KeepRules(last=5))
    given = pruned.feeder.given
    pruned.feeder.send(PruningAction(inner), None, state.all)  # type: ignore[arg-type]
    inner.close()
    assert pruned.feeder.given == given, "everything was here when it was asked for"
    assert steps(reports[0])
    assert len(repository.points()) == 2
    repository.close()
    pruned.scene.restic.check()


def test_a_reader_of_a_forgotten_point_reads_to_its_end(pruned: Pruned) -> None:
    repository = pruned.scene.open()
    reader = repository.reader(repository.points()[0])
    entries = list(reader.entries())
    for number in range(3):
        pruned.change(30 + number)
        pruned.commit(repository, KeepRules(last=1))
    report = repository.prune(pruned.order(grace_s=0.0))
    ids = {ref.id for entry in entries for ref in entry.chunks}
    assert {payload.id for payload in reader.payloads(list(ids))} == ids
    reader.close()
    repository.prune(pruned.order(grace_s=0.0))
    assert steps(repository.prune(pruned.order(grace_s=0.0)))["space-freed"] == (0, 0), report
    repository.close()
    pruned.scene.restic.check()


def test_chunks_that_a_prune_moves_after_they_were_listed_are_read_where_they_are_now(
    pruned: Pruned, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = pruned.scene.open()
    reader, other = repository.reader(repository.points()[-1]), repository.reader(repository.points()[-1])
    before = places_of(reader)
    # A first chunk out of each pack is asked for, and with it the pack known.
    asked = sorted(before, key=before.__getitem__)[::2]
    assert [answer.lost for answer in reader.answers([asked]) if answer.lost] == []
    old = pruned.names(FileType.DATA)
    repository.prune(pruned.order(grace_s=0.0))
    moved = [chunk for chunk, place in places_of(other).items() if place != before[chunk] and chunk not in asked]
    assert moved
    read: set[str] = set()
    load = LocalBackend.load

    def noted(backend: LocalBackend, kind: FileType, name: str, offset: int = 0, size: int | None = None) -> bytes:
        read.add(name)
        return load(backend, kind, name, offset, size)

    monkeypatch.setattr(LocalBackend, "load", noted)
    given = [payload.id for answer in reader.answers([moved]) for payload in answer.payloads]
    assert sorted(given) == sorted(moved)
    assert not read & old
    reader.close()
    other.close()
    repository.close()


def places_of(reader: PointReader) -> dict[bytes, int]:
    """Where the listing says that each chunk lies."""
    found: dict[bytes, int] = {}
    for listed in reader.listing():
        found.update(zip([ref.id for entry in listed.entries for ref in entry.chunks], listed.places, strict=True))
    return found


def test_what_was_left_by_a_run_that_was_cut_off_goes_too(pruned: Pruned, tmp_path: Path) -> None:
    backend = LocalBackend(pruned.scene.place)
    backend.save(FileType.DATA, "ab" * 32, b"left")
    pruned.prune()
    assert "ab" * 32 in pruned.names(FileType.DATA)
    pruned.scene.clock.advance(GRACE_S + 1)
    pruned.prune()
    assert "ab" * 32 not in pruned.names(FileType.DATA)
    pruned.verify(tmp_path / "out")


def test_nothing_is_pruned_while_something_cannot_be_read(pruned: Pruned) -> None:
    snapshot = next((pruned.scene.place / "snapshots").iterdir())
    data = snapshot.read_bytes()
    snapshot.chmod(0o600)
    snapshot.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    (pruned.scene.home / "catalog.db").unlink()
    files = pruned.names(FileType.DATA)
    with pytest.raises(RepositoryDamaged, match="nothing is pruned"):
        pruned.prune(grace_s=0.0)
    assert pruned.names(FileType.DATA) == files
    snapshot.write_bytes(data)
    pruned.prune(grace_s=0.0)
    pruned.scene.restic.check()
