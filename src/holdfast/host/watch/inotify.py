"""Folder by folder, by inotify: needs no privilege. Every folder costs a watch and about 1 KiB of kernel memory, and a walk at the start.

A folder is watched first and listed then, so that what appears between is told, listed, or both; and it is told with the scope `TREE`
only after that. Each folder that came or was moved is walked again: a path may have led elsewhere while it was first walked.
"""

from __future__ import annotations

import errno
import os
import stat
import struct
from typing import NamedTuple

from holdfast.core.errors import WatchLimited
from holdfast.host.watch import syscalls
from holdfast.host.watch.facts import Aspect, Dirty, Means, Scope, Shortfall
from holdfast.host.watch.folder_tree import Folder, FolderTree
from holdfast.host.watch.ground import Ground
from holdfast.host.watch.listener import Heard
from holdfast.host.watch.syscalls import (
    IN_ATTRIB,
    IN_CLOSE_WRITE,
    IN_CREATE,
    IN_DELETE,
    IN_DELETE_SELF,
    IN_IGNORED,
    IN_ISDIR,
    IN_MODIFY,
    IN_MOVE_SELF,
    IN_MOVED_FROM,
    IN_MOVED_TO,
    IN_Q_OVERFLOW,
    IN_UNMOUNT,
)
from holdfast.host.watch.territory import Territory, joined

_MASK = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_MODIFY | IN_CLOSE_WRITE | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF
_TOP_FLAGS = syscalls.IN_DONT_FOLLOW | syscalls.IN_EXCL_UNLINK
_FLAGS = _TOP_FLAGS | syscalls.IN_ONLYDIR
_EVENT = struct.Struct("=iIII")
_READ_BYTES = 1 << 18
# Less room than one event with the longest name.
_FULL_BYTES = _READ_BYTES - 272
_VANISHED = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG})
_ASPECTS = (
    (IN_CREATE | IN_DELETE, Aspect.ENTRY),
    (IN_MODIFY, Aspect.CONTENT),
    (IN_CLOSE_WRITE, Aspect.CONTENT | Aspect.CLOSED),
    (IN_ATTRIB, Aspect.METADATA),
)
_ENTRY = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO
_MOVED = Aspect.ENTRY | Aspect.MOVED
_LIMIT_HINT = "raise `fs.inotify.max_user_watches` (and `max_user_instances`) with sysctl, or run the node as root on a newer kernel"


class _Leaving(NamedTuple):
    """A name that has gone from one folder and not yet come to another."""

    folder: Folder
    name: bytes
    is_folder: bool


class InotifyListener:
    """`Listener`; counts bytes. Raises `WatchLimited` when the kernel, or `most_folders`, allows no more folders."""

    means = Means.INOTIFY

    def __init__(self, territory: Territory, ground: Ground, *, most_folders: int | None = None) -> None:
        self.ground = ground
        self.shortfalls = frozenset({Shortfall.NO_ONE_KNOWN, Shortfall.OTHER_NAMES})
        self._territory = territory
        self._most_folders = most_folders
        self._leaving: dict[int, _Leaving] = {}
        try:
            self._descriptor = syscalls.inotify_init()
        except OSError as error:
            raise WatchLimited(f"no inotify queue can be had: {error.strerror}", hint=_LIMIT_HINT) from error
        self._tree = FolderTree(self._unwatch)
        try:
            self.follow(ground)
        except BaseException:
            self.close()
            raise

    def fileno(self) -> int:
        return self._descriptor

    def waiting(self) -> int:
        return syscalls.queued(self._descriptor)

    def follow(self, ground: Ground) -> None:
        """Watches what was not watched; leaves what no longer belongs."""
        self.ground = ground
        self._stops = frozenset(mount.point for mount in ground.mounts)
        self._wanted = wanted = dict[bytes, bool]()
        for scope in ground.scopes:
            above = scope[: scope.rfind(b"/")] or b"/"
            # The folder above tells when the root itself comes and goes; one that is inside is watched anyway.
            if scope != b"/" and not self._territory.holds(above):
                wanted.setdefault(above, False)
            wanted[scope] = True
        for top in [top for top in self._tree.tops.values() if wanted.get(top.name) is not top.deep]:
            self._tree.drop(top)
        for path, deep in wanted.items():
            self._walk(self._tree.top(path, deep))

    def look(self) -> tuple[bytes, ...]:
        """A top that was removed and made again has another watch, or none, although it may have the inode of the one before."""
        again = []
        for path, deep in self._wanted.items():
            top = self._tree.top(path, deep)
            before = top.watch
            # Of a file the folder above tells that it was replaced.
            if self._watch(top, path) and top.watch != before and deep:
                self._walk(top)
                again.append(path)
        return tuple(again)

    def read(self) -> tuple[int, Heard]:
        heard = Heard()
        try:
            data = os.read(self._descriptor, _READ_BYTES)
        except BlockingIOError:
            return 0, heard
        at = 0
        while at < len(data):
            watch, mask, cookie, length = _EVENT.unpack_from(data, at)
            at += _EVENT.size
            name = data[at : at + length].rstrip(b"\0")
            at += length
            if mask & IN_Q_OVERFLOW:
                heard.lost = True
            elif mask & IN_IGNORED:
                self._tree.unbind(watch)
            else:
                self._told(watch, (mask, cookie, name), heard)
        if self._leaving and not (len(data) > _FULL_BYTES and self.waiting()):
            # Those whose other end was not told are out of what is watched, unless the room ended between the two.
            for source in self._leaving.values():
                self._left(source, heard)
            self._leaving.clear()
        if heard.lost:
            self._leaving.clear()
            self.follow(self.ground)
        return len(data), heard

    def close(self) -> None:
        os.close(self._descriptor)

    def _told(self, watch: int, event: tuple[int, int, bytes], heard: Heard) -> None:
        mask, cookie, name = event
        for folder in self._tree.bound(watch):
            if not name:
                self._told_of_itself(folder, mask, heard)
                continue
            path = joined(folder.path(), name)
            if not self._territory.holds(path):
                heard.unsettled |= path in self._territory.forks and bool(mask & _ENTRY)
                continue
            heard.unsettled |= path in self._territory.roots and bool(mask & IN_ISDIR)
            if mask & IN_MOVED_FROM:
                self._leaving[cookie] = _Leaving(folder, name, bool(mask & IN_ISDIR))
            elif mask & IN_MOVED_TO:
                self._came(self._leaving.pop(cookie, None), folder, (name, bool(mask & IN_ISDIR)), heard)
            elif mask & IN_ISDIR:
                heard.facts.append(self._folder_told(folder, name, mask))
            else:
                heard.facts.append(Dirty(path, what=_what(mask)))

    def _told_of_itself(self, folder: Folder, mask: int, heard: Heard) -> None:
        heard.unsettled |= bool(mask & IN_UNMOUNT) or (folder.above is None and bool(mask & (IN_DELETE_SELF | IN_MOVE_SELF)))
        what = _what(mask)
        if what and folder.deep:
            heard.facts.append(Dirty(folder.path(), what=what))

    def _folder_told(self, folder: Folder, name: bytes, mask: int) -> Dirty:
        path = joined(folder.path(), name)
        if not mask & (IN_CREATE | IN_DELETE):
            return Dirty(path, what=_what(mask))
        known = folder.children.get(name)
        if mask & IN_CREATE and known is not None and known.watch is not None and known.inode == _inode_at(path):
            # The walk of the folder above has met it already, and it is told with that folder.
            return Dirty(path)
        self._enter(folder, name)
        return Dirty(path, Scope.TREE)

    def _came(self, source: _Leaving | None, folder: Folder, entry: tuple[bytes, bool], heard: Heard) -> None:
        name, is_folder = entry
        path = joined(folder.path(), name)
        scope = Scope.TREE if is_folder else Scope.NAME
        if is_folder:
            # First where it is, then where it was: so its watches pass over, and are not given back and taken again.
            self._enter(folder, name)
        if source is not None:
            self._left(source, heard)
            inode = _inode_at(path)
            if inode is not None:
                heard.facts.append(Dirty(path, scope, _MOVED, joined(source.folder.path(), source.name), inode))
        heard.facts.append(Dirty(path, scope, _MOVED))

    def _left(self, source: _Leaving, heard: Heard) -> None:
        if source.is_folder:
            self._enter(source.folder, source.name)
        path = joined(source.folder.path(), source.name)
        heard.facts.append(Dirty(path, Scope.TREE if source.is_folder else Scope.NAME, _MOVED))

    def _enter(self, folder: Folder, name: bytes) -> None:
        """Watches what is at the name now, with all folders in it, or nothing any more. An event only says that it may have changed."""
        path = joined(folder.path(), name)
        # A folder above a root is watched for its names only; the root itself is a top, and looked after as such.
        if not folder.deep or path in self._stops:
            return
        try:
            status = os.lstat(path)
        except OSError:
            status = None
        if status is not None and stat.S_ISDIR(status.st_mode) and status.st_dev == folder.device and self._territory.holds(path):
            self._walk(folder.child(name))
        elif name in folder.children:
            self._tree.drop(folder.children[name])

    def _walk(self, top: Folder) -> None:
        todo = [top]
        while todo:
            folder = todo.pop()
            path = folder.path()
            if not self._watch(folder, path) or not folder.deep:
                continue
            found = set()
            try:
                with os.scandir(path) as listing:
                    for entry in listing:
                        if entry.is_dir(follow_symlinks=False) and self._belongs(folder, entry):
                            found.add(entry.name)
            except OSError as error:
                self._cannot_read(folder, error)
                continue
            for name in [name for name in folder.children if name not in found]:
                self._tree.drop(folder.children[name])
            todo.extend(folder.child(name) for name in found)

    def _belongs(self, folder: Folder, entry: os.DirEntry[bytes]) -> bool:
        path = joined(folder.path(), entry.name)
        if not self._territory.holds(path) or path in self._stops:
            return False
        try:
            return entry.stat(follow_symlinks=False).st_dev == folder.device
        except OSError:
            return False

    def _watch(self, folder: Folder, path: bytes) -> bool:
        """Whether it is watched and a folder. A top may be a file."""
        if self._most_folders is not None and folder.watch is None and len(self._tree) >= self._most_folders:
            raise _limited(f"more than {self._most_folders:,} folders")
        try:
            watch = syscalls.inotify_add_watch(self._descriptor, path, _MASK | (_FLAGS if folder.above else _TOP_FLAGS))
            status = os.lstat(path)
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise _limited("no further folder") from error
            self._cannot_read(folder, error)
            return False
        self._tree.bind(watch, folder, status)
        return stat.S_ISDIR(status.st_mode)

    def _cannot_read(self, folder: Folder, error: OSError) -> None:
        if error.errno in _VANISHED:
            # Its end, and where it went, are events still to come; a top is looked for again by the watch.
            self._tree.drop(folder)
        else:
            self.shortfalls |= {Shortfall.UNREADABLE_FOLDERS}

    def _unwatch(self, watch: int) -> None:
        syscalls.inotify_rm_watch(self._descriptor, watch)


def _what(mask: int) -> Aspect:
    found = Aspect(0)
    for bits, aspect in _ASPECTS:
        if mask & bits:
            found |= aspect
    return found


def _inode_at(path: bytes) -> int | None:
    try:
        return os.lstat(path).st_ino
    except OSError:
        return None


def _limited(what: str) -> WatchLimited:
    return WatchLimited(f"inotify can watch {what}", hint=_LIMIT_HINT)
