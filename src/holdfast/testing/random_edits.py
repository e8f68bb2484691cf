"""Edits of a tree by chance: everything that can happen to a name, also into and out of the tree and through a folder that is cut."""

from __future__ import annotations

import ctypes
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random

_NAMES = (b"a", b"b", b"c", b"\xff")
_RENAME_EXCHANGE = 2
_AT_FDCWD = -100


class RandomEdits:
    """Edits below `inside` and, for what comes and goes, `outside`, both on one file system. The same `random` makes the same edits."""

    def __init__(self, random: Random, inside: Path, outside: Path, *, hard_links: bool = True) -> None:
        self._random = random
        self._tops = (os.fsencode(inside), os.fsencode(outside))
        self._count = 0
        self._kinds: tuple[Callable[[], None], ...] = (
            self._write,
            self._write,
            self._append,
            self._save,
            self._make_folder,
            self._make_folders,
            self._remove,
            self._rename,
            self._rename,
            self._rename,
            self._to_and_fro,
            self._exchange,
            self._link if hard_links else self._save,
            self._symlink,
            self._chmod,
            self._set_attribute,
        )

    def once(self) -> str:
        """One edit, or none where it is not possible there. Gives its name."""
        kind = self._random.choice(self._kinds)
        try:
            kind()
        except OSError as error:
            return f"{kind.__name__}: {error.strerror}"
        return kind.__name__

    def _folder(self) -> bytes:
        """Mostly inside, mostly one that is there."""
        path = self._tops[self._random.random() < 0.2]
        while self._random.random() < 0.6:
            lower = [entry.path for entry in os.scandir(path) if entry.is_dir(follow_symlinks=False)]
            if not lower:
                break
            path = self._random.choice(sorted(lower))
        return path

    def _name(self) -> bytes:
        return self._folder() + b"/" + self._random.choice(_NAMES)

    def _existing(self) -> bytes:
        folder = self._folder()
        names = sorted(os.listdir(folder))
        return folder + b"/" + self._random.choice(names) if names else folder + b"/a"

    def _content(self) -> bytes:
        self._count += 1
        return b"%d" % self._count

    def _write(self) -> None:
        _put(self._name(), self._content(), os.O_TRUNC)

    def _append(self) -> None:
        _put(self._existing(), self._content(), os.O_APPEND)

    def _save(self) -> None:
        path = self._name()
        _put(path + b".tmp", self._content(), os.O_TRUNC)
        os.replace(path + b".tmp", path)

    def _make_folder(self) -> None:
        os.mkdir(self._name())

    def _make_folders(self) -> None:
        path = self._name() + b"/" + b"/".join(self._random.choices(_NAMES, k=3))
        os.makedirs(path)
        _put(path + b"/deep", self._content(), 0)

    def _remove(self) -> None:
        path = self._existing()
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        else:
            os.unlink(path)

    def _rename(self) -> None:
        os.rename(self._existing(), self._name())

    def _to_and_fro(self) -> None:
        path, other = self._existing(), self._name()
        os.rename(path, other)
        os.rename(other, path)
        os.rename(path, other)

    def _exchange(self) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.renameat2(_AT_FDCWD, self._existing(), _AT_FDCWD, self._existing(), _RENAME_EXCHANGE) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))

    def _link(self) -> None:
        os.link(self._existing(), self._name(), follow_symlinks=False)

    def _symlink(self) -> None:
        os.symlink(self._random.choice(_NAMES), self._name())

    def _chmod(self) -> None:
        path = self._existing()
        if not os.path.islink(path):
            os.chmod(path, self._random.choice((0o700, 0o711, 0o755)))

    def _set_attribute(self) -> None:
        os.setxattr(self._existing(), "user.note", self._content(), follow_symlinks=False)


def _put(path: bytes, data: bytes, flags: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | flags, 0o644)
    try:
        os.write(descriptor, data)
    finally:
        os.close(descriptor)
