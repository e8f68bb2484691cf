"""Letting go of files that are archived: never without proof that each is still the one that was archived, and never so that a moment
exists in which it is nowhere.

Of a batch, first every file is looked at and takes a private name in its folder; a stub appears in its place in the same step. Then the
folders are written through; then each is looked at once more, and removed. Whoever has the file open, or opens it meanwhile, is seen by a
write lease (`host.leases`) that is held from before the first look to the end; where there are no leases the content is read again.
A process that is killed leaves notes (`book`), and `undo` puts back what was not removed.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from hashlib import sha256

from holdfast.host.exchanging import exchange, rename_new
from holdfast.host.leases import InUse, WriteLease
from holdfast.model.entry import ChunkRef, name_of
from holdfast.operations.archiving.book import Move
from holdfast.operations.archiving.places import OpenFolder

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
PRIVATE = b".holdfast-archive-"
Step = Callable[[str], None]
"""Told before each change of the disk."""


class Outcome(str, Enum):
    """`gone`: it is in the archive alone now. `in-use`: somebody has it open. `changed`: it is not as it was archived, or has a second
    name. `missing`: it is not there. `unable`: the file system refuses. In all these but the first the file is where it was. `aside`:
    somebody put something else in its place meanwhile; the file is at its private name."""

    GONE = "gone"
    IN_USE = "in-use"
    CHANGED = "changed"
    MISSING = "missing"
    UNABLE = "unable"
    ASIDE = "aside"


@dataclass(frozen=True)
class Leaving:
    """A file and what was archived of it."""

    move: Move
    size_bytes: int
    mtime_ns: int
    ctime_ns: int
    chunks: tuple[ChunkRef, ...]


class _NotAsItWas(Exception):
    pass


@dataclass
class _Moved:
    """At its private name, with a stub in its place. `status`: as it was found there."""

    leaving: Leaving
    folder: OpenFolder
    descriptor: int
    lease: WriteLease
    status: os.stat_result


def let_go(files: Sequence[Leaving], step: Step = lambda _: None) -> Generator[tuple[Leaving, Outcome], None, None]:
    """One batch, whose moves stand in the book: all of them are in the end where an outcome says, and on the disk. Holds a descriptor for
    each file and folder meanwhile, so a batch is a few hundred files."""
    folders: dict[bytes, OpenFolder] = {}
    moved: list[_Moved] = []
    try:
        for leaving in files:
            try:
                moved.append(_leave(leaving, _folder_of(leaving.move, folders), step))
            except InUse:
                yield leaving, Outcome.IN_USE
            except _NotAsItWas:
                yield leaving, Outcome.CHANGED
            except FileNotFoundError:
                yield leaving, Outcome.MISSING
            except OSError:
                yield leaving, Outcome.UNABLE
        _sync(folders, step)
        while moved:
            each = moved.pop()
            yield each.leaving, _remove(each, step)
        _sync(folders, step)
    finally:
        for each in moved:
            os.close(each.descriptor)
        for folder in folders.values():
            folder.close()


def _folder_of(move: Move, folders: dict[bytes, OpenFolder]) -> OpenFolder:
    key = move.path[: move.path.rfind(b"/")]
    if key not in folders:
        folders[key] = OpenFolder(move.root, move.path)
    return folders[key]


def _sync(folders: dict[bytes, OpenFolder], step: Step) -> None:
    step("sync")
    for folder in folders.values():
        folder.sync()


def _leave(leaving: Leaving, folder: OpenFolder, step: Step) -> _Moved:
    """Give it its private name. Raises `InUse`, `_NotAsItWas`, `OSError`; then nothing has changed."""
    move, at = leaving.move, folder.descriptor
    descriptor = _open(name_of(move.path), at)
    try:
        status = os.fstat(descriptor)
        if not _is_as_archived(leaving, status) or status.st_ctime_ns != leaving.ctime_ns:
            raise _NotAsItWas
        lease = WriteLease(descriptor)
        _assert_content(leaving, descriptor)
        _assert_unseen(leaving, descriptor, lease)
        _take_away(move, at, status, step)
    except BaseException:
        # A lease ends with its descriptor.
        os.close(descriptor)
        raise
    found = os.fstat(descriptor)
    return _Moved(leaving, folder, descriptor, lease, found)


def _open(name: bytes, at: int) -> int:
    try:
        # Looking at it is no use of it.
        return os.open(name, _READ | os.O_NOATIME, dir_fd=at)
    except PermissionError:
        return os.open(name, _READ, dir_fd=at)


def _take_away(move: Move, at: int, status: os.stat_result, step: Step) -> None:
    name, private = name_of(move.path), name_of(move.private)
    if not move.target:
        step("rename")
        rename_new(name, private, at)
        return
    step("symlink")
    os.symlink(move.target, private, dir_fd=at)
    try:
        with suppress(PermissionError):
            os.chown(private, status.st_uid, status.st_gid, dir_fd=at, follow_symlinks=False)
        os.utime(private, ns=(status.st_atime_ns, status.st_mtime_ns), dir_fd=at, follow_symlinks=False)
        step("exchange")
        exchange(name, private, at)
    except BaseException as error:
        if isinstance(error, Exception):
            os.unlink(private, dir_fd=at)
        raise


def _remove(moved: _Moved, step: Step) -> Outcome:
    """The last look, and then it goes; or back it goes."""
    leaving, at = moved.leaving, moved.folder.descriptor
    private = name_of(leaving.move.private)
    try:
        named = os.stat(private, dir_fd=at, follow_symlinks=False)
        now = os.fstat(moved.descriptor)
        is_same = (named.st_dev, named.st_ino) == (now.st_dev, now.st_ino) and _is_as_archived(leaving, now)
        # Renaming changed the ctime; it must not have changed since.
        if not is_same or now.st_ctime_ns != moved.status.st_ctime_ns:
            raise _NotAsItWas
        if not moved.lease.is_supported:
            _assert_content(leaving, moved.descriptor)
        _assert_unseen(leaving, moved.descriptor, moved.lease, after=moved.status.st_ctime_ns)
        step("unlink")
        os.unlink(private, dir_fd=at)
        return Outcome.GONE
    except InUse:
        return Outcome.IN_USE if _put_back(leaving.move, at, step) else Outcome.ASIDE
    except (_NotAsItWas, OSError):
        return Outcome.CHANGED if _put_back(leaving.move, at, step) else Outcome.ASIDE
    finally:
        os.close(moved.descriptor)


def _is_as_archived(leaving: Leaving, status: os.stat_result) -> bool:
    return (
        stat.S_ISREG(status.st_mode)
        and status.st_nlink == 1
        and (status.st_size, status.st_mtime_ns) == (leaving.size_bytes, leaving.mtime_ns)
        and (status.st_dev, status.st_ino) == (leaving.move.device, leaving.move.inode)
    )


def _assert_content(leaving: Leaving, descriptor: int) -> None:
    """Every byte is compared: a mapping that is closed by now may have changed the file without a trace in its times."""
    offset = 0
    for chunk in leaving.chunks:
        if sha256(_read(descriptor, offset, chunk.size_bytes)).digest() != chunk.id:
            raise _NotAsItWas
        offset += chunk.size_bytes
    if offset != leaving.size_bytes:
        raise _NotAsItWas


def _read(descriptor: int, offset: int, size_bytes: int) -> bytes:
    pieces: list[bytes] = []
    while size_bytes and (data := os.pread(descriptor, size_bytes, offset)):
        pieces.append(data)
        offset, size_bytes = offset + len(data), size_bytes - len(data)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _assert_unseen(leaving: Leaving, descriptor: int, lease: WriteLease, after: int = 0) -> None:
    """Nobody opened it since the lease was taken, nor changed it since it was looked at."""
    if lease.is_supported and not lease.is_held:
        raise InUse
    status = os.fstat(descriptor)
    if not _is_as_archived(leaving, status) or status.st_ctime_ns != (after or leaving.ctime_ns):
        raise _NotAsItWas


def _put_back(move: Move, at: int, step: Step) -> bool:
    """The file to its own name, the stub away; False where something else stands in its place now: then the file keeps its private name."""
    name, private = name_of(move.path), name_of(move.private)
    if not move.target:
        step("rename back")
        try:
            rename_new(private, name, at)
        except FileExistsError:
            return False
        return True
    if not _is_stub(move, name, at):
        return False
    step("exchange back")
    exchange(name, private, at)
    if not _is_stub(move, private, at):
        # Somebody replaced the stub in this very moment: theirs is the newer.
        exchange(name, private, at)
        return False
    step("unlink stub")
    os.unlink(private, dir_fd=at)
    return True


def _is_stub(move: Move, name: bytes, at: int) -> bool:
    try:
        return os.readlink(name, dir_fd=at) == move.target
    except OSError:
        return False


class Undone(str, Enum):
    """What became of a move that was begun. `nothing`: the file never left, or was put back. `gone`: it was removed. `aside`: something
    else stands in its place; the file is at its private name. `away`: neither can be looked at now."""

    NOTHING = "nothing"
    GONE = "gone"
    ASIDE = "aside"
    AWAY = "away"


def undo(move: Move, step: Step = lambda _: None) -> Undone:
    """Bring a move of an earlier life to an end, on the disk. What was not removed goes back: so nothing has to be believed."""
    try:
        folder = OpenFolder(move.root, move.path)
    except FileNotFoundError:
        return Undone.GONE
    except OSError:
        return Undone.AWAY
    try:
        undone = _undo(move, folder.descriptor, step)
        folder.sync()
        return undone
    except OSError:
        return Undone.AWAY
    finally:
        folder.close()


def _undo(move: Move, at: int, step: Step) -> Undone:
    private = name_of(move.private)
    try:
        found = os.stat(private, dir_fd=at, follow_symlinks=False)
    except FileNotFoundError:
        return Undone.GONE if move.target and _is_stub(move, name_of(move.path), at) else Undone.NOTHING
    if stat.S_ISLNK(found.st_mode):
        # The stub that had not come to its place, or that was exchanged back.
        if _is_stub(move, private, at):
            step("unlink stub")
            os.unlink(private, dir_fd=at)
        return Undone.NOTHING
    if move.target and not _exists(name_of(move.path), at):
        # Somebody removed the stub, and with it the path; the file is kept all the same.
        step("rename back")
        rename_new(private, name_of(move.path), at)
        return Undone.NOTHING
    return Undone.NOTHING if _put_back(move, at, step) else Undone.ASIDE


def _exists(name: bytes, at: int) -> bool:
    try:
        os.stat(name, dir_fd=at, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True
