"""Files are let go of only as they were archived, and are in at least one place at every moment."""

from __future__ import annotations

import mmap
import os
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import pytest

from holdfast.model.entry import ChunkRef
from holdfast.operations.archiving import letting_go
from holdfast.operations.archiving.book import ArchiveBook, Move
from holdfast.operations.archiving.letting_go import Leaving, Outcome, Undone, let_go, undo

CONTENT = b"content" * 1_000


class Killed(BaseException):
    """The process is gone from here on."""


def _leaving(path: Path, *, stub: bool = True) -> Leaving:
    raw, status = os.fsencode(path), path.lstat()
    private = os.fsencode(path.parent) + b"/.holdfast-archive-" + sha256(raw).hexdigest()[:12].encode()
    target = b"/nowhere/recall/x/" + path.name.encode() if stub else b""
    move = Move(raw, private, os.fsencode(path.parents[1]), target, status.st_dev, status.st_ino)
    content = path.read_bytes()
    pieces = [content[at : at + 4_096] for at in range(0, len(content), 4_096)]
    chunks = tuple(ChunkRef(sha256(piece).digest(), len(piece)) for piece in pieces)
    return Leaving(move, status.st_size, status.st_mtime_ns, status.st_ctime_ns, chunks)


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    folder = tmp_path / "root" / "sub"
    folder.mkdir(parents=True)
    paths = [folder / f"file{number}" for number in range(3)]
    for number, path in enumerate(paths):
        path.write_bytes(CONTENT + bytes([number]))
        os.utime(path, ns=(10**18 + number, 10**18 + number))
    return paths


def _outcomes(files: Sequence[Leaving]) -> list[Outcome]:
    found = dict(let_go(files))
    return [found[file] for file in files]


def _names(paths: Sequence[Path]) -> set[str]:
    return {path.name for path in paths[0].parent.iterdir()}


def test_a_stub_bears_the_owner_and_the_times_of_its_file(paths: list[Path]) -> None:
    before = [path.lstat() for path in paths]
    files = [_leaving(path) for path in paths]
    assert _outcomes(files) == [Outcome.GONE] * 3
    for path, file, status in zip(paths, files, before, strict=True):
        assert os.readlink(os.fsencode(path)) == file.move.target
        assert path.lstat().st_mtime_ns == status.st_mtime_ns
        assert (path.lstat().st_uid, path.lstat().st_gid) == (status.st_uid, status.st_gid)
    assert _names(paths) == {path.name for path in paths}


def test_nothing_is_left_where_nothing_is_wanted(paths: list[Path]) -> None:
    assert _outcomes([_leaving(path, stub=False) for path in paths]) == [Outcome.GONE] * 3
    assert _names(paths) == set()


@pytest.mark.parametrize("stub", [True, False])
def test_what_is_open_or_mapped_or_has_two_names_stays(paths: list[Path], stub: bool) -> None:
    files = [_leaving(path, stub=stub) for path in paths]
    os.link(paths[2], paths[2].parent.parent / "other name")
    mapping = paths[1].open("r+b")
    mapped = mmap.mmap(mapping.fileno(), 0)
    mapping.close()
    with paths[0].open("rb"):
        assert _outcomes(files) == [Outcome.IN_USE, Outcome.IN_USE, Outcome.CHANGED]
    mapped.close()
    assert [path.read_bytes() for path in paths] == [CONTENT + bytes([number]) for number in range(3)]
    assert _names(paths) == {path.name for path in paths}


def test_content_that_differs_under_the_same_times_stays(paths: list[Path]) -> None:
    """As a mapping that was written to after the capture, and is closed by now, leaves it."""
    file = _leaving(paths[0])
    other = ChunkRef(sha256(b"other").digest(), file.chunks[0].size_bytes)
    changed = Leaving(file.move, file.size_bytes, file.mtime_ns, file.ctime_ns, (other, *file.chunks[1:]))
    assert _outcomes([changed]) == [Outcome.CHANGED]
    assert paths[0].read_bytes() == CONTENT + b"\0"


def test_a_link_on_the_way_leads_nowhere(paths: list[Path], tmp_path: Path) -> None:
    files = [_leaving(path) for path in paths]
    folder = paths[0].parent
    folder.rename(tmp_path / "moved")
    folder.symlink_to(tmp_path / "moved")
    assert _outcomes(files) == [Outcome.UNABLE] * 3
    assert {path.name for path in (tmp_path / "moved").iterdir()} == {path.name for path in paths}


def _steps_of(files: Sequence[Leaving]) -> list[str]:
    steps: list[str] = []
    for _ in let_go(files, steps.append):
        pass
    return steps


@pytest.mark.parametrize("change", ["byte", "append", "replace", "chmod", "rename"])
@pytest.mark.parametrize("stub", [True, False])
def test_a_change_before_any_step_is_never_lost(paths: list[Path], change: str, stub: bool) -> None:
    """Through the descriptor of somebody who opens the file by whatever name it has, as soon as the lease lets him: never, while it is
    looked at. So what is tried is what needs no open: a new name, another mode, another file in the place."""
    path = paths[0]
    files = [_leaving(path, stub=stub)]
    count = len(_steps_of([_leaving(paths[1], stub=stub)]))
    for at in range(count):
        _restore(path)
        files = [_leaving(path, stub=stub)]
        taken: list[str] = []

        def step(name: str, at: int = at, taken: list[str] = taken) -> None:
            taken.append(name)
            if len(taken) == at + 1:
                _change(path, change)

        (outcome,) = [outcome for _, outcome in let_go(files, step)]
        kept = _everything(path.parent)
        if change in ("byte", "append", "replace") and path.exists() and not path.is_symlink():
            assert path.read_bytes() in (b"replaced", CONTENT + b"\0", CONTENT + b"!", b"!" + CONTENT[1:] + b"\0")
        if change == "replace" and at < count - 1:
            assert b"replaced" in kept
        assert outcome is Outcome.GONE or CONTENT + b"\0" in kept or b"replaced" in kept


def _restore(path: Path) -> None:
    for each in path.parent.iterdir():
        if each.name not in ("file1", "file2"):
            each.unlink()
    path.write_bytes(CONTENT + b"\0")
    os.utime(path, ns=(10**18, 10**18))


def _change(path: Path, change: str) -> None:
    """Only what nobody can be kept from."""
    match change:
        case "replace":
            (path.parent / "fresh").write_bytes(b"replaced")
            (path.parent / "fresh").rename(path)
        case "chmod":
            for each in path.parent.iterdir():
                if not each.is_symlink():
                    each.chmod(0o640)
        case "rename" if path.exists() and not path.is_symlink():
            path.rename(path.with_name("renamed"))
        case _:
            pass


def _everything(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in folder.iterdir() if path.is_file() and not path.is_symlink()]


@pytest.mark.parametrize("stub", [True, False])
def test_killed_before_any_step_every_file_is_there_or_archived(paths: list[Path], tmp_path: Path, stub: bool) -> None:
    home = tmp_path / "home"
    home.mkdir()
    count = len(_steps_of([_leaving(path, stub=stub) for path in paths]))
    for at in range(count):
        for number, path in enumerate(paths):
            path.unlink(missing_ok=True)
            path.write_bytes(CONTENT + bytes([number]))
        files = [_leaving(path, stub=stub) for path in paths]
        book = ArchiveBook(home)
        book.begin([file.move for file in files])
        left = at

        def step(_: str) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise Killed

        gone: set[bytes] = set()
        try:
            for file, outcome in let_go(files, step):
                gone |= {file.move.path} if outcome is Outcome.GONE else set()
        except Killed:
            pass
        assert left < 0
        book.close()
        book = ArchiveBook(home)
        begun = book.begun()
        assert {move.path for move in begun} == {file.move.path for file in files}
        undone = {move.path: undo(move) for move in begun}
        assert {undo(move) for move in begun} <= {Undone.NOTHING, Undone.GONE}
        book.end(begun)
        assert book.begun() == ()
        book.close()
        for number, path in enumerate(paths):
            is_there = path.is_file() and not path.is_symlink()
            assert is_there or os.fsencode(path) in gone or undone[os.fsencode(path)] is not Undone.AWAY
            if is_there:
                assert path.read_bytes() == CONTENT + bytes([number])
            elif stub:
                assert path.is_symlink()
        assert not [name for name in _names(paths) if name.startswith(".holdfast")]


def test_what_came_in_the_place_of_a_stub_is_not_touched(paths: list[Path]) -> None:
    file = _leaving(paths[0])

    def step(name: str) -> None:
        if name == "unlink":
            raise Killed

    with pytest.raises(Killed):
        list(let_go([file], step))
    paths[0].unlink()
    paths[0].write_bytes(b"the user's")
    assert undo(file.move) is Undone.ASIDE
    assert paths[0].read_bytes() == b"the user's"
    assert Path(os.fsdecode(file.move.private)).read_bytes() == CONTENT + b"\0"


def test_without_leases_the_content_is_read_again(paths: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that gives none, as of NFS: stood in for by refusing the call."""

    def refuse(*_: object) -> int:
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr("holdfast.host.leases.fcntl.fcntl", refuse)
    file = _leaving(paths[0])
    reads: list[int] = []
    usual = letting_go._assert_content
    monkeypatch.setattr(letting_go, "_assert_content", lambda leaving, descriptor: (reads.append(descriptor), usual(leaving, descriptor)))
    assert _outcomes([file]) == [Outcome.GONE]
    assert len(reads) == 2
