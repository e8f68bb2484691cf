"""Sessions: what a hostile or unlucky sender can do, repeated and competing commits, locks, keep rules, foreign snapshots."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from msgspec.structs import replace

from holdfast.backend.backend import FileType
from holdfast.core.entropy import SystemEntropy
from holdfast.core.errors import Conflict, HoldfastError, NotGranted, ProtocolError, RepositoryLocked, UnknownName, WrongPassword
from holdfast.core.ids import DatasetId, Epoch, NodeId
from holdfast.delivery.ports import Action
from holdfast.model.change import Begin, Cursor, Put, Remove, Segment
from holdfast.model.document import KeepRules
from holdfast.model.entry import ChunkRef, Entry, Kind
from holdfast.model.listing_questions import AskFind, AskListing
from holdfast.repository import interior
from holdfast.repository._format.lock import LockFile, encode_lock
from holdfast.repository._format.text import time_text
from holdfast.repository._format.unpacked import encode_document
from holdfast.repository.repository import open_repository, unlock
from holdfast.testing.feeding import PlainChunk, chunk_id, segment_of
from holdfast.testing.repository_scene import DATASET, PASSWORD, RepositoryScene
from holdfast.testing.tree_source import TreeSource
from holdfast.testing.waiting import wait_for


def _begin(seq: int = 1, **more: object) -> Begin:
    begin = Begin(dataset=DATASET, label="l", epoch=Epoch("e" * 32), seq=seq, base=None, roots=(b"/a",), hostname="h")
    return replace(begin, **more)


def _file(path: bytes, data: bytes, **more: object) -> Entry:
    entry = Entry(path=path, kind=Kind.FILE, mode=0o644, size_bytes=len(data), chunks=(ChunkRef(chunk_id(data), len(data)),))
    return replace(entry, **more)


def _folder(path: bytes) -> Entry:
    return Entry(path=path, kind=Kind.DIRECTORY, mode=0o755)


def _give(action: Action, segment: Segment, data: bytes) -> None:
    action.wanted(segment)
    action.apply(segment, {chunk_id(data): PlainChunk(chunk_id(data), data)}, frozenset())


_HOSTILE: dict[str, list[Put | Remove]] = {
    "out of order": [Put(_folder(b"/b")), Put(_folder(b"/a"))],
    "twice": [Put(_folder(b"/a")), Put(_folder(b"/a"))],
    "below nothing": [Put(_folder(b"/a/b"))],
    "below a file": [Put(_file(b"/a", b"x")), Put(_folder(b"/a/b"))],
    "dots": [Put(_folder(b"/a")), Put(_folder(b"/a/.."))],
    "double slash": [Put(_folder(b"/a")), Put(_folder(b"/a//b"))],
    "relative": [Put(_folder(b"a"))],
    "long name": [Put(_folder(b"/" + b"n" * 256))],
    "size that is not its chunks'": [Put(_file(b"/a", b"x", size_bytes=2))],
    "negative owner": [Put(_file(b"/a", b"x", uid=-1))],
    "folder with chunks": [Put(_file(b"/a", b"x", kind=Kind.DIRECTORY))],
    "chunk of length 0": [Put(_file(b"/a", b""))],
    "short id": [Put(_file(b"/a", b"x", chunks=(ChunkRef(b"short", 1),)))],
}


@pytest.mark.parametrize("name", _HOSTILE)
def test_hostile_streams_are_refused_and_leave_nothing(scene: RepositoryScene, name: str) -> None:
    repository = scene.open()
    action = scene.action(repository)
    assert action.cursor() is None
    action.begin(_begin())
    segment = segment_of(0, changes=tuple(_HOSTILE[name]))
    with pytest.raises(ProtocolError):
        _give(action, segment, b"x")
    action.abort()
    assert action.cursor() is None
    action.close()
    assert repository.points() == ()
    assert repository.find(AskFind(pattern="*")).rows == ()
    repository.close()


def test_a_chunk_that_was_never_sent_cannot_be_named(scene: RepositoryScene, tree: Path) -> None:
    """Knowing the hash of another node's data does not give the data."""
    source = TreeSource(tree)
    repository = scene.open()
    scene.store(repository, scene.feeder(source), None, source.all)
    secret = next(entry for entry in source.all.values() if entry.path.endswith(b"/top"))
    action = scene.action(repository, sender=NodeId("9" * 32), dataset=DatasetId("7" * 32))
    action.cursor()
    action.begin(_begin(dataset=DatasetId("7" * 32)))
    put = Put(replace(secret, path=b"/stolen"))
    assert action.wanted(segment_of(0, changes=(put,))) == {ref.id for ref in secret.chunks}
    bare = Segment(number=1, changes=(put,))
    action.wanted(bare)
    with pytest.raises(ProtocolError, match="not offered"):
        action.apply(bare, {}, frozenset())
    action.close()
    repository.close()


def test_the_wrong_dataset_length_or_end_is_refused(scene: RepositoryScene, tree: Path) -> None:
    source = TreeSource(tree)
    repository = scene.open()
    action = scene.action(repository)
    with pytest.raises(NotGranted):
        action.begin(_begin(dataset=DatasetId("7" * 32)))
    with pytest.raises(Conflict):
        action.begin(_begin(base=Cursor(epoch=Epoch("e" * 32), seq=0)))
    action.begin(_begin())
    with pytest.raises(ProtocolError):
        action.begin(_begin())
    segment = segment_of(0, changes=(Put(_file(b"/a", b"x")),))
    action.wanted(segment)
    with pytest.raises(ProtocolError, match="did not come"):
        action.apply(segment, {}, frozenset())
    with pytest.raises(ProtocolError):
        action.commit(replace(scene.feeder(source).commit(), seq=9))
    action.close()
    with pytest.raises(ProtocolError):
        action.wanted(segment)
    action.close()
    repository.close()


def test_withdrawn_files_keep_their_state_before(scene: RepositoryScene, tree: Path) -> None:
    first = TreeSource(tree)
    repository = scene.open()
    feeder = scene.feeder(first)
    scene.store(repository, feeder, None, first.all)
    (tree / "top").write_bytes(b"moving")
    (tree / "born").write_bytes(b"moving too")
    (tree / "large").write_bytes(os.urandom(30_000))
    second = TreeSource(tree)
    feeder.chunks.update(second.chunks)
    feeder.withdrawn = {chunk_id(b"moving"), chunk_id(b"moving too"), second.all[os.fsencode(tree / "large")].chunks[2].id}
    for old in (first.all, None):
        told = scene.store(repository, feeder, old, second.all)
        assert {finding.path.rpartition("/")[2] for finding in told.findings} == {"top", "born", "large"}
        found = repository.newest(DATASET)
        assert found is not None
        assert [point.warnings for point in repository.points()][-1] == 3
        entries = {entry.path: entry for entry in found[1].entries()}
        found[1].close()
        for name in ("top", "large"):
            assert entries[os.fsencode(tree / name)] == first.all[os.fsencode(tree / name)]
        assert os.fsencode(tree / "born") not in entries
    repository.close()
    scene.restic.check()


def test_a_repeated_commit_is_acknowledged_again(scene: RepositoryScene, tree: Path) -> None:
    source = TreeSource(tree)
    repository = scene.open()
    feeder = scene.feeder(source)
    first = scene.store(repository, feeder, None, source.all)
    feeder.seq = 0
    feeder.given = 0
    again = scene.store(repository, feeder, None, source.all)
    assert (again.cursor, again.points, feeder.given) == (first.cursor, first.points, 0)
    assert len(repository.points()) == 1
    feeder.seq, feeder.operations = 0, ("backup", "archive")
    scene.store(repository, feeder, None, source.all)
    assert [point.operation for point in repository.points()] == ["backup", "archive"]
    assert len({point.snapshot for point in repository.points()}) == 2
    feeder.seq = -1
    with pytest.raises(Conflict):
        scene.store(repository, feeder, None, source.all)
    repository.close()


def test_a_commit_without_points_is_held_by_one_head(scene: RepositoryScene, tree: Path) -> None:
    source = TreeSource(tree)
    repository = scene.open()
    feeder = scene.feeder(source)
    feeder.operations = ("replicate",)
    for _ in range(3):
        told = scene.store(repository, feeder, None, source.all)
        assert told.points == ()
        assert repository.points() == ()
        (head,) = scene.restic.json("snapshots", "--no-lock")
        assert "hf:op=-" in head["tags"]
        assert head["paths"] == [str(tree)]
    feeder.operations = ("backup",)
    scene.store(repository, feeder, None, source.all)
    (point,) = scene.restic.json("snapshots", "--no-lock")
    assert "hf:op=backup" in point["tags"]
    repository.close()
    scene.restic.check()


def test_one_session_a_dataset_and_many_datasets_at_once(scene: RepositoryScene, tree: Path) -> None:
    repository = scene.open()
    one, two, other = scene.action(repository), scene.action(repository), scene.action(repository, dataset=DatasetId("7" * 32))
    one.begin(_begin())
    with pytest.raises(RepositoryLocked) as caught:
        two.begin(_begin())
    assert caught.value.retryable
    other.begin(_begin(dataset=DatasetId("7" * 32)))
    one.close()
    two.begin(_begin())
    for action in (two, other):
        action.close()
    assert list((scene.place / "locks").iterdir()) == []
    repository.close()


def test_keep_rules_are_applied_and_the_newest_stays(scene: RepositoryScene, tree: Path) -> None:
    source = TreeSource(tree)
    repository = scene.open()
    feeder = scene.feeder(source)
    for number in range(5):
        (tree / "top").write_bytes(str(number).encode())
        state = TreeSource(tree)
        feeder.chunks.update(state.chunks)
        action = scene.action(repository, keep=KeepRules(last=2))
        feeder.send(action, None, state.all)
        action.close()
    assert [point.seq for point in repository.points()] == [4, 5]
    assert len(repository.find(AskFind(pattern="top")).rows) == 2
    assert len(scene.restic.json("snapshots", "--no-lock")) == 2
    locked = scene.action(repository, keep=KeepRules(last=1), lock_s=1e6)
    feeder.send(locked, None, state.all)
    feeder.send(locked, None, state.all)
    locked.close()
    assert [point.seq for point in repository.points()] == [6, 7]
    assert all(point.locked_until is not None for point in repository.points())
    before = repository.find(AskFind(pattern="*"))
    repository.close()
    (scene.home / "catalog.db").unlink()
    repository = scene.open()
    after = repository.find(AskFind(pattern="*"))
    assert [(row.path, row.valid_to) for row in after.rows] == [(row.path, row.valid_to) for row in before.rows]
    repository.close()
    scene.restic.run("prune")
    scene.restic.check()


def test_many_new_names_are_made_searchable_behind_the_session(scene: RepositoryScene, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = TreeSource(tree)
    repository = scene.open()
    scene.store(repository, scene.feeder(source), None, source.all)
    names = repository._interior.names
    assert names.behind() == len(source.all), "few names wait for somebody who searches"
    monkeypatch.setattr(interior, "MANY_PATHS", 3)
    action = scene.action(repository)
    action.cursor()
    action.close()
    wait_for(lambda: names.behind() == 0)
    assert len(repository.find(AskFind(pattern="*ile*")).rows) == 4
    repository.close()


def test_stock_forget_and_prune_are_noticed(scene: RepositoryScene, tree: Path) -> None:
    source = TreeSource(tree)
    repository = scene.open()
    feeder = scene.feeder(source)
    states = []
    for number in range(4):
        (tree / "top").write_bytes(os.urandom(9000) + str(number).encode())
        states.append(TreeSource(tree))
        feeder.chunks.update(states[-1].chunks)
        scene.store(repository, feeder, states[-2].all if number else None, states[-1].all)
    # The middle first, then the newest: the state of the second commit must come out right.
    points = repository.points()
    for going in (points[2], points[3]):
        scene.restic.run("forget", going.snapshot, "--prune")
        repository.points()
    assert [point.seq for point in repository.points()] == [1, 2]
    assert len(repository.find(AskFind(pattern="top")).rows) == 2
    feeder.given = 0
    feeder.seq = 2
    scene.store(repository, feeder, states[1].all, states[3].all)
    assert feeder.given > 9000, "the pruned chunks are asked for again"
    assert repository.find(AskFind(pattern="top")).rows[-1].valid_to is None
    repository.close()
    scene.restic.check()


def test_restic_tag_changes_the_snapshot_not_the_point(scene: RepositoryScene, tree: Path) -> None:
    source = TreeSource(tree)
    repository = scene.open()
    scene.store(repository, scene.feeder(source), None, source.all)
    (point,) = repository.points()
    scene.restic.run("tag", "--add", "mine", "latest")
    (again,) = repository.points()
    assert again.id == point.id
    assert again.tags == ("mine",)
    assert again.snapshot != point.snapshot
    reader = repository.reader(point)
    assert len(list(reader.entries())) == len(source.all)
    reader.close()
    repository.close()


def test_foreign_snapshots_are_read_only_points(scene: RepositoryScene, tree: Path, tmp_path: Path) -> None:
    scene.restic.run("backup", str(tree), "--tag", "theirs", "--host", "other")
    repository = scene.open()
    (point,) = repository.points()
    assert point.foreign
    assert point.operation == "foreign"
    assert point.dataset == f"other:{tree}"
    assert point.tags == ("theirs",)
    rows = repository.listing(AskListing(point=point.id[:8], path=os.fsencode(tree))).rows
    assert [row.path.rpartition("/")[2] for row in rows] == ["large", "one", "top", "two"]
    reader = repository.reader(point)
    entries = {entry.path: entry for entry in reader.entries([os.fsencode(tree / "top")])}
    (payload,) = reader.payloads([ref.id for ref in entries[os.fsencode(tree / "top")].chunks])
    assert payload.size_bytes == 3
    reader.close()
    repository.close()


def test_listing_in_pages_and_by_path(scene: RepositoryScene, tree: Path) -> None:
    source = TreeSource(tree)
    repository = scene.open()
    scene.store(repository, scene.feeder(source), None, source.all)
    (point,) = repository.points()
    assert [row.path for row in repository.listing(AskListing(point=point.id[:6])).rows] == [str(tree)]
    everything = repository.listing(AskListing(point=point.id, recursive=True)).rows
    paged: list[str] = []
    ask = AskListing(point=point.id, recursive=True, limit=3)
    while True:
        page = repository.listing(ask)
        paged += [row.path for row in page.rows]
        if not page.more:
            break
        ask = replace(ask, after=os.fsencode(paged[-1]))
    assert paged == [row.path for row in everything]
    assert len(paged) == 9
    inside = repository.listing(AskListing(point=point.id, path=os.fsencode(tree / "one"), recursive=True)).rows
    assert [row.path for row in inside] == [str(tree / "one" / "file0"), str(tree / "one" / "file1")]
    first = repository.listing(AskListing(point=point.id, path=os.fsencode(tree), limit=1))
    rest = repository.listing(AskListing(point=point.id, path=os.fsencode(tree), after=os.fsencode(first.rows[0].path)))
    assert first.more
    assert [row.path.rpartition("/")[2] for row in (*first.rows, *rest.rows)] == ["large", "one", "top", "two"]
    assert [row.path for row in repository.find(AskFind(pattern="one/*")).rows] == [row.path for row in inside]
    assert repository.find(AskFind(pattern="*", limit=2)).more
    for wrong in ("zzzz", point.id[:3]):
        with pytest.raises(UnknownName):
            repository.point(wrong)
    with pytest.raises(UnknownName):
        repository.listing(AskListing(point=point.id, path=b"/no/such"))
    repository.close()


def test_live_exclusive_locks_keep_us_out(scene: RepositoryScene) -> None:
    repository = scene.open()
    from holdfast.backend.local import LocalBackend

    backend = LocalBackend(scene.place)
    key = unlock(backend, PASSWORD)[0]

    def lock(hostname: str, pid: int, age_s: int) -> str:
        at = time_text(scene.clock.now_ns() - age_s * 10**9)
        file = LockFile(time=at, exclusive=True, hostname=hostname, username="u", pid=pid)
        name, content = encode_document(encode_lock(file), key, SystemEntropy())
        backend.save(FileType.LOCK, name, content)
        return name

    action = scene.action(repository)
    for host, pid, age, live in (("elsewhere", 1, 60, True), (os.uname().nodename, 1, 60, True)):
        name = lock(host, pid, age)
        with pytest.raises(RepositoryLocked):
            action.cursor()
        backend.remove(FileType.LOCK, name)
        assert live
    for host, pid, age in (("elsewhere", 1, 1801), (os.uname().nodename, 2**22 - 1, 1)):
        lock(host, pid, age)
    assert action.cursor() is None
    held = len(list(backend.names(FileType.LOCK)))
    repository._interior.lock.refresh()
    assert len(list(backend.names(FileType.LOCK))) == held == 3
    action.close()
    repository.close()


def test_the_password_is_asked_for(scene: RepositoryScene) -> None:
    from holdfast.backend.local import LocalBackend
    from holdfast.core.ids import RepositoryId

    arguments = {"name": "x", "repository_id": RepositoryId("c" * 32), "clock": scene.clock, "entropy": SystemEntropy()}
    with pytest.raises(WrongPassword):
        open_repository(LocalBackend(scene.place), scene.home, password="wrong", **arguments)  # type: ignore[arg-type]
    with pytest.raises(HoldfastError):
        open_repository(LocalBackend(scene.place / "nowhere"), scene.home, password=PASSWORD, **arguments)  # type: ignore[arg-type]
    (scene.place / "config").write_bytes(b"damage" * 20)
    with pytest.raises(HoldfastError):
        scene.open()


def test_many_sessions_at_once(scene: RepositoryScene, tree: Path) -> None:
    """Each delivers its own dataset while somebody asks all the time; no commit gets lost, nobody waits for ever."""
    source = TreeSource(tree)
    repository = scene.open()
    datasets = [DatasetId(digit * 32) for digit in "1234"]
    done = threading.Event()

    def deliver(dataset: DatasetId) -> None:
        feeder = scene.feeder(source, dataset)
        feeder.epoch = Epoch(dataset[0] * 32)
        for number in range(6):
            action = scene.action(repository, dataset=dataset, keep=KeepRules(last=2))
            action.cursor()
            feeder.operations = ("backup",) if number % 2 else ()
            feeder.send(action, None, source.all)
            action.close()

    def ask() -> None:
        while not done.is_set():
            repository.points()
            repository.find(AskFind(pattern="*"))

    with ThreadPoolExecutor(5) as pool:
        asking = pool.submit(ask)
        for delivered in [pool.submit(deliver, dataset) for dataset in datasets]:
            delivered.result()
        done.set()
        asking.result()
    for dataset in datasets:
        action = scene.action(repository, dataset=dataset)
        assert action.cursor() == Cursor(epoch=Epoch(dataset[0] * 32), seq=6)
        action.close()
    found = {(row.dataset, row.path) for row in repository.find(AskFind(pattern="file*")).rows}
    assert len(found) == 4
    assert repository.check(read_data=True) == ()
    repository.close()
    scene.restic.check()
