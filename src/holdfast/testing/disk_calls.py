"""The calls of `os` that change a disk, each made a step of a `FaultyDisk`."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from holdfast.host.tree_writer.draft import libc
from holdfast.testing.power_loss import Volatile

if TYPE_CHECKING:
    from holdfast.testing.faulty_disk import FaultyDisk

_MAKES = {"mkdir": "mkdir", "symlink": "make", "mkfifo": "make", "mknod": "make"}
_DRESSES = ("utime", "chmod", "chown", "fchmod", "setxattr", "removexattr")
Call = Callable[..., Any]


def place_of(path: Any, folder: int | None = None) -> str:
    """Where a path (with `dir_fd`) or a descriptor is now."""
    if isinstance(path, int):
        return os.readlink(f"/proc/self/fd/{path}").removesuffix(" (deleted)")
    text = os.fsdecode(path)
    if text.startswith("/proc/self/fd/"):
        return os.readlink(text)
    if folder is not None:
        text = os.path.join(place_of(folder), text)
    return os.path.normpath(os.path.join(os.getcwd(), text))


class Hooks:
    """`install` puts them in, `remove` takes them out."""

    def __init__(self, disk: FaultyDisk) -> None:
        self._disk = disk
        self._usual: dict[str, Call] = {}
        self._syncfs: Call | None = None

    def install(self) -> None:
        self._hook("open", self._open)
        for name, hook in (("write", self._write), ("pwrite", self._write), ("ftruncate", self._truncate)):
            self._hook(name, partial(hook, name))
        for name in ("fsync", "fdatasync"):
            self._hook(name, partial(self._sync, name))
        for name in ("rename", "replace"):
            self._hook(name, partial(self._rename, name))
        self._hook("link", self._link)
        for name in _MAKES:
            self._hook(name, partial(self._make, name))
        for name, verb in (("unlink", "remove"), ("remove", "remove"), ("rmdir", "rmdir")):
            self._hook(name, partial(self._remove, name, verb))
        for name in _DRESSES:
            self._hook(name, partial(self._dress, name))
        self._syncfs = libc().syncfs
        # What was looked up once is an attribute of the library's object, and found there.
        vars(libc())["syncfs"] = self._sync_all

    def remove(self) -> None:
        for name, usual in self._usual.items():
            setattr(os, name, usual)
        self._usual.clear()
        vars(libc())["syncfs"] = self._syncfs

    def _hook(self, name: str, hook: Call) -> None:
        self._usual[name] = getattr(os, name)
        setattr(os, name, hook)

    @property
    def _volatile(self) -> Volatile | None:
        return self._disk.volatile

    def _step(self, verb: str, relative: str) -> None:
        error = self._disk.fault(verb, relative)
        if error is not None:
            raise error

    def _open(self, path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        usual = self._usual["open"]
        if not flags & (os.O_CREAT | os.O_TRUNC):
            return int(usual(path, flags, mode, dir_fd=dir_fd))
        place = place_of(path, dir_fd)
        relative = self._disk.relative(place)
        if relative is None:
            return int(usual(path, flags, mode, dir_fd=dir_fd))
        is_new = not os.path.lexists(place)
        if is_new and flags & os.O_CREAT:
            self._step("create", relative)
        elif flags & os.O_TRUNC:
            self._step("truncate", relative)
            if self._volatile is not None:
                self._volatile.truncating(place, 0)
        descriptor = int(usual(path, flags, mode, dir_fd=dir_fd))
        if is_new and self._volatile is not None:
            self._volatile.created(place)
        return descriptor

    def _write(self, name: str, descriptor: int, data: Any, *offset: int) -> int:
        usual = self._usual[name]
        place = place_of(descriptor)
        relative = self._disk.relative(place)
        if relative is None:
            return int(usual(descriptor, data, *offset))
        error = self._disk.fault("write", relative)
        if error is not None:
            data = bytes(data)[: len(data) // 2]
        if self._volatile is not None:
            end = os.fstat(descriptor).st_size
            at = offset[0] if offset else end if _appends(descriptor) else os.lseek(descriptor, 0, os.SEEK_CUR)
            self._volatile.writing(descriptor, at, bytes(data))
        count = int(usual(descriptor, data, *offset))
        if error is not None:
            raise error
        return count

    def _truncate(self, name: str, descriptor: int, size: int) -> None:
        relative = self._disk.relative(place_of(descriptor))
        if relative is not None:
            self._step("grow" if size > os.fstat(descriptor).st_size else "truncate", relative)
            if self._volatile is not None:
                self._volatile.truncating(descriptor, size)
        self._usual[name](descriptor, size)

    def _sync(self, name: str, descriptor: int) -> None:
        relative = self._disk.relative(place_of(descriptor))
        if relative is None:
            self._usual[name](descriptor)
            return
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        self._step("sync-folder" if is_folder else "sync", relative)
        if self._volatile is not None:
            if is_folder:
                self._volatile.names_synced()
            else:
                self._volatile.synced(descriptor)

    def _sync_all(self, descriptor: int) -> int:
        relative = self._disk.relative(place_of(descriptor))
        if relative is None:
            return 0
        error = self._disk.fault("sync-all", relative)
        if isinstance(error, OSError):
            return -1
        if error is not None:
            raise error
        if self._volatile is not None:
            self._volatile.all_synced()
        return 0

    def _rename(self, name: str, source: Any, target: Any, *, src_dir_fd: int | None = None, dst_dir_fd: int | None = None) -> None:
        usual = partial(self._usual[name], source, target, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)
        here, there = place_of(source, src_dir_fd), place_of(target, dst_dir_fd)
        relative = self._disk.relative(there) or self._disk.relative(here)
        if relative is None:
            usual()
            return
        self._step("rename", relative)
        if self._volatile is None:
            usual()
        else:
            self._volatile.rename(here, there, usual)

    def _link(self, source: Any, target: Any, *, src_dir_fd: int | None = None, dst_dir_fd: int | None = None, **more: Any) -> None:
        there = place_of(target, dst_dir_fd)
        relative = self._disk.relative(there)
        if relative is not None:
            self._step("link", relative)
        self._usual["link"](source, target, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd, **more)
        if relative is not None and self._volatile is not None:
            self._volatile.created(there)

    def _make(self, name: str, *arguments: Any, dir_fd: int | None = None, **more: Any) -> None:
        place = place_of(arguments[1 if name == "symlink" else 0], dir_fd)
        relative = self._disk.relative(place)
        if relative is not None:
            if os.path.lexists(place):
                # Refused in any case: no step.
                relative = None
            else:
                self._step(_MAKES[name], relative)
        self._usual[name](*arguments, dir_fd=dir_fd, **more)
        if relative is not None and self._volatile is not None:
            self._volatile.created(place)

    def _remove(self, name: str, verb: str, path: Any, *, dir_fd: int | None = None) -> None:
        usual = partial(self._usual[name], path, dir_fd=dir_fd)
        place = place_of(path, dir_fd)
        relative = self._disk.relative(place)
        if relative is None or not os.path.lexists(place):
            usual()
            return
        self._step(verb, relative)
        if self._volatile is None:
            usual()
        else:
            self._volatile.remove(place, usual)

    def _dress(self, name: str, path: Any, *arguments: Any, dir_fd: int | None = None, **more: Any) -> None:
        relative = self._disk.relative(place_of(path, dir_fd))
        if relative is not None:
            self._step("dress", relative)
        if dir_fd is not None:
            more["dir_fd"] = dir_fd
        self._usual[name](path, *arguments, **more)


def _appends(descriptor: int) -> bool:
    return bool(fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_APPEND)
