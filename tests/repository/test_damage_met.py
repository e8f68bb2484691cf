"""Damage that a reader meets: it costs what it hits and no more, it is recorded and told, and the source's next run heals it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from holdfast.core.clock import SystemClock
from holdfast.core.errors import RepositoryDamaged, StoreError
from holdfast.model.listing_questions import AskListing
from holdfast.model.orders import RestoreRequest
from holdfast.operations.restore import RestoreResult, restore
from holdfast.repository._format.pack import BlobType
from holdfast.repository.catalog.blob_table import Place
from holdfast.repository.packs.blob_writer import BlobWriter
from holdfast.repository.quarantine import Met
from holdfast.repository.repository import Repository
from holdfast.testing.repository_scene import DATASET, MarkingFeeder, RepositoryScene
from holdfast.testing.tree_source import TreeSource
from tests.repository.damage import flip


@dataclass
class Stored:
    """One point of a small tree, in an open repository, and what its readers have told."""

    scene: RepositoryScene
    state: TreeSource
    feeder: MarkingFeeder
    repository: Repository
    told: list[Met] = field(default_factory=list)

    @property
    def tree(self) -> bytes:
        row = self.repository._interior.commits.newest(1)
        assert row is not None
        return row.tree

    def subtree(self, path: bytes) -> bytes:
        node = self.repository._interior.trees.node_at(self.tree, self.state.root + path)
        assert node is not None
        assert node.subtree is not None
        return node.subtree

    def place_of(self, blob: bytes, kind: BlobType) -> Place:
        place = self.repository._interior.blobs.place(blob, kind)
        assert place is not None
        return place

    def hurt(self, blob: bytes, kind: BlobType) -> None:
        place = self.place_of(blob, kind)
        flip(self.scene.place / "data" / place.pack.hex()[:2] / place.pack.hex(), place.blob.offset + place.blob.length // 2)

    def chunk(self, path: bytes) -> bytes:
        return self.state.all[self.state.root + path].chunks[0].id

    def restore(self, target: Path, *paths: bytes) -> RestoreResult:
        reader = self.repository.reader(self.repository.points()[-1])
        try:
            return restore(reader, RestoreRequest(target=str(target)), paths, clock=SystemClock(), check_write=lambda path: None)
        finally:
            reader.close()

    def send_all(self) -> None:
        """The source's next run: it asks where the repository stands, and sends what follows from that."""
        action = self.scene.action(self.repository)
        try:
            base = None if action.cursor() is None else self.state.all
            self.feeder.send(action, base, self.state.all)
        finally:
            action.close()

    @property
    def is_owed(self) -> bool:
        """Whether the source would be told that nothing is here."""
        action = self.scene.action(self.repository)
        try:
            return action.cursor() is None
        finally:
            action.close()


@pytest.fixture
def stored(scene: RepositoryScene, tmp_path: Path) -> Iterator[Stored]:
    root = tmp_path / "source"
    for folder in ("one", "two", "two/deep", "three"):
        (root / folder).mkdir(parents=True)
        for number in range(3):
            (root / folder / f"file{number}").write_bytes(os.urandom(3_000 + number))
    state = TreeSource(root)
    feeder = scene.feeder(state)
    repository = scene.open()
    scene.store(repository, feeder, None, state.all)
    stored = Stored(scene, state, feeder, repository)
    repository.hear_damage(stored.told.extend)
    yield stored
    stored.repository.close()


def whole(stored: Stored, target: Path) -> bool:
    for path, entry in stored.state.all.items():
        if entry.chunks:
            found = Path(os.fsdecode(os.fsencode(target) + path))
            if not found.is_file() or found.read_bytes() != b"".join(stored.state.chunks[ref.id] for ref in entry.chunks):
                return False
    return True


def test_a_chunk_that_a_restore_could_not_have_is_sent_again_by_the_next_run(stored: Stored, tmp_path: Path) -> None:
    stored.hurt(stored.chunk(b"/two/file1"), BlobType.DATA)
    result = stored.restore(tmp_path / "out")
    assert [finding.path for finding in result.findings] == [os.fsdecode(stored.state.root + b"/two/file1")]
    assert (result.failed, result.files) == (1, 11)
    assert [met.key.id for met in stored.told] == [stored.chunk(b"/two/file1")]
    assert stored.told[0].label == "files1/documents"
    assert stored.is_owed
    # Kept over a restart, too.
    stored.repository.close()
    stored.repository = stored.scene.open()
    assert stored.is_owed
    assert stored.repository.care.proven_at is None
    stored.send_all()
    assert stored.restore(tmp_path / "again").failed == 0
    assert whole(stored, tmp_path / "again")
    assert stored.repository.care.repair().findings == ()
    stored.repository.close()
    stored.scene.restic.check()
    stored.repository = stored.scene.open()


def test_who_has_given_all_it_has_is_not_asked_again_by_each_reader(stored: Stored, tmp_path: Path) -> None:
    stored.hurt(stored.chunk(b"/one/file0"), BlobType.DATA)
    stored.restore(tmp_path / "out")
    (tmp_path / "source" / "one" / "file0").write_bytes(b"another")
    stored.state = TreeSource(tmp_path / "source")
    stored.feeder.chunks.update(stored.state.chunks)
    stored.send_all()
    assert not stored.is_owed
    reader = stored.repository.reader(stored.repository.points()[0])
    target = tmp_path / "old"
    result = restore(reader, RestoreRequest(target=str(target)), (), clock=SystemClock(), check_write=lambda path: None)
    reader.close()
    assert result.failed == 1
    assert not stored.is_owed
    assert len(stored.told) == 1


def test_a_damaged_tree_takes_only_its_own_folder_out_of_a_restore(stored: Stored, tmp_path: Path) -> None:
    stored.hurt(stored.subtree(b"/two"), BlobType.TREE)
    result = stored.restore(tmp_path / "out")
    (finding,) = result.findings
    assert (finding.code, finding.path) == ("folder-lost", os.fsdecode(stored.state.root + b"/two"))
    assert (result.failed, result.files) == (1, 6)
    restored = Path(os.fsdecode(os.fsencode(tmp_path / "out") + stored.state.root))
    assert sorted(path.name for path in restored.iterdir()) == ["one", "three", "two"]
    assert list((restored / "two").iterdir()) == []
    assert stored.is_owed
    stored.send_all()
    assert stored.restore(tmp_path / "again").failed == 0
    assert whole(stored, tmp_path / "again")


def test_a_path_below_a_damaged_tree_is_named_beside_one_that_is_whole(stored: Stored, tmp_path: Path) -> None:
    stored.hurt(stored.subtree(b"/two"), BlobType.TREE)
    root = stored.state.root
    result = stored.restore(tmp_path / "out", root + b"/two/deep", root + b"/one")
    assert [finding.path for finding in result.findings] == [os.fsdecode(root + b"/two/deep")]
    assert result.files == 3
    with pytest.raises(RepositoryDamaged, match="nothing of it can be listed"):
        stored.restore(tmp_path / "none", root + b"/two/deep")
    dry = stored.repository.reader(stored.repository.points()[-1])
    planned = restore(dry, RestoreRequest(target="/", dry_run=True), (), clock=SystemClock(), check_write=lambda path: None)
    dry.close()
    assert planned.failed == 1


def test_a_listing_goes_on_beside_a_damaged_tree_and_names_it(stored: Stored) -> None:
    stored.hurt(stored.subtree(b"/two/deep"), BlobType.TREE)
    point, root = stored.repository.points()[-1].id, stored.state.root
    listing = stored.repository.listing(AskListing(point=point, path=root, recursive=True, limit=100))
    assert len(listing.rows) == 13
    assert [folder.path for folder in listing.lost] == [os.fsdecode(root + b"/two/deep")]
    assert len(stored.told) == 1
    # Of the folder itself nothing can be said.
    with pytest.raises(RepositoryDamaged):
        stored.repository.listing(AskListing(point=point, path=root + b"/two/deep"))
    assert len(stored.repository.listing(AskListing(point=point, path=root + b"/two")).rows) == 4


def test_a_second_copy_in_another_pack_is_taken_and_nobody_is_asked(stored: Stored, tmp_path: Path) -> None:
    interior = stored.repository._interior
    blobs = [(stored.chunk(b"/three/file2"), BlobType.DATA), (stored.subtree(b"/three"), BlobType.TREE)]
    before = [stored.place_of(*blob) for blob in blobs]
    writer = BlobWriter(interior.storage, interior.blobs)
    for place in before:
        writer.add_plain(place.blob.type, place.blob.id, interior.storage.load_blob(place))
    writer.flush()
    for (blob, kind), old in zip(blobs, before, strict=True):
        interior.blobs.distrust({})
        hurt = stored.place_of(blob, kind)
        flip(stored.scene.place / "data" / hurt.pack.hex()[:2] / hurt.pack.hex(), hurt.blob.offset + 20)
        assert hurt.pack in (old.pack, *interior.blobs.packs().values())
    assert stored.restore(tmp_path / "out").failed == 0
    assert whole(stored, tmp_path / "out")
    assert {met.key.id for met in stored.told} == {blob for blob, _ in blobs}
    assert not stored.is_owed


def test_a_place_that_is_away_is_not_damage(stored: Stored, tmp_path: Path) -> None:
    reader = stored.repository.reader(stored.repository.points()[-1])
    entries = [entry for entry in reader.entries() if entry.chunks]
    shutil.move(stored.scene.place, tmp_path / "unmounted")
    with pytest.raises(StoreError):
        list(reader.payloads([entries[0].chunks[0].id]))
    shutil.move(tmp_path / "unmounted", stored.scene.place)
    reader.close()
    assert stored.told == []
    assert not stored.is_owed


def test_a_cascade_hands_on_nothing_of_a_point_that_is_not_whole(stored: Stored) -> None:
    stored.hurt(stored.subtree(b"/one"), BlobType.TREE)
    point = stored.repository.points()[-1]
    with pytest.raises(RepositoryDamaged):
        list(stored.repository.outgoing(point, None))
    assert stored.is_owed
    assert len(stored.told) == 1


def test_a_delivery_that_meets_a_damaged_tree_is_followed_by_a_full_one(stored: Stored, tmp_path: Path) -> None:
    stored.hurt(stored.subtree(b"/one"), BlobType.TREE)
    before = stored.state
    (tmp_path / "source" / "one" / "file0").write_bytes(b"another")
    stored.state = TreeSource(tmp_path / "source")
    stored.feeder.chunks.update(stored.state.chunks)
    action = stored.scene.action(stored.repository)
    action.cursor()
    with pytest.raises(RepositoryDamaged):
        stored.feeder.send(action, before.all, stored.state.all)
    action.close()
    assert stored.is_owed
    stored.feeder.seq += 1
    stored.send_all()
    assert stored.restore(tmp_path / "out").failed == 0
    assert whole(stored, tmp_path / "out")


def test_lost_folders_of_a_dataset_that_owes_nothing(stored: Stored, tmp_path: Path) -> None:
    """What the newest state is asked for by its source, whose own state was lost."""
    stored.hurt(stored.subtree(b"/two"), BlobType.TREE)
    found = stored.repository.newest(DATASET)
    assert found is not None
    with pytest.raises(RepositoryDamaged):
        list(found[1].entries())
    found[1].close()
    assert stored.is_owed
