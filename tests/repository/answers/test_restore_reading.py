"""What a restore reads out of a repository: the same entries as everybody, in pack order, and all that damage has left."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from holdfast.core.clock import SystemClock
from holdfast.core.errors import UnknownName
from holdfast.delivery.unpack import content_of
from holdfast.host.compare import compare_trees
from holdfast.model.entry import Entry
from holdfast.model.orders import RestoreRequest
from holdfast.model.reading import PointReader
from holdfast.operations.restore import RestoreResult, restore
from holdfast.repository._format.pack import BlobType
from holdfast.repository._format.tree import RawNode
from holdfast.repository.answers import point_walk
from holdfast.repository.catalog.blob_table import BlobTable, PlacedRow
from holdfast.repository.packs import known_places
from holdfast.repository.packs.trees import Trees
from holdfast.repository.repository import Repository
from holdfast.testing.odd_tree import build_odd_tree
from holdfast.testing.repository_scene import DATASET, RepositoryScene
from holdfast.testing.tree_source import TreeSource
from tests.repository.damage import flip


@pytest.fixture
def state(tmp_path: Path) -> TreeSource:
    root = tmp_path / "source"
    build_odd_tree(root)
    for number in range(300):
        place = root / "many" / f"{number % 7}" / f"{number % 5}"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"file{number:03}").write_bytes(os.urandom(number * 20))
    return TreeSource(root)


@pytest.fixture
def repository(scene: RepositoryScene, state: TreeSource) -> Iterator[Repository]:
    repository = scene.open()
    scene.store(repository, scene.feeder(state), None, state.all)
    yield repository
    repository.close()


def reader_of(repository: Repository) -> PointReader:
    found = repository.newest(DATASET)
    assert found is not None
    return found[1]


def to(target: Path, reader: PointReader) -> RestoreResult:
    return restore(reader, RestoreRequest(target=str(target)), (), clock=SystemClock(), check_write=lambda path: None)


@pytest.mark.parametrize("ahead_bytes", [1, 1 << 20])
def test_the_listing_is_what_is_there_with_a_place_for_each_chunk(
    repository: Repository, state: TreeSource, ahead_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(point_walk, "_AHEAD_BYTES", ahead_bytes)
    monkeypatch.setattr(point_walk, "_LISTED_ENTRIES", 10)
    reader = reader_of(repository)
    for paths in ((), (b"/",), (state.root + b"/many/3",), (state.root + b"/many/3/1", state.root + b"/plain", state.root + b"/many/3")):
        entries: list[Entry] = []
        for listed in reader.listing(paths):
            entries += listed.entries
            assert len(listed.places) == sum(len(entry.chunks) for entry in listed.entries)
        assert entries == list(reader.entries(paths))
    with pytest.raises(UnknownName):
        list(reader.listing((state.root + b"/not there",)))
    reader.close()


def test_of_files_that_are_named_each_folder_on_the_way_is_loaded_once(
    repository: Repository, state: TreeSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[bytes] = []
    load = Trees.load

    def counted(trees: Trees, tree: bytes) -> list[RawNode]:
        loaded.append(tree)
        return load(trees, tree)

    monkeypatch.setattr(Trees, "load", counted)
    reader = reader_of(repository)
    files = [os.fsencode(path) for path in Path(os.fsdecode(state.root)).glob("many/*/*/file*")]
    assert len([entry for listed in reader.listing(files) for entry in listed.entries]) == len(files) == 300
    assert len(loaded) == len(set(loaded))
    reader.close()


def test_the_index_is_asked_once_for_a_chunk_that_was_listed(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bytes] = []
    rows = BlobTable.rows

    def counted(table: BlobTable, blob_ids: Sequence[bytes], kind: BlobType) -> list[PlacedRow]:
        asked.extend(blob_ids if kind is BlobType.DATA else ())
        return rows(table, blob_ids, kind)

    monkeypatch.setattr(BlobTable, "rows", counted)
    reader = reader_of(repository)
    ids = list(dict.fromkeys(ref.id for listed in reader.listing() for entry in listed.entries for ref in entry.chunks))
    asked.clear()
    for _ in range(2):
        assert {payload.id for answer in reader.answers([ids]) for payload in answer.payloads} == set(ids)
    # Who asks again is answered out of the index, so that what is known takes no more memory than is needed.
    assert sorted(asked) == sorted(ids)
    reader.close()


def test_of_a_long_listing_no_more_is_known_than_there_is_room_for(
    repository: Repository, state: TreeSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known_places, "_MOST", 100)
    monkeypatch.setattr(point_walk, "_AHEAD_BYTES", 1)
    reader = reader_of(repository)
    ids = {ref.id for listed in reader.listing() for entry in listed.entries for ref in entry.chunks}
    assert len(ids) > 200
    assert {payload.id for answer in reader.answers([list(ids)]) for payload in answer.payloads} == ids
    reader.close()


def test_places_are_in_the_order_of_the_packs(repository: Repository) -> None:
    reader = reader_of(repository)
    found: dict[bytes, int] = {}
    for listed in reader.listing():
        ids = [ref.id for entry in listed.entries for ref in entry.chunks]
        found.update(zip(ids, listed.places, strict=True))
    wanted = sorted(found, key=found.__getitem__)
    given = [payload for answer in reader.answers([wanted]) for payload in answer.payloads]
    assert {payload.id: len(content_of(payload)) for payload in given}.keys() == found.keys()
    # One answer for each run of neighbours in one pack: few reads, whatever the number of files.
    assert len(list(reader.answers([wanted]))) <= 3
    reader.close()


@pytest.mark.parametrize("damage", ["flipped", "cut", "gone"])
def test_damage_costs_the_files_it_hits_and_never_a_wrong_byte(
    scene: RepositoryScene, repository: Repository, state: TreeSource, tmp_path: Path, damage: str
) -> None:
    reader = reader_of(repository)
    packs = sorted((scene.place / "data").glob("*/*"), key=lambda pack: pack.stat().st_size)
    listed = list(reader.listing())
    if damage == "flipped":
        for at in range(1_000, packs[-1].stat().st_size - 20_000, 40_000):
            flip(packs[-1], at)
    elif damage == "cut":
        os.truncate(packs[-1], packs[-1].stat().st_size // 2)
    else:
        packs[-1].unlink()
    result = to(tmp_path / "out", reader)
    reader.close()
    assert listed
    assert result.failed > 0
    assert {finding.code for finding in result.findings} <= {"repository-damaged", "store"}
    assert (result.files > 250) == (damage == "flipped")
    damaged = {finding.path for finding in result.findings}
    place = tmp_path / "out"
    for path, entry in state.all.items():
        restored = Path(os.fsdecode(os.fsencode(place) + path))
        if entry.chunks and not entry.xattrs and restored.is_file():
            assert restored.read_bytes() == b"".join(state.chunks[ref.id] for ref in entry.chunks)
    assert all(path.startswith("/") for path in damaged)


def test_a_restore_out_of_a_repository_is_the_source(repository: Repository, state: TreeSource, tmp_path: Path) -> None:
    reader = reader_of(repository)
    result = to(tmp_path / "out", reader)
    reader.close()
    assert (result.failed, result.findings) == (0, ())
    assert [str(found) for found in compare_trees(state.root, os.fsencode(tmp_path / "out") + state.root)] == []
