"""A repository in a local folder, laid out as restic's "local" backend: `data/xx/` by the first two digits, all else flat."""

from __future__ import annotations

import errno
import os
import re
import threading
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path

from holdfast.backend.backend import FileType
from holdfast.backend.folder_note import NOTE, FolderNotes
from holdfast.backend.lease import Lease
from holdfast.backend.owner import Owner
from holdfast.core.errors import Conflict, NoSpace, NotReachable, RepositoryMissing, StoreError, is_no_space
from holdfast.core.private_files import sync_folder

_NAME = re.compile(r"[0-9a-f]{64}")
_STRAY = ".hf-tmp-"
# Without one of these nothing that is written counts.
_GUARDED = frozenset({FileType.LOCK, FileType.INDEX, FileType.SNAPSHOT})
_AWAY = (errno.ESTALE, errno.ENODEV, errno.ENOTCONN, errno.EHOSTDOWN, errno.ETIMEDOUT)


class LocalBackend:
    """`Backend`, `GroupedSaves` and `Ownable` on one folder. Temporary files lie in their destination folder under names restic never
    lists. Without an owner nobody owns it, which is for tests and for looking."""

    def __init__(self, path: Path, owner: Owner | None = None) -> None:
        self._root = os.fspath(path)
        self._lease = None
        if owner is not None and owner.node:
            removal = f"remove {os.path.join(self._root, NOTE)}"
            self._lease = Lease(FolderNotes(self._root, _STRAY), NOTE, owner, self._root, removal)
        self._waiting: dict[tuple[FileType, str], str] = {}
        self._guard = threading.Lock()
        self._numbers = count()

    @property
    def location(self) -> str:
        return self._root

    def take(self) -> None:
        if self._lease is not None:
            # On a full disk, too, what is there must open; the note comes the next time.
            with suppress(NoSpace):
                self._lease.take()

    def take_over(self) -> str:
        return self._lease.take_over() if self._lease is not None else ""

    def refuse_others(self) -> None:
        if self._lease is not None:
            self._lease.refuse_others()

    def give_up(self) -> None:
        if self._lease is not None:
            self._lease.give_up()

    def _check_owner(self) -> None:
        if self._lease is not None:
            self._lease.check()

    def create(self) -> None:
        try:
            if os.path.isdir(self._root) and os.listdir(self._root):
                raise Conflict(f"{self._root} is not empty", hint="give an empty folder, or one that does not exist yet")
            os.makedirs(self._root, mode=0o700, exist_ok=True)
            for kind in FileType:
                if kind is not FileType.CONFIG:
                    os.mkdir(os.path.join(self._root, kind.value), 0o700)
            for number in range(256):
                os.mkdir(os.path.join(self._root, "data", f"{number:02x}"), 0o700)
            sync_folder(os.path.join(self._root, "data"))
            sync_folder(self._root)
            sync_folder(os.path.dirname(os.path.abspath(self._root)))
        except OSError as error:
            raise self._translated(error) from error

    def save(self, kind: FileType, name: str, data: bytes) -> None:
        if kind in _GUARDED:
            self._check_owner()
        target = self._path(kind, name)
        if self._has(target, len(data)):
            return
        temporary = ""
        try:
            temporary = self._write(target, data, sync=True)
            os.rename(temporary, target)
            sync_folder(os.path.dirname(target))
        except OSError as error:
            self._unlink_quietly(temporary)
            raise self._translated(error) from error

    def save_later(self, kind: FileType, name: str, data: bytes) -> None:
        target = self._path(kind, name)
        try:
            temporary = self._write(target, data, sync=False)
        except OSError as error:
            raise self._translated(error) from error
        with self._guard:
            replaced = self._waiting.pop((kind, name), "")
            self._waiting[kind, name] = temporary
        self._unlink_quietly(replaced)

    def settle(self, kind: FileType, names: tuple[str, ...]) -> None:
        with self._guard:
            taken = {name: self._waiting[kind, name] for name in names if (kind, name) in self._waiting}
        folders = set()
        try:
            for temporary in taken.values():
                self._fsync(temporary)
            for name, temporary in taken.items():
                target = self._path(kind, name)
                os.rename(temporary, target)
                folders.add(os.path.dirname(target))
            for folder in sorted(folders):
                sync_folder(folder)
        except OSError as error:
            self.forget(kind, names)
            raise self._translated(error) from error
        with self._guard:
            for name in taken:
                self._waiting.pop((kind, name), None)

    def forget(self, kind: FileType, names: tuple[str, ...]) -> None:
        with self._guard:
            dropped = [self._waiting.pop((kind, name), "") for name in names]
        for temporary in dropped:
            self._unlink_quietly(temporary)

    def remove_strays(self) -> None:
        for kind in FileType:
            for folder in self._folders(kind):
                with suppress(FileNotFoundError), os.scandir(folder) as entries:
                    for entry in entries:
                        if entry.name.startswith(_STRAY):
                            self._unlink_quietly(entry.path)

    def load(self, kind: FileType, name: str, offset: int = 0, size: int | None = None) -> bytes:
        path = self._path(kind, name)
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                wanted = size if size is not None else max(os.fstat(descriptor).st_size - offset, 0)
                data = os.pread(descriptor, wanted, offset)
                while len(data) < wanted:
                    more = os.pread(descriptor, wanted - len(data), offset + len(data))
                    if not more:
                        raise StoreError(
                            f"{path} ends before byte {offset + wanted}", hint="run `holdfast repository check NAME --read-data`"
                        )
                    data += more
            finally:
                os.close(descriptor)
        except OSError as error:
            raise self._translated(error) from error
        return data

    def size(self, kind: FileType, name: str) -> int:
        try:
            return os.stat(self._path(kind, name)).st_size
        except OSError as error:
            raise self._translated(error) from error

    def names(self, kind: FileType) -> Iterator[str]:
        if kind is FileType.CONFIG:
            if os.path.isfile(self._path(kind, "")):
                yield ""
            return
        if not os.path.isdir(os.path.join(self._root, kind.value)):
            raise RepositoryMissing(f"there is no repository at {self._root}", hint="check that its disk is mounted")
        for folder in self._folders(kind):
            try:
                listed = os.listdir(folder)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise self._translated(error) from error
            yield from (name for name in listed if _NAME.fullmatch(name))

    def remove(self, kind: FileType, name: str) -> None:
        path = self._path(kind, name)
        if kind is not FileType.LOCK:
            # Our own lock must go also where another owns the place by now.
            self._check_owner()
        try:
            os.unlink(path)
            sync_folder(os.path.dirname(path))
        except FileNotFoundError:
            return
        except OSError as error:
            raise self._translated(error) from error

    def close(self) -> None:
        with self._guard:
            left = list(self._waiting)
        for kind, name in left:
            self.forget(kind, (name,))

    def _folders(self, kind: FileType) -> list[str]:
        if kind is FileType.CONFIG:
            return [self._root]
        folder = os.path.join(self._root, kind.value)
        return [os.path.join(folder, f"{number:02x}") for number in range(256)] if kind is FileType.DATA else [folder]

    def _path(self, kind: FileType, name: str) -> str:
        if kind is FileType.CONFIG:
            return os.path.join(self._root, "config")
        if _NAME.fullmatch(name) is None:
            raise StoreError(f"not a repository file name: {name[:80]!r}", hint="this is a fault in Holdfast; the log has the details")
        if kind is FileType.DATA:
            return os.path.join(self._root, "data", name[:2], name)
        return os.path.join(self._root, kind.value, name)

    def _has(self, path: str, size: int) -> bool:
        try:
            return os.stat(path).st_size == size
        except OSError:
            return False

    def _write(self, target: str, data: bytes, *, sync: bool) -> str:
        """The path of a new temporary file beside `target` with this content; nothing stays behind on an error."""
        folder = os.path.dirname(target)
        temporary = os.path.join(folder, f"{_STRAY}{os.getpid()}-{next(self._numbers)}")
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            descriptor = os.open(temporary, flags, 0o600)
        except FileNotFoundError:
            # A stock tool made the place and leaves out empty data folders; the place itself must be there.
            if not os.path.isdir(self._root):
                raise
            os.makedirs(folder, 0o700, exist_ok=True)
            descriptor = os.open(temporary, flags, 0o600)
        try:
            try:
                view = memoryview(data)
                while view:
                    view = view[os.write(descriptor, view) :]
                if sync:
                    os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError:
            self._unlink_quietly(temporary)
            raise
        return temporary

    def _fsync(self, path: str) -> None:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _unlink_quietly(self, path: str) -> None:
        if path:
            with suppress(OSError):
                os.unlink(path)

    def _translated(self, error: OSError) -> StoreError | NotReachable:
        if is_no_space(error):
            return NoSpace(
                f"no space left at {self._root}", hint="make room there, or shorten the keep rules and prune", location=self._root
            )
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            return RepositoryMissing(
                f"not there: {error.filename or self._root}", hint="check that its disk is mounted", location=self._root
            )
        if error.errno in _AWAY:
            return NotReachable(f"{self._root} is away: {error.strerror}", hint="check the mount; it is tried again", location=self._root)
        return StoreError(f"{error.strerror}: {error.filename or self._root}", hint="check permissions and the disk", location=self._root)
