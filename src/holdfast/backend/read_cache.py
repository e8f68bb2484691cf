"""A copy, in the owner's home, of what a repository far away is asked for most: index and snapshot files, and packs that hold trees.

Only a copy: it may be deleted at any time. Names are SHA-256 of the content, so a copy that is damaged is found out, dropped and fetched
anew. What the store itself lists decides what exists.
"""

from __future__ import annotations

import logging
import os
import re
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Protocol

from holdfast.backend.backend import Backend, FileType
from holdfast.backend.grouping import GroupedSaves
from holdfast.backend.object_lock import FileName, ObjectLock
from holdfast.backend.owner import Ownable
from holdfast.core.clock import Clock
from holdfast.core.errors import StoreError
from holdfast.core.private_files import make_private_folder

_KEPT = (FileType.INDEX, FileType.SNAPSHOT)
_NAME = re.compile(r"[0-9a-f]{64}")
_STRAY = ".new-"
# A cached pack is hashed once; while its file looks the same, ranges of it are served without hashing all of it again.
_Look = tuple[int, int, int]

logger = logging.getLogger(__name__)


class RemoteBackend(Backend, GroupedSaves, Ownable, ObjectLock, Protocol):
    """What can be cached."""


class ReadCache:
    """A `RemoteBackend` with the ability `CachedReads`. `most_bytes` bounds the copies; what was not used longest goes first.

    The folder is made at the first write, never before the repository exists. A disk that is full or broken makes reads slower, not wrong.
    """

    def __init__(self, inner: RemoteBackend, folder: Path, most_bytes: int, clock: Clock) -> None:
        self._inner = inner
        self._clock = clock
        self._folder = folder
        self._most_bytes = most_bytes
        self._guard = threading.Lock()
        self._sizes: OrderedDict[FileName, int] | None = None
        self._total_bytes = 0
        self._trusted: dict[FileName, _Look] = {}
        self._is_failing = False

    @property
    def location(self) -> str:
        return self._inner.location

    def uncached(self) -> Backend:
        return self._inner

    def create(self) -> None:
        self._inner.create()

    def take(self) -> None:
        self._inner.take()

    def take_over(self) -> str:
        return self._inner.take_over()

    def refuse_others(self) -> None:
        self._inner.refuse_others()

    def give_up(self) -> None:
        self._inner.give_up()

    def save(self, kind: FileType, name: str, data: bytes) -> None:
        self._inner.save(kind, name, data)
        if kind in _KEPT:
            self._keep((kind, name), data)

    def save_later(self, kind: FileType, name: str, data: bytes) -> None:
        self._inner.save_later(kind, name, data)

    def settle(self, kind: FileType, names: tuple[str, ...]) -> None:
        self._inner.settle(kind, names)

    def forget(self, kind: FileType, names: tuple[str, ...]) -> None:
        self._inner.forget(kind, names)

    def remove_strays(self) -> None:
        self._inner.remove_strays()

    def load(self, kind: FileType, name: str, offset: int = 0, size: int | None = None) -> bytes:
        if kind not in _KEPT or offset or size is not None:
            return self._inner.load(kind, name, offset, size)
        kept = self._read_whole((kind, name))
        if kept is not None:
            return kept
        data = self._inner.load(kind, name)
        self._keep((kind, name), data)
        return data

    def load_tree(self, name: str, offset: int, size: int) -> bytes:
        file = (FileType.DATA, name)
        kept = self._read_range(file, offset, size)
        if kept is not None:
            return kept
        pack = self._inner.load(FileType.DATA, name)
        self._keep(file, pack)
        data = pack[offset : offset + size]
        if len(data) != size:
            hint = "run `holdfast repository check NAME --read-data`"
            raise StoreError(f"pack {name} of {self.location} ends before byte {offset + size}", hint=hint)
        return data

    def drop(self, name: str) -> None:
        self._drop((FileType.DATA, name))

    def size(self, kind: FileType, name: str) -> int:
        return self._inner.size(kind, name)

    def names(self, kind: FileType) -> Iterator[str]:
        if kind not in _KEPT:
            yield from self._inner.names(kind)
            return
        found = set()
        for name in self._inner.names(kind):
            found.add(name)
            yield name
        # Only now is the listing whole: what it does not have, somebody has removed.
        with self._guard:
            gone = [file for file in self._known() if file[0] is kind and file[1] not in found]
        for file in gone:
            self._drop(file)

    def remove(self, kind: FileType, name: str) -> None:
        self._inner.remove(kind, name)
        self._drop((kind, name))

    def locks_files(self) -> bool:
        return self._inner.locks_files()

    def extend_retention(self, files: Iterable[FileName], until: datetime) -> None:
        self._inner.extend_retention(files, until)

    def close(self) -> None:
        self._inner.close()

    def _read_whole(self, file: FileName) -> bytes | None:
        """The copy, proven by its name; None when there is none. A bad one is dropped."""
        if not self._has(file):
            return None
        try:
            data = self._path(file).read_bytes()
        except OSError:
            data = b""
        if sha256(data).hexdigest() == file[1]:
            self._use(file)
            return data
        logger.warning("a cached file was bad and is fetched again", extra={"facts": {"file": f"{file[0].value}/{file[1]}"}})
        self._drop(file)
        return None

    def _read_range(self, file: FileName, offset: int, size: int) -> bytes | None:
        if not self._has(file):
            return None
        try:
            descriptor = os.open(self._path(file), os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            self._drop(file)
            return None
        try:
            facts = os.fstat(descriptor)
            look = (facts.st_ino, facts.st_size, facts.st_mtime_ns)
            if self._trusted.get(file) != look:
                if self._read_whole(file) is None:
                    return None
                self._trusted[file] = look
            data = os.pread(descriptor, size, offset)
        except OSError:
            data = b""
        finally:
            os.close(descriptor)
        if len(data) != size:
            self._drop(file)
            return None
        self._use(file)
        return data

    def _keep(self, file: FileName, data: bytes) -> None:
        """Only what its name proves is kept. A copy that cannot be written is left out."""
        if len(data) > self._most_bytes or sha256(data).hexdigest() != file[1]:
            return
        path = self._path(file)
        fresh = path.with_name(f"{_STRAY}{threading.get_ident()}-{path.name}")
        try:
            make_private_folder(path.parent)
            with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as out:
                out.write(data)
            fresh.replace(path)
            facts = path.stat()
        except OSError as error:
            with suppress(OSError):
                fresh.unlink()
            if not self._is_failing:
                logger.warning("the cache cannot be written", extra={"facts": {"folder": str(self._folder), "error": str(error)}})
            self._is_failing = True
            return
        self._is_failing = False
        with self._guard:
            known = self._known()
            self._total_bytes += len(data) - known.pop(file, 0)
            known[file] = len(data)
            self._trusted[file] = (facts.st_ino, facts.st_size, facts.st_mtime_ns)
            oldest = self._surplus()
        self._note_use(file)
        for each in oldest:
            self._drop(each)

    def _surplus(self) -> list[FileName]:
        surplus, over_bytes = [], self._total_bytes - self._most_bytes
        for file, size in self._known().items():
            if over_bytes <= 0:
                break
            surplus.append(file)
            over_bytes -= size
        return surplus

    def _has(self, file: FileName) -> bool:
        with self._guard:
            return file in self._known()

    def _use(self, file: FileName) -> None:
        with self._guard:
            if file in self._known():
                self._known().move_to_end(file)
        self._note_use(file)

    def _note_use(self, file: FileName) -> None:
        """On the file itself, for the order after a restart."""
        with suppress(OSError):
            path = self._path(file)
            os.utime(path, ns=(self._clock.now_ns(), path.stat().st_mtime_ns))

    def _drop(self, file: FileName) -> None:
        with self._guard:
            # In two steps: to read the folder for the first time sets the total.
            size = self._known().pop(file, 0)
            self._total_bytes -= size
            self._trusted.pop(file, None)
        with suppress(OSError):
            self._path(file).unlink()

    def _known(self) -> OrderedDict[FileName, int]:
        """What is there, longest unused first; read from the folder once. To be called under the guard."""
        if self._sizes is None:
            found = sorted(self._found(), key=lambda each: each[2])
            self._sizes = OrderedDict((file, size) for file, size, _ in found)
            self._total_bytes = sum(self._sizes.values())
        return self._sizes

    def _found(self) -> Iterator[tuple[FileName, int, int]]:
        for kind in (*_KEPT, FileType.DATA):
            with suppress(OSError), os.scandir(self._folder / kind.value) as entries:
                for entry in entries:
                    facts = entry.stat(follow_symlinks=False)
                    if _NAME.fullmatch(entry.name):
                        yield (kind, entry.name), facts.st_size, facts.st_atime_ns
                    elif entry.name.startswith(_STRAY):
                        os.unlink(entry.path)

    def _path(self, file: FileName) -> Path:
        return self._folder / file[0].value / file[1]
