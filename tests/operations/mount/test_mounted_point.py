"""One point read as a mount reads it: any bytes of any file, whatever breaks meanwhile."""

from __future__ import annotations

import hashlib
import os
import stat
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.core.errors import NotReachable, RepositoryDamaged, UnknownName
from holdfast.model.entry import Entry, Kind
from holdfast.operations.mount.content import AHEAD_BYTES, Content
from holdfast.operations.mount.point_session import PointSession
from holdfast.operations.mount.point_tree import PointTree
from holdfast.testing.odd_tree import build_odd_tree
from tests.operations.mount.trees import TreeOwner, clock_at, point

POINT = point(1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    (folder / "sub").mkdir(parents=True)
    for number in range(20):
        (folder / "sub" / f"f{number:02d}").write_bytes(bytes([number]) * (700 * number))
    (folder / "large").write_bytes(os.urandom(3_000_000))
    return folder


@pytest.fixture
def owner(folder: Path) -> TreeOwner:
    return TreeOwner({POINT: folder})


def tree_of(owner: TreeOwner) -> PointTree:
    return PointTree(PointSession(lambda: owner.open(POINT), clock_at()), POINT)


def found(tree: PointTree, path: Path | str) -> Entry:
    entry = tree.entry(os.fsencode(path))
    assert entry is not None
    return entry


def read_whole(content: Content, tree: PointTree, path: Path, step: int = 128 << 10) -> bytes:
    entry, pieces, at = found(tree, path), list[bytes](), 0
    while piece := content.read(tree, entry, at, step):
        pieces.append(piece)
        at += len(piece)
    return b"".join(pieces)


def test_every_file_reads_as_it_was(owner: TreeOwner, folder: Path) -> None:
    tree, content = tree_of(owner), Content()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            assert read_whole(content, tree, path) == path.read_bytes()
    content.close()


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 5_000), max_size=12),
    reads=st.lists(st.tuples(st.integers(0, 70_000), st.integers(0, 70_000)), max_size=20),
    kept=st.integers(0, 20_000),
)
def test_any_range_of_any_file_is_right(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], reads: list[tuple[int, int]], kept: int
) -> None:
    folder = tmp_path_factory.mktemp("ranges")
    data = b"".join(hashlib.sha256(b"%d" % number).digest() * (size // 32 + 1) for number, size in enumerate(sizes))
    (folder / "file").write_bytes(data)
    tree, content = tree_of(TreeOwner({POINT: folder})), Content(kept_bytes=kept)
    entry = found(tree, folder / "file")
    for offset, size in reads:
        assert content.read(tree, entry, offset, size) == data[offset : offset + size]
    content.close()


def test_many_readers_at_once_get_their_bytes_and_chunks_come_once(owner: TreeOwner, folder: Path) -> None:
    tree, content, wrong = tree_of(owner), Content(), list[Path]()
    paths = [folder / "large", *sorted((folder / "sub").iterdir())] * 3

    def reader(path: Path) -> None:
        if read_whole(content, tree, path) != path.read_bytes():
            wrong.append(path)

    threads = [threading.Thread(target=reader, args=(path,)) for path in paths]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    content.close()
    assert wrong == []
    assert sum(owner.fetched) <= len({ref.id for path in paths for ref in found(tree, path).chunks})


def test_small_files_of_a_folder_come_with_few_questions(owner: TreeOwner, folder: Path) -> None:
    tree, content = tree_of(owner), Content()
    for path in sorted((folder / "sub").iterdir()):
        read_whole(content, tree, path)
    content.close()
    assert len(owner.fetched) <= 2


def test_who_reads_from_front_to_end_is_read_ahead_of(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(os.urandom(AHEAD_BYTES))
    owner = TreeOwner({POINT: tmp_path})
    tree, content = tree_of(owner), Content()
    assert len(read_whole(content, tree, tmp_path / "large")) == AHEAD_BYTES
    content.close()
    assert max(owner.fetched) > 500, "runs of chunks, not those of one read"


def test_a_damaged_chunk_is_an_error_of_what_it_is_in(owner: TreeOwner, folder: Path) -> None:
    tree, content = tree_of(owner), Content()
    large = found(tree, folder / "large")
    owner.refused.add(large.chunks[1500].id)
    with pytest.raises(RepositoryDamaged):
        content.read(tree, large, 1_500_000, 1)
    with pytest.raises(RepositoryDamaged):
        content.read(tree, large, 1_400_000, 200_000)
    assert content.read(tree, large, 2_000_000, 1000) == (folder / "large").read_bytes()[2_000_000:2_001_000]
    assert read_whole(content, tree, folder / "sub" / "f03") == (folder / "sub" / "f03").read_bytes()
    content.close()


def test_wrong_bytes_never_come_through(owner: TreeOwner, folder: Path) -> None:
    tree, content = tree_of(owner), Content()
    entry = found(tree, folder / "sub" / "f05")
    reader = owner.readers[-1]
    reader.chunks[entry.chunks[0].id] = b"\xee" * entry.chunks[0].size_bytes
    with pytest.raises(RepositoryDamaged, match="SHA-256"):
        content.read(tree, entry, 0, 10)
    content.close()


def test_a_file_whose_chunks_do_not_make_it_up_is_damaged(owner: TreeOwner, folder: Path) -> None:
    tree, content = tree_of(owner), Content()
    entry = found(tree, folder / "sub" / "f05")
    cut = Entry(path=entry.path, kind=Kind.FILE, mode=0o644, size_bytes=entry.size_bytes + 1, chunks=entry.chunks)
    with pytest.raises(RepositoryDamaged, match="its chunks hold"):
        content.read(tree, cut, 0, 10)
    content.close()


def test_a_session_that_broke_is_opened_anew(owner: TreeOwner, folder: Path) -> None:
    tree, content = tree_of(owner), Content(kept_bytes=0)
    entry = found(tree, folder / "large")
    before = content.read(tree, entry, 0, 1000)
    owner.restart()
    assert content.read(tree, entry, 0, 1000) == before
    assert len(owner.readers) == 2
    assert owner.readers[0].closed
    content.close()


def test_an_owner_that_is_away_is_said_at_once_and_asked_again_later(owner: TreeOwner, folder: Path) -> None:
    clock = clock_at()
    tries = []

    def opened() -> object:
        tries.append(1)
        return owner.open(POINT)

    session = PointSession(opened, clock)  # type: ignore[arg-type]
    owner.away = True
    for _ in range(50):
        with pytest.raises(NotReachable):
            session.children((b"/",))
    assert len(tries) == 1, "a thousand files that cannot be read are told so at once"
    owner.away = False
    clock.advance(2)
    assert session.children((b"/",))


def test_keeping_is_no_use_and_opens_only_what_is_to_be_held(owner: TreeOwner) -> None:
    clock = clock_at()
    session = PointSession(lambda: owner.open(POINT), clock)
    session.keep(reopen=False)
    assert not owner.readers
    session.children((b"/",))
    used_at_s = session.used_at_s
    clock.advance(100)
    session.keep(reopen=False)
    assert session.used_at_s == used_at_s
    owner.restart()
    session.keep(reopen=True)
    assert len(owner.readers) == 2
    session.close()
    assert all(reader.closed for reader in owner.readers)


def test_what_is_not_there_is_not_there(owner: TreeOwner, folder: Path) -> None:
    tree = tree_of(owner)
    for path in (folder / "no", folder / "sub" / "no", folder / "large" / "below", "/elsewhere/at/all"):
        assert tree.entry(os.fsencode(path)) is None
    with pytest.raises(UnknownName):
        tree.children(b"/elsewhere")


def test_who_walks_a_tree_asks_for_many_folders_at_a_time(tmp_path: Path) -> None:
    for number in range(200):
        (tmp_path / f"d{number:03d}").mkdir()
        (tmp_path / f"d{number:03d}" / "file").write_bytes(b"x")
    owner = TreeOwner({POINT: tmp_path})
    tree = tree_of(owner)
    for path in sorted(tmp_path.iterdir()):
        assert found(tree, path).kind is Kind.DIRECTORY
        assert list(tree.children(os.fsencode(path))) == [b"file"]
    asked = [folders for folders in owner.asked if folders[0].startswith(os.fsencode(tmp_path) + b"/")]
    assert len(asked) <= 6
    assert sum(map(len, asked)) == 200


def test_attributes_are_those_of_the_source(tmp_path: Path) -> None:
    build_odd_tree(tmp_path / "odd")
    tree = tree_of(TreeOwner({POINT: tmp_path / "odd"}))
    inodes: dict[int, set[bytes]] = {}
    for path in [tmp_path / "odd", *sorted((tmp_path / "odd").rglob("*"))]:
        told, was = tree.attributes(found(tree, path)), path.lstat()
        assert told["st_mode"] == was.st_mode
        assert (told["st_uid"], told["st_gid"], told["st_rdev"]) == (was.st_uid, was.st_gid, was.st_rdev)
        assert (told["st_mtime"], told["st_ctime"]) == (was.st_mtime_ns, was.st_ctime_ns)
        if not stat.S_ISDIR(was.st_mode):
            assert (told["st_size"], told["st_nlink"]) == (was.st_size, was.st_nlink)
        inodes.setdefault(told["st_ino"], set()).add(os.fsencode(path.name))
    assert [names for names in inodes.values() if len(names) > 1] == [{b"plain", b"hard", b"zz-hard"}]


def test_kept_listings_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("holdfast.operations.mount.point_tree._KEPT_WEIGHT", 30)
    for number in range(20):
        (tmp_path / f"d{number}").mkdir()
        for name in "abcde":
            (tmp_path / f"d{number}" / name).write_bytes(b"x")
    owner = TreeOwner({POINT: tmp_path})
    tree = tree_of(owner)
    for _ in range(2):
        for number in range(20):
            assert tree.entry(os.fsencode(tmp_path / f"d{number}" / "c")) is not None
    assert len(tree._folders) <= 6
