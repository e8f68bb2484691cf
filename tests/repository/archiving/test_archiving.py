"""Archived files: sealed, read back, held, expired; and restic gives all of them back."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest

from holdfast.core.clock import now
from holdfast.core.errors import Conflict, Refused, UnknownName
from holdfast.core.ids import DatasetId
from holdfast.model.archiving import LegalHold, ToArchive, Verdict, digest_of, lineage_path
from holdfast.model.listing_questions import AskListing
from holdfast.model.moments import archive_of
from holdfast.repository.archiving.archive import ArchivedFrom
from holdfast.repository.pruning.prune import PruneOrder
from holdfast.repository.pruning.prune_plan import Thresholds
from holdfast.repository.repository import Repository
from holdfast.testing.repository_scene import DATASET, SENDER, RepositoryScene, everywhere
from holdfast.testing.tree_source import TreeSource

WHOSE = ArchivedFrom(DATASET, "files1/documents", SENDER)
YEAR_S = 365 * 86_400.0
_ALL_AT_ONCE = PruneOrder(grace_s=0, thresholds=Thresholds(max_unused=0))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    (folder / "sub").mkdir(parents=True)
    (folder / "one").write_bytes(b"first" * 3_000)
    (folder / "sub" / "two@x").write_bytes(b"second")
    (folder / "sub" / "empty").touch()
    (folder / "sub" / "stays").write_bytes(b"new")
    Path(os.fsdecode(os.fsencode(folder) + b"/sub/\xff")).write_bytes(b"odd")
    return folder


def _asked(source: TreeSource, *names: bytes) -> list[ToArchive]:
    entries = [source.all[source.root + b"/" + name] for name in names]
    return [ToArchive(entry.path, entry.size_bytes, entry.mtime_ns, digest_of(ref.id for ref in entry.chunks)) for entry in entries]


def _stored(scene: RepositoryScene, repository: Repository, folder: Path) -> TreeSource:
    source = TreeSource(folder)
    scene.store(repository, scene.feeder(source), None, source.all)
    return source


def _content(repository: Repository, source: TreeSource) -> dict[bytes, bytes]:
    reader = repository.reader(repository.point(archive_of(DATASET)))
    try:
        files = [entry for entry in reader.entries() if entry.kind.value == "file"]
        assert {each.id for each in reader.payloads([ref.id for entry in files for ref in entry.chunks])} <= source.chunks.keys()
        return {entry.path: b"".join(source.chunks[ref.id] for ref in entry.chunks) for entry in files}
    finally:
        reader.close()


@everywhere
def test_what_is_archived_stays_when_all_points_are_gone(scene: RepositoryScene, folder: Path, tmp_path: Path) -> None:
    repository = scene.open()
    source = _stored(scene, repository, folder)
    at_ns = scene.clock.now_ns()
    asked = _asked(source, b"one", b"sub/two@x", b"sub/empty", b"sub/\xff")
    assert repository.archive.put(WHOSE, at_ns, asked, None) == (Verdict.ARCHIVED,) * 4
    assert repository.archive.put(WHOSE, at_ns, asked, None) == (Verdict.ARCHIVED,) * 4
    (totals,) = repository.archive.totals()
    assert (totals.files, totals.size_bytes) == (4, 15_000 + 6 + 3)

    os.truncate(folder / "one", 0)
    again = _stored(scene, repository, folder)
    for point in repository.points()[:-1]:
        scene.restic.run("forget", point.snapshot)
    repository.prune(_ALL_AT_ONCE)
    expected = {lineage_path(at_ns, file.path): folder_content for file, folder_content in zip(asked, _bytes(source, asked), strict=True)}
    assert _content(repository, source) == expected
    assert again.all[source.root + b"/one"].size_bytes == 0
    assert repository.check(read_data=True) == ()
    listed = repository.listing(AskListing(point=archive_of(DATASET), recursive=True, limit=100))
    assert {row.path for row in listed.rows if row.kind == "file"} >= {os.fsdecode(lineage_path(at_ns, source.root + b"/one"))}
    repository.close()

    target = tmp_path / "restic"
    (lineage,) = [each for each in scene.restic.json("snapshots") if "hf:kind=archive" in each["tags"]]
    scene.restic.check()
    scene.restic.restore(lineage["id"], target)
    for path, content in expected.items():
        restored = Path(os.fsdecode(os.fsencode(target) + path))
        assert restored.read_bytes() == content
    entry = source.all[source.root + b"/one"]
    assert os.stat(Path(os.fsdecode(os.fsencode(target) + lineage_path(at_ns, entry.path)))).st_mtime_ns == entry.mtime_ns


def _bytes(source: TreeSource, asked: list[ToArchive]) -> list[bytes]:
    return [b"".join(source.chunks[ref.id] for ref in source.all[file.path].chunks) for file in asked]


def test_only_the_very_state_that_is_named_is_archived(scene: RepositoryScene, folder: Path) -> None:
    repository = scene.open()
    source = _stored(scene, repository, folder)
    good, other = _asked(source, b"one", b"sub/two@x")
    changed = ToArchive(other.path, other.size_bytes, other.mtime_ns, digest_of([b"\0" * 32]))
    touched = ToArchive(other.path, other.size_bytes, other.mtime_ns + 1, other.digest)
    missing = ToArchive(source.root + b"/none/x", 1, 1, other.digest)
    whole = ToArchive(source.root + b"/sub", 0, 0, digest_of([]))
    at_ns = scene.clock.now_ns()
    found = repository.archive.put(WHOSE, at_ns, [changed, missing, whole], None)
    assert found == (Verdict.CHANGED, Verdict.UNKNOWN, Verdict.CHANGED)
    with pytest.raises(UnknownName):
        repository.point(archive_of(DATASET))
    assert repository.archive.put(WHOSE, at_ns, [touched], None) == (Verdict.CHANGED,)
    assert repository.archive.put(WHOSE, at_ns, [good], None) == (Verdict.ARCHIVED,)
    strange = ArchivedFrom(DatasetId("e" * 32), "files1/other", SENDER)
    assert repository.archive.put(strange, at_ns, [good], None) == (Verdict.UNKNOWN,)
    with pytest.raises(Refused, match="clock"):
        repository.archive.put(WHOSE, at_ns + 2 * 86_400 * 10**9, [good], None)


def test_a_file_that_cannot_be_read_back_is_not_archived(scene: RepositoryScene, folder: Path) -> None:
    repository = scene.open()
    source = _stored(scene, repository, folder)
    one, two = _asked(source, b"one", b"sub/two@x")
    at_ns = scene.clock.now_ns()
    for pack in _packs_of_content(scene):
        data = bytearray(pack.read_bytes())
        data[20] ^= 1
        pack.chmod(0o600)
        pack.write_bytes(data)
    found = repository.archive.put(WHOSE, at_ns, [one, two], None)
    assert Verdict.UNREADABLE in found
    rows = repository.archive.listing(DATASET, b"/", None, 10) if Verdict.ARCHIVED in found else ()
    assert len(rows) == found.count(Verdict.ARCHIVED)


def _packs_of_content(scene: RepositoryScene) -> list[Path]:
    index = scene.restic.json("cat", "index", scene.restic.run("list", "index").split()[0])
    names = {pack["id"] for pack in index["packs"] if pack["blobs"][0]["type"] == "data"}
    return [pack for pack in (scene.place / "data").rglob("*") if pack.name in names]


def test_versions_expire_one_run_after_the_other_and_holds_stand(scene: RepositoryScene, folder: Path) -> None:
    repository = scene.open()
    source = _stored(scene, repository, folder)
    first_ns = scene.clock.now_ns()
    repository.archive.put(WHOSE, first_ns, _asked(source, b"one", b"sub/two@x"), YEAR_S)
    scene.clock.advance(YEAR_S / 2)
    second_ns = scene.clock.now_ns()
    repository.archive.put(WHOSE, second_ns, _asked(source, b"sub/empty"), YEAR_S)
    repository.archive.hold("files1/documents", "case 7, x/y", source.root + b"/sub")
    (hold,) = repository.archive.totals()[0].holds
    assert hold == LegalHold(name="case 7, x/y", since=hold.since, path=source.root + b"/sub")
    with pytest.raises(Conflict):
        repository.archive.hold(DATASET, "case 7, x/y")
    rows = repository.archive.listing(DATASET, source.root + b"/sub", YEAR_S, 10)
    assert [(row.path, row.holds) for row in rows] == [
        (os.fsdecode(source.root) + "/sub/two@x", ("case 7, x/y",)),
        (os.fsdecode(source.root) + "/sub/empty", ("case 7, x/y",)),
    ]
    assert rows[0].until == now(scene.clock) + timedelta(days=365 / 2)

    assert repository.archive.expire(DATASET, YEAR_S) == 0
    scene.clock.advance(YEAR_S / 2 + 60)
    assert repository.archive.expire(DATASET, None) == 0
    assert repository.archive.expire(DATASET, YEAR_S) == 1
    assert repository.archive.expire(DATASET, YEAR_S) == 0
    assert set(_content(repository, source)) == {
        lineage_path(first_ns, source.root + b"/sub/two@x"),
        lineage_path(second_ns, source.root + b"/sub/empty"),
    }
    repository.close()

    (scene.home / "catalog.db").unlink()
    repository = scene.open()
    (totals,) = repository.archive.totals()
    assert totals.holds == (hold,)
    assert totals.files == 2
    with pytest.raises(UnknownName):
        repository.archive.release(DATASET, "another")
    repository.archive.release(DATASET, "case 7, x/y")
    assert repository.archive.expire(DATASET, YEAR_S) == 1
    scene.clock.advance(YEAR_S)
    assert repository.archive.expire(DATASET, YEAR_S) == 1
    assert repository.archive.totals() == ()
    repository.prune(_ALL_AT_ONCE)
    assert repository.check(read_data=True) == ()
    repository.close()
