"""A check names each damage, and what it takes away; subsets, and what is kept in memory for it."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.backend.backend import FileType
from holdfast.core.errors import UsageError
from holdfast.model.jobs import Finding, Severity
from holdfast.model.maintenance import Subset, parse_subset
from holdfast.repository._format.index import IndexedPack, encode_index
from holdfast.repository._format.pack import Blob, BlobType, PackedBlob, read_pack_header
from holdfast.repository.care.care import chooser
from holdfast.repository.care.pack_check import verify_pack
from holdfast.repository.catalog.blob_table import Place
from holdfast.repository.diagnosis import CODES, BlobKey
from holdfast.repository.packs.inventory import Inventory
from holdfast.repository.repository import Repository
from holdfast.testing.repository_scene import RepositoryScene
from holdfast.testing.tree_source import TreeSource


@pytest.fixture
def repository(scene: RepositoryScene, tree: Path) -> Repository:
    first = TreeSource(tree)
    repository = scene.open()
    feeder = scene.feeder(first)
    scene.store(repository, feeder, None, first.all)
    (tree / "top").write_bytes(b"changed")
    second = TreeSource(tree)
    feeder.chunks.update(second.chunks)
    scene.store(repository, feeder, first.all, second.all)
    return repository


def _packs(scene: RepositoryScene) -> list[Path]:
    """Largest first: the first commit's chunks lead."""
    return sorted(scene.place.glob("data/*/*"), key=lambda path: path.stat().st_size, reverse=True)


def _flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


DAMAGES: dict[str, tuple[Callable[[RepositoryScene], None], set[str]]] = {
    "a bit of a pack": (lambda scene: _flip(_packs(scene)[0], 5), {"pack-damaged", "blob-damaged"}),
    "the header of a pack": (lambda scene: _flip(_packs(scene)[0], -6), {"pack-damaged"}),
    "a truncated pack": (lambda scene: _truncate(_packs(scene)[0]), {"pack-size"}),
    "a missing pack": (lambda scene: _packs(scene)[0].unlink(), {"pack-missing"}),
    "an index file": (lambda scene: _flip(next(iter(scene.place.glob("index/*"))), 40), {"index-damaged", "pack-unused"}),
    "a snapshot": (lambda scene: _flip(next(iter(scene.place.glob("snapshots/*"))), 40), {"snapshot-damaged"}),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_each_damage_is_named(scene: RepositoryScene, repository: Repository, name: str) -> None:
    damage, codes = DAMAGES[name]
    damage(scene)
    found = repository.check(read_data=True)
    assert codes <= {finding.code for finding in found} <= set(CODES)
    assert not repository.status().checked_ok
    for finding in found:
        assert finding.path
        assert finding.hint or finding.severity is Severity.INFO


def test_damage_says_which_points_and_files_it_takes(scene: RepositoryScene, repository: Repository, tree: Path) -> None:
    packs = _packs(scene)
    _flip(packs[0], 5)
    (blob,) = [finding for finding in repository.check(read_data=True) if finding.code == "blob-damaged"]
    points = [line for line in blob.affected if line.startswith("point files1/documents of ")]
    assert len(points) == 2
    (file,) = [line for line in blob.affected if line.startswith("file ")]
    assert Path(file.removeprefix("file ")).is_relative_to(tree)


def test_what_another_pack_holds_is_not_lost(scene: RepositoryScene, repository: Repository) -> None:
    storage = repository._interior.storage
    pack = bytes.fromhex(_packs(scene)[0].name)
    header = read_pack_header(storage.key, storage.backend.load(FileType.DATA, pack.hex()))
    plains = [(blob, storage.load_blob(Place(pack, blob))) for blob in header]
    copy = storage.build_and_save_pack([Blob(blob.id, blob.type, plain, 0) for blob, plain in plains], storage.draw_ivs(len(plains)))
    storage.settle_packs([copy.id])
    storage.save_document(FileType.INDEX, encode_index([IndexedPack(copy.id, copy.blobs)]))
    _flip(scene.place / "data" / pack.hex()[:2] / pack.hex(), 5)
    found = repository.check(read_data=True)
    assert {finding.code for finding in found} == {"pack-damaged", "blob-damaged"}
    assert all(finding.affected == () and "nothing is lost" in finding.hint for finding in found)


@pytest.mark.parametrize("damaged", [range(500), range(70, 500, 3), range(499, 500)], ids=["all", "some", "the last"])
def test_of_many_blobs_in_a_pack_those_that_are_damaged_are_named(scene: RepositoryScene, damaged: range) -> None:
    storage = scene.open()._interior.storage
    plains = [b"%d" % number for number in range(500)]
    blobs = [Blob(sha256(plain).digest(), BlobType.DATA, plain, 0) for plain in plains]
    pack = storage.build_and_save_pack(blobs, storage.draw_ivs(len(blobs)))
    storage.settle_packs([pack.id])
    path = scene.place / "data" / pack.id.hex()[:2] / pack.id.hex()
    data = bytearray(path.read_bytes())
    for number in damaged:
        data[pack.blobs[number].offset + 16] ^= 1
    path.write_bytes(data)
    found = verify_pack(storage, pack.id, pack.blobs)
    assert found is not None
    assert found.code == "pack-damaged"
    assert found.bad == {BlobKey(BlobType.DATA, pack.blobs[number].id) for number in damaged}


def test_without_read_data_a_flipped_bit_goes_unseen_and_a_subset_of_all_finds_it(scene: RepositoryScene, repository: Repository) -> None:
    _flip(_packs(scene)[0], 5)
    assert repository.check(read_data=False) == ()
    assert repository.care.check(read_data=False, subset=Subset(ratio=1.0)) != ()
    groups = [repository.care.check(read_data=False, subset=Subset(group=group, groups=4)) for group in range(1, 5)]
    assert sum(map(bool, groups)) == 1


@pytest.mark.parametrize("text", ["", "0%", "101%", "0/3", "4/3", "1/300", "x", "-5%", "5 %", "٣%", "0B"])
def test_subsets_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_subset(text)


def test_subsets_as_people_write_them() -> None:
    assert parse_subset("10%") == Subset(ratio=0.1)
    assert parse_subset("0.5%") == Subset(ratio=0.005)
    assert parse_subset("3/10") == Subset(group=3, groups=10)
    assert parse_subset("500MB") == Subset(size_bytes=500_000_000)


def _inventory(ids: list[bytes], trees: set[int]) -> tuple[Inventory, dict[bytes, list[PackedBlob]]]:
    inventory = Inventory()
    known: dict[bytes, list[PackedBlob]] = {}
    for number, blob_id in enumerate(ids):
        kind = BlobType.TREE if number in trees else BlobType.DATA
        blob = PackedBlob(blob_id, kind, number, 50 + number, 0)
        pack = IndexedPack(bytes([number]) * 32, (blob,))
        inventory.add([pack], {pack.id: 100})
        known.setdefault(blob_id, []).append(blob)
    inventory.freeze()
    return inventory, known


@given(st.lists(st.binary(min_size=32, max_size=32), max_size=40), st.sets(st.integers(0, 39)), st.binary(min_size=32, max_size=32))
def test_the_inventory_knows_what_was_put_in(ids: list[bytes], trees: set[int], other: bytes) -> None:
    inventory, known = _inventory(ids, trees)
    for blob_id in [*ids, other]:
        places = inventory.trees.places(blob_id, inventory.pack_ids)
        blobs = known.get(blob_id, [])
        assert {(place.pack, place.blob) for place in places} == {
            (bytes([ids_at]) * 32, blob) for blob in blobs if blob.type is BlobType.TREE for ids_at in [blob.offset]
        }
        assert (blob_id in inventory.chunks) == any(blob.type is BlobType.DATA for blob in blobs)


@given(st.sets(st.binary(min_size=32, max_size=32), min_size=1, max_size=30), st.binary(max_size=8), st.floats(0.01, 1))
def test_a_subset_is_at_least_as_much_as_was_asked(ids: set[bytes], seed: bytes, ratio: float) -> None:
    inventory = Inventory()
    inventory.add([IndexedPack(pack, ()) for pack in sorted(ids)], dict.fromkeys(ids, 100))
    inventory.freeze()
    chosen = chooser(Subset(ratio=ratio), seed)(inventory)
    assert len(chosen) * 100 >= len(ids) * 100 * ratio
    assert (len(chosen) - 1) * 100 < max(len(ids) * 100 * ratio, 1)
    groups = [chooser(Subset(group=group, groups=7), seed)(inventory) for group in range(1, 8)]
    assert set().union(*groups) == ids
    assert sum(map(len, groups)) == len(ids)


def test_findings_are_told_in_one_order(scene: RepositoryScene, repository: Repository) -> None:
    _packs(scene)[0].unlink()
    _flip(next(iter(scene.place.glob("snapshots/*"))), 40)
    order: list[Finding] = list(repository.check(read_data=True))
    assert [CODES.index(finding.code) for finding in order] == sorted(CODES.index(finding.code) for finding in order)
