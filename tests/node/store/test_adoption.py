"""A repository of stock restic is taken over: read, bound to a dataset, backed up into, with restic at work beside it as before."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from holdfast.backend.backend import FileType
from holdfast.backend.local import LocalBackend
from holdfast.core.clock import now
from holdfast.core.errors import Conflict, RepositoryLocked, RepositoryMissing, RepositoryOutdated, UnknownName, UsageError, WrongPassword
from holdfast.core.ids import ActionId
from holdfast.model import rules as model
from holdfast.model.adoption import Adopted, AskAdopt, Bind, parse_bind
from holdfast.model.document import KeepRules
from holdfast.model.listing_questions import AskListing
from holdfast.node.owned.repositories import Repositories
from holdfast.node.store.adoption import adopt
from holdfast.repository._format.lock import LockFile, encode_lock
from holdfast.repository._format.text import time_text
from holdfast.repository.key_slots import open_slot
from holdfast.repository.packs.storage import Storage
from holdfast.repository.repository import Repository
from holdfast.testing.node_rules import DOCUMENTS, FILES1, MAIN, store_rules
from holdfast.testing.repository_scene import MarkingFeeder
from holdfast.testing.stock_restic import StockRestic
from holdfast.testing.tree_source import TreeSource
from holdfast.testing.virtual_clock import SeededEntropy, VirtualClock
from tests.repository.damage import read_point

PASSWORD = "of the old days"


class Scene:
    """A tree that stock restic backed up three times, and a machine that is to own the repository."""

    def __init__(self, folder: Path, clock: VirtualClock) -> None:
        self.folder, self.clock = folder, clock
        self.tree = folder / "tree"
        (self.tree / "sub").mkdir(parents=True)
        for number in range(4):
            (self.tree / "sub" / f"file{number}").write_bytes(f"content {number}\n".encode() * 99)
        self.restic = StockRestic(str(folder / "store"), PASSWORD)
        self.restic.run("init")
        for number in range(3):
            (self.tree / "changing").write_text(f"state {number}")
            self.backup()
        self.repositories = Repositories(folder / "home", clock=clock, entropy=SeededEntropy("node"))
        rule = model.RepositoryRule(id=MAIN, name="main", location=str(folder / "store"))
        store = model.StoreAction(
            id=ActionId("b" * 32),
            repository=MAIN,
            operations=(model.StoredOperation(name="backup", kind="backup", keep=KeepRules(last=1)),),
        )
        self.receive = model.Receive(dataset=DOCUMENTS, label="files1/documents", sender=FILES1, actions=(store,))
        self.rules = msgspec.structs.replace(store_rules(), repositories=(rule,), receives=(self.receive,))

    def backup(self) -> None:
        self.restic.run("backup", "--host", "old", str(self.tree))

    def adopt(self, *binds: Bind, password: str = PASSWORD, name: str = "main", location: str | None = None) -> Adopted:
        ask = AskAdopt(
            repository=name, location=str(self.folder / "store") if location is None else location, password=password, binds=binds
        )
        return adopt(ask, self.repositories, self.rules)

    def opened(self) -> Repository:
        self.repositories.configure(self.rules.repositories)
        return self.repositories.get(MAIN)

    def store(self, repository: Repository, feeder: MarkingFeeder, state: TreeSource) -> None:
        store = self.receive.actions[0]
        assert isinstance(store, model.StoreAction)
        action = repository.store_action(store, self.receive, lambda *_: None)
        try:
            action.cursor()
            feeder.send(action, None, state.all)
        finally:
            action.close()


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path, VirtualClock(datetime.now(UTC)))


def test_a_repository_of_restic_is_taken_over_and_both_work_on(scene: Scene, tmp_path: Path) -> None:
    adopted = scene.adopt()
    group = f"old:{scene.tree}"
    assert [(each.group, each.count, each.dataset) for each in adopted.groups] == [(group, 3, "")]
    repository = scene.opened()
    points = repository.points()
    assert [(point.dataset, point.foreign) for point in points] == [(group, True)] * 3
    listed = repository.listing(AskListing(point=points[0].id, recursive=True))
    assert str(scene.tree / "sub" / "file0") in {row.path for row in listed.rows}
    bound = scene.adopt(Bind(dataset="files1/documents", group=group), location="")
    assert bound.bound == 3
    points = repository.points("files1/documents")
    assert [point.foreign for point in points] == [True] * 3
    assert [read_point(repository, point.id)[bytes(scene.tree / "changing")] for point in points] == [b"state 0", b"state 1", b"state 2"]
    # Our own first backup: of what the old snapshots hold nothing travels (but for large files, which restic cut elsewhere).
    state = TreeSource(scene.tree)
    feeder = MarkingFeeder(dataset=DOCUMENTS, roots=(state.root,), chunks=state.chunks, captured_at=now(scene.clock))
    scene.store(repository, feeder, state)
    assert feeder.given == 0
    scene.store(repository, feeder, state)
    own = [point for point in repository.points("files1/documents") if not point.foreign]
    assert len(own) == 1
    assert len(repository.points("files1/documents")) == 4
    # Restic goes on beside it, and forgets by its own rules.
    repository.check(read_data=True)
    (scene.tree / "changing").write_text("state 3")
    scene.backup()
    assert len(repository.points()) == 5
    scene.restic.run("forget", "--host", "old", "--group-by", "host,paths", "--keep-last", "1", "--prune")
    assert sorted((point.dataset, point.foreign) for point in repository.points()) == [("files1/documents", False), (group, True)]
    assert repository.check(read_data=True) == ()
    scene.restic.check()
    newest = scene.restic.json("snapshots", "--no-lock", "--host", "old", "--latest", "1")[-1]
    scene.restic.restore(newest["id"], tmp_path / "theirs")
    assert (tmp_path / "theirs" / str(scene.tree)[1:] / "changing").read_text() == "state 3"
    scene.restic.restore(own[0].snapshot, tmp_path / "ours")
    assert (tmp_path / "ours" / str(scene.tree)[1:] / "sub" / "file3").read_bytes() == b"content 3\n" * 99
    scene.repositories.close()


def test_what_was_bound_is_bound_after_the_catalog_was_lost(scene: Scene) -> None:
    group = f"old:{scene.tree}"
    scene.adopt()
    repository = scene.opened()
    scene.adopt(Bind(dataset="files1/documents", group=group), location="")
    repository.care.rebuild()
    assert len(repository.points("files1/documents")) == 3
    state = TreeSource(scene.tree)
    feeder = MarkingFeeder(dataset=DOCUMENTS, roots=(state.root,), chunks=state.chunks)
    scene.store(repository, feeder, state)
    assert feeder.given == 0
    assert scene.adopt(Bind(dataset="files1/documents", group=group), location="").bound == 0
    scene.repositories.close()


def test_a_repository_of_another_version_names_the_command_that_upgrades_it(scene: Scene, tmp_path: Path) -> None:
    old = StockRestic(str(tmp_path / "v1"), PASSWORD)
    old.run("init", "--repository-version", "1")
    with pytest.raises(RepositoryOutdated) as caught:
        scene.adopt(name="older", location=str(tmp_path / "v1"))
    assert "restic migrate upgrade_repo_v2" in caught.value.hint
    assert not (tmp_path / "home" / "keys" / "older").exists()


def test_what_cannot_be_taken_over_is_refused_by_its_reason(scene: Scene, tmp_path: Path) -> None:
    with pytest.raises(WrongPassword):
        scene.adopt(password="another")
    with pytest.raises(RepositoryMissing):
        scene.adopt(location=str(tmp_path / "nothing"))
    with pytest.raises(UsageError):
        scene.adopt(location="")
    backend = LocalBackend(tmp_path / "store")
    storage = Storage(backend, open_slot(backend, [PASSWORD]).master, scene.clock, SeededEntropy("lock"))
    lock = LockFile(time=time_text(scene.clock.now_ns()), exclusive=True, hostname="elsewhere", username="somebody", pid=1)
    name = storage.save_document(FileType.LOCK, encode_lock(lock)).hex()
    with pytest.raises(RepositoryLocked):
        scene.adopt()
    backend.remove(FileType.LOCK, name)
    scene.adopt()
    scene.opened()
    with pytest.raises(Conflict):
        scene.adopt(location=str(tmp_path / "elsewhere"))
    with pytest.raises(UnknownName, match="files9/none"):
        scene.adopt(Bind(dataset="files9/none", group=f"old:{scene.tree}"), location="")
    with pytest.raises(UnknownName, match="nobody"):
        scene.adopt(Bind(dataset="files1/documents", group="nobody:/x"), location="")
    scene.repositories.close()


def test_bindings_as_people_write_them() -> None:
    assert parse_bind("files1/documents=old:/srv") == Bind(dataset="files1/documents", group="old:/srv")
    for text in ("", "files1/documents", "documents=old:/srv", "files1/documents=old"):
        with pytest.raises(UsageError):
            parse_bind(text)
