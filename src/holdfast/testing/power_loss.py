"""What a power cut takes away: bytes that no sync followed, and names whose folder was not synced after them.

The model is a journalling file system at its least helpful. Names: their changes reach the disk in order; the newest may be missing, any
number of them. Content: of each file what was there at its last sync stays, and of each write since then all, nothing, or a beginning of
whole sectors, independent of order and of whether the file's name is there: a name may be there and the file empty.
"""

from __future__ import annotations

import os
import random
import shutil
import stat
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

# Straight through to the kernel: the hooks of `disk_calls` must not count what is done here.
_link, _rename, _mkdir, _rmdir, _unlink = os.link, os.rename, os.mkdir, os.rmdir, os.unlink
_SECTOR = 512
Ident = tuple[int, int]


@dataclass
class _Pending:
    """A file with unsynced changes: what the disk surely has of it, and what came since. A change is (offset, bytes) or (size, None)."""

    durable: bytes
    changes: list[tuple[int, bytes | None]] = field(default_factory=list)


class Volatile:
    """The part of a folder that is not on disk yet. Calls come before the change itself, except `created`."""

    def __init__(self, root: Path, parts: Collection[str] = ()) -> None:
        self._root = root
        self._parts = parts
        # Beside the folder, so that what was removed or replaced keeps its identity until it is surely gone.
        self._limbo = root.parent / f".limbo-{root.name}"
        self._guard = threading.RLock()
        self._files: dict[Ident, _Pending] = {}
        self._undo: list[Callable[[], object]] = []
        self._number = 0

    # Content

    def writing(self, file: Any, offset: int, data: bytes) -> None:
        with self._guard:
            self._pending(file).changes.append((offset, data))

    def truncating(self, file: Any, size: int) -> None:
        with self._guard:
            self._pending(file).changes.append((size, None))

    def synced(self, file: Any) -> None:
        with self._guard:
            self._files.pop(_ident(file), None)

    # Names

    def created(self, place: str) -> None:
        with self._guard:
            found = os.lstat(place)
            if stat.S_ISREG(found.st_mode) and found.st_nlink == 1:
                self._files[(found.st_dev, found.st_ino)] = _Pending(b"")
            self._undo.append(partial(_take_away, place))

    def rename(self, here: str, there: str, usual: Callable[[], object]) -> None:
        with self._guard:
            same = os.path.lexists(there) and os.path.samestat(os.lstat(here), os.lstat(there))
            restore = None if same else self._kept(there)
            usual()
            if not same:
                self._undo.append(partial(_rename_back, here, there, restore))

    def remove(self, place: str, usual: Callable[[], object]) -> None:
        with self._guard:
            restore = self._kept(place)
            usual()
            if restore is not None:
                self._undo.append(restore)

    def names_synced(self) -> None:
        with self._guard:
            self._undo.clear()
            shutil.rmtree(self._limbo, ignore_errors=True)

    def all_synced(self) -> None:
        with self._guard:
            self._files.clear()
            self.names_synced()

    def lose(self, seed: int | None) -> None:
        """See `FaultyDisk.lose`."""
        with self._guard:
            chance = random.Random(seed)
            stay = 0 if seed is None else chance.randint(0, len(self._undo))
            for undo in reversed(self._undo[stay:]):
                undo()
            self._undo.clear()
            roots = [self._root / part for part in self._parts] or [self._root]
            for place in sorted(place for root in roots for place in root.rglob("*")):
                found = os.lstat(place)
                if place.name.endswith("-shm"):
                    # Memory that SQLite's connections share; anew after a start.
                    place.unlink()
                elif stat.S_ISREG(found.st_mode) and (pending := self._files.pop((found.st_dev, found.st_ino), None)) is not None:
                    _rewrite(place, found, pending, None if seed is None else chance)
            self.all_synced()

    def _pending(self, file: Any) -> _Pending:
        ident = _ident(file)
        known = self._files.get(ident)
        if known is None:
            path = f"/proc/self/fd/{file}" if isinstance(file, int) else file
            known = self._files[ident] = _Pending(Path(path).read_bytes())
        return known

    def _kept(self, place: str) -> Callable[[], object] | None:
        """Keeps what stands there from being lost when its name goes; how to bring it back."""
        if not os.path.lexists(place):
            return None
        found = os.lstat(place)
        if stat.S_ISDIR(found.st_mode):
            return partial(_mkdir, place, stat.S_IMODE(found.st_mode))
        if not self._limbo.exists():
            _mkdir(self._limbo)
        self._number += 1
        kept = self._limbo / str(self._number)
        _link(place, kept, follow_symlinks=False)
        return partial(_rename, kept, place)


def _ident(file: Any) -> Ident:
    found = os.stat(file)
    return found.st_dev, found.st_ino


def _take_away(place: str) -> None:
    if os.path.isdir(place) and not os.path.islink(place):
        _rmdir(place)
    else:
        _unlink(place)


def _rename_back(here: str, there: str, restore: Callable[[], object] | None) -> None:
    _rename(there, here)
    if restore is not None:
        restore()


def _rewrite(place: Path, found: os.stat_result, pending: _Pending, chance: random.Random | None) -> None:
    content = bytearray(pending.durable)
    for offset, data in pending.changes if chance is not None else ():
        assert chance is not None
        if data is None:
            if chance.random() < 0.5:
                del content[offset:]
                content.extend(bytes(offset - len(content)))
            continue
        kept = data[: chance.choice((0, len(data), chance.randint(0, len(data) // _SECTOR) * _SECTOR))]
        if kept:
            content.extend(bytes(max(0, offset - len(content))))
            content[offset : offset + len(kept)] = kept
    place.chmod(0o600)
    place.write_bytes(content)
    place.chmod(stat.S_IMODE(found.st_mode))
    os.utime(place, ns=(found.st_atime_ns, found.st_mtime_ns))
