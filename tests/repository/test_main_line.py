"""The main line: trees go in, stock restic and we ourselves give them back, byte for byte."""

from __future__ import annotations

import os
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import pytest

from holdfast.core.errors import StoreError
from holdfast.core.ids import NodeId
from holdfast.model.change import Cursor
from holdfast.model.entry import Entry, walk_key
from holdfast.model.listing_questions import AskFind, AskListing
from holdfast.repository._format.tree import encode_node, encode_tree
from holdfast.repository.repository import Repository
from holdfast.testing.odd_tree import build_odd_tree
from holdfast.testing.repository_scene import DATASET, RepositoryScene, everywhere
from holdfast.testing.stock_restic import StockRestic
from holdfast.testing.tree_source import TreeSource


@pytest.fixture
def source(tmp_path: Path) -> Path:
    root = tmp_path / "source"
    build_odd_tree(root)
    return root


def _ordered(entries: dict[bytes, Entry]) -> list[Entry]:
    return [entries[path] for path in sorted(entries, key=walk_key)]


def _canonical(entry: Entry) -> Entry:
    """Attribute order means nothing."""
    from msgspec.structs import replace

    return replace(entry, xattrs=tuple(sorted(entry.xattrs, key=lambda a: a.name)))


def _newest(repository: Repository) -> list[Entry]:
    found = repository.newest(DATASET)
    assert found is not None
    with_reader = found[1]
    try:
        return list(with_reader.entries())
    finally:
        with_reader.close()


@everywhere
def test_an_odd_tree_comes_back_as_it_was(scene: RepositoryScene, source: Path, tmp_path: Path) -> None:
    state = TreeSource(source)
    repository = scene.open()
    feeder = scene.feeder(state)
    told = scene.store(repository, feeder, None, state.all)
    assert told.error is None
    assert told.cursor == Cursor(feeder.epoch, 1)
    assert told.points == (feeder.point_id("backup"),)
    (point,) = repository.points()
    reader = repository.reader(point)
    entries = list(reader.entries())
    assert entries == [_canonical(entry) for entry in _ordered(state.all)]
    wanted = [chunk.id for entry in entries for chunk in entry.chunks]
    assert {payload.id: payload.data for payload in reader.payloads(wanted)} == {chunk: state.chunks[chunk] for chunk in wanted}
    reader.close()
    assert repository.check(read_data=True) == ()
    repository.close()
    scene.restic.check()
    scene.restic.restore("latest", tmp_path / "restored")
    # What restic 0.14 loses, it loses from its own backup of the same tree too; nothing else may be missing.
    own = StockRestic(str(tmp_path / "own"), "own")
    own.run("init")
    own.run("backup", str(source))
    own.restore("latest", tmp_path / "restored-own")
    ours, theirs = (_look(tmp_path / place, source) for place in ("restored", "restored-own"))
    for path, looks in _look(Path("/"), source).items():
        assert ours[path] in (looks, theirs[path]), path


def _look(top: Path, source: Path) -> dict[bytes, tuple[object, ...]]:
    """All of each path that a restore should bring back, by its path below `top`."""
    prefix = os.fsencode(top) if top != Path("/") else b""
    state = TreeSource(prefix + os.fsencode(source))
    return {
        path[len(prefix) :]: (
            *(e.kind, e.mode, e.uid, e.gid, e.mtime_ns, e.size_bytes, e.chunks, e.link_target, e.device_number, e.links),
            tuple(sorted(e.xattrs, key=lambda a: a.name)),
        )
        for path, e in state.all.items()
        if path[len(prefix) :].startswith(os.fsencode(source))
    }


def test_nodes_are_byte_for_byte_those_of_restic(scene: RepositoryScene, source: Path) -> None:
    """Every node that `restic backup` wrote, decoded and encoded again by us, is the same text; whole trees have the same id."""
    (source / "link-not-utf8").unlink()  # restic 0.14 loses the target
    scene.restic.run("backup", str(source))
    repository = scene.open()
    trees = repository._interior.trees
    (snapshot,) = scene.restic.json("snapshots")
    stack, seen = [(b"", bytes.fromhex(snapshot["tree"]))], 0
    while stack:
        folder, tree = stack.pop()
        nodes = trees.load(tree)
        encoded = []
        for node, entry in zip(nodes, trees.entries_of([(folder, node) for node in nodes]), strict=True):
            assert entry is not None
            encoded.append(encode_node(entry, node.subtree))
            assert encoded[-1] == node.raw
            seen += 1
            if node.subtree is not None:
                stack.append((entry.path, node.subtree))
        assert sha256(encode_tree(encoded)).digest() == tree
    assert seen > 60
    repository.close()


@everywhere
def test_changes_become_points_and_old_ones_stay(scene: RepositoryScene, source: Path, tmp_path: Path) -> None:
    first = TreeSource(source)
    repository = scene.open()
    feeder = scene.feeder(first)
    scene.store(repository, feeder, None, first.all)
    (source / "plain").write_bytes(b"changed")
    (source / "a" / "new").write_bytes(b"new")
    (source / "a" / "b").unlink()
    (source / "empty-folder").rmdir()
    (source / "empty-folder").write_bytes(b"now a file")
    (source / "empty").unlink()
    (source / "empty").mkdir()
    (source / "empty" / "child").write_bytes(b"below what was a file")
    second = TreeSource(source)
    feeder.chunks.update(second.chunks)
    told = scene.store(repository, feeder, first.all, second.all)
    assert 0 < told.stored_bytes < 20_000
    assert _newest(repository) == [_canonical(entry) for entry in _ordered(second.all)]
    old, new = repository.points()
    assert (old.seq, new.seq) == (1, 2)
    listed = repository.listing(AskListing(point=old.id, path=os.fsencode(source / "a")))
    assert {row.path.rpartition("/")[2] for row in listed.rows} == {"b", "hard"}
    found = repository.find(AskFind(pattern="b"))
    assert [(row.valid_from, row.valid_to) for row in found.rows] == [(old.time, new.time)]
    assert scene.made == [(DATASET, ("backup",))] * 2
    repository.close()
    scene.restic.check()
    scene.restic.restore(new.snapshot, tmp_path / "new")
    assert (tmp_path / "new" / str(source)[1:] / "empty" / "child").read_bytes() == b"below what was a file"
    scene.restic.restore(old.snapshot, tmp_path / "old")
    assert (tmp_path / "old" / str(source)[1:] / "a" / "b").read_bytes() == b"inside"


@everywhere
def test_a_full_commit_of_an_equal_tree_stores_nothing_new(scene: RepositoryScene, source: Path) -> None:
    state = TreeSource(source)
    repository = scene.open()
    feeder = scene.feeder(state)
    scene.store(repository, feeder, None, state.all)
    feeder.given = 0
    told = scene.store(repository, feeder, None, state.all)
    assert (told.stored_bytes, feeder.given) == (0, 0)
    assert len(repository.find(AskFind(pattern="plain")).rows) == 1
    without = {path: entry for path, entry in state.all.items() if not path.startswith(os.fsencode(source / "a"))}
    scene.store(repository, feeder, None, without)
    assert _newest(repository) == [_canonical(entry) for entry in _ordered(without)]
    repository.close()
    scene.restic.check()


@everywhere
def test_a_chunk_is_claimed_only_by_who_sent_it(scene: RepositoryScene, source: Path) -> None:
    state = TreeSource(source)
    repository = scene.open()
    feeder = scene.feeder(state)
    scene.store(repository, feeder, None, state.all)
    size = repository.status().stored_bytes
    for sender, trust, sends in ((NodeId("9" * 32), False, True), (NodeId("9" * 32), False, False), (NodeId("8" * 32), True, False)):
        other = DATASET.replace("d", sender[0])
        again = scene.feeder(state, other)  # type: ignore[arg-type]
        again.seq = feeder.seq
        feeder.seq += 1
        action = scene.action(repository, sender=sender, dataset=other, trust=trust)  # type: ignore[arg-type]
        action.cursor()
        again.send(action, None, state.all)
        action.close()
        assert (again.given > 0) is sends
    assert repository.status().stored_bytes < size * 1.5
    repository.close()
    scene.restic.check()


@everywhere
def test_a_lost_catalog_is_built_again_from_the_repository(scene: RepositoryScene, source: Path) -> None:
    state = TreeSource(source)
    repository = scene.open()
    feeder = scene.feeder(state)
    scene.store(repository, feeder, None, state.all)
    (source / "plain").write_bytes(b"changed")
    second = TreeSource(source)
    feeder.chunks.update(second.chunks)
    feeder.operations = ()
    scene.store(repository, feeder, state.all, second.all)
    before = (repository.points(), repository.find(AskFind(pattern="*")), _newest(repository))
    repository.close()
    for damage in (None, b"this is no database" * 1000, b""):
        catalog = scene.home / "catalog.db"
        catalog.unlink()
        if damage is not None:
            catalog.write_bytes(damage)
        repository = scene.open()
        assert (repository.points(), repository.find(AskFind(pattern="*")), _newest(repository)) == before
        action = scene.action(repository)
        assert action.cursor() == Cursor(feeder.epoch, 2)
        feeder.given = 0
        feeder.seq = 2
        feeder.send(action, None, second.all)
        assert feeder.given == 0
        action.close()
        repository.close()
        # Away with commit 3: the head it replaced is gone with it, so commit 2 is delivered again.
        (newest,) = [row for row in scene.restic.json("snapshots", "--no-lock") if "hf:seq=3" in row["tags"]]
        scene.restic.run("forget", newest["id"])
        repository = scene.open()
        feeder.seq = 1
        scene.store(repository, feeder, state.all, second.all)
        repository.close()
    scene.restic.check()


def test_a_catalog_with_damaged_pages_is_built_again(scene: RepositoryScene, source: Path) -> None:
    state = TreeSource(source)
    repository = scene.open()
    scene.store(repository, scene.feeder(state), None, state.all)
    before = (repository.points(), repository.find(AskFind(pattern="*")))
    repository.close()
    catalog = scene.home / "catalog.db"
    whole = catalog.read_bytes()
    for page in range(4096, len(whole), 4096):
        catalog.write_bytes(whole[:page] + b"\xa5" * 4096 + whole[page + 4096 :])
        for left in ("catalog.db-wal", "catalog.db-shm"):
            scene.home.joinpath(left).unlink(missing_ok=True)
        for _ in range(2):
            # What the start does not read fails when it is used; the start after that one builds anew.
            repository = scene.open()
            with suppress(StoreError):
                assert (repository.points(), repository.find(AskFind(pattern="*"))) == before
                assert len(_newest(repository)) == len(state.all)
            healed = not repository._interior.catalog.damaged
            repository.close()
        assert healed, page
