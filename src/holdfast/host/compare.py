"""Comparing two trees, every byte and attribute. What the demo and the tests prove equality with.

Not compared: ctime and inode numbers (they cannot be set), sizes of folders, access times and holes unless asked for.
Sockets are compared as any other kind.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from holdfast.model.entry import display_path

_WINDOW = 1 << 20
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True)
class Difference:
    """`path` is relative to the compared roots (b"" = the roots themselves), `what` is missing, kind, mode, owner, size, content, mtime,
    xattr NAME, link target, device, hard links or holes; `left` and `right` are for display.
    """

    path: bytes
    what: str
    left: str
    right: str

    def __str__(self) -> str:
        return f"{display_path(self.path) or '.'}: {self.what}: {self.left} != {self.right}"


@dataclass(frozen=True, kw_only=True)
class _Options:
    holes: bool
    owner: bool


@dataclass
class _Links:
    """Names of files with several names, by (device, inode), as far as seen."""

    names: dict[tuple[int, int], list[bytes]] = field(default_factory=dict)

    def add(self, found: os.stat_result, path: bytes) -> None:
        if found.st_nlink > 1 and not stat.S_ISDIR(found.st_mode):
            self.names.setdefault((found.st_dev, found.st_ino), []).append(path)

    def groups(self) -> dict[bytes, tuple[bytes, ...]]:
        return {path: tuple(group) for group in self.names.values() if len(group) > 1 for path in group}


def compare_trees(a: Path | bytes, b: Path | bytes, *, ignore_holes: bool = True, ignore_owner: bool = False) -> Iterator[Difference]:
    """Differences in walk order, hard links last; nothing at all when the trees are equal. Raises `OSError` on what cannot be read."""
    options = _Options(holes=not ignore_holes, owner=not ignore_owner)
    left_root, right_root = os.fsencode(a), os.fsencode(b)
    left_links, right_links = _Links(), _Links()
    stack = [b""]
    while stack:
        path = stack.pop()
        left, right = _join(left_root, path), _join(right_root, path)
        left_stat, right_stat = _lstat(left), _lstat(right)
        if left_stat is None or right_stat is None:
            yield Difference(path, "missing", *("absent" if found is None else _kind(found) for found in (left_stat, right_stat)))
            continue
        left_links.add(left_stat, path)
        right_links.add(right_stat, path)
        if stat.S_ISDIR(left_stat.st_mode) and stat.S_ISDIR(right_stat.st_mode):
            names = set(os.listdir(left)) | set(os.listdir(right))
            stack.extend(path + b"/" + name if path else name for name in sorted(names, reverse=True))
        yield from _compare_one(_Pair(path, left, right, left_stat, right_stat), options)
    yield from _compare_groups(left_links.groups(), right_links.groups())


@dataclass(frozen=True)
class _Pair:
    path: bytes
    left: bytes
    right: bytes
    left_stat: os.stat_result
    right_stat: os.stat_result

    def differ(self, what: str, left: object, right: object) -> Iterator[Difference]:
        if left != right:
            yield Difference(self.path, what, str(left), str(right))


def _compare_one(pair: _Pair, options: _Options) -> Iterator[Difference]:
    left, right = pair.left_stat, pair.right_stat
    if stat.S_IFMT(left.st_mode) != stat.S_IFMT(right.st_mode):
        yield Difference(pair.path, "kind", _kind(left), _kind(right))
        return
    yield from pair.differ("mode", oct(stat.S_IMODE(left.st_mode)), oct(stat.S_IMODE(right.st_mode)))
    if options.owner:
        yield from pair.differ("owner", f"{left.st_uid}:{left.st_gid}", f"{right.st_uid}:{right.st_gid}")
    yield from pair.differ("mtime", left.st_mtime_ns, right.st_mtime_ns)
    yield from _compare_xattrs(pair)
    if stat.S_ISREG(left.st_mode):
        yield from _compare_content(pair)
        if options.holes and left.st_size == right.st_size:
            yield from pair.differ("holes", _data_map(pair.left), _data_map(pair.right))
    elif stat.S_ISLNK(left.st_mode):
        yield from pair.differ("link target", os.readlink(pair.left), os.readlink(pair.right))
    elif stat.S_ISBLK(left.st_mode) or stat.S_ISCHR(left.st_mode):
        yield from pair.differ("device", left.st_rdev, right.st_rdev)


def _compare_xattrs(pair: _Pair) -> Iterator[Difference]:
    left, right = _xattrs(pair.left), _xattrs(pair.right)
    if left == right:
        return
    for name in sorted(left.keys() | right.keys()):
        yield from pair.differ(f"xattr {name}", left.get(name), right.get(name))


def _xattrs(path: bytes) -> dict[str, bytes]:
    """ACLs are among them, as system.posix_acl_access and system.posix_acl_default."""
    return {name: os.getxattr(path, name, follow_symlinks=False) for name in os.listxattr(path, follow_symlinks=False)}


def _compare_content(pair: _Pair) -> Iterator[Difference]:
    if pair.left_stat.st_size != pair.right_stat.st_size:
        yield Difference(pair.path, "size", str(pair.left_stat.st_size), str(pair.right_stat.st_size))
        return
    if not pair.left_stat.st_size or os.path.samestat(pair.left_stat, pair.right_stat):
        return
    left = os.open(pair.left, _READ)
    try:
        right = os.open(pair.right, _READ)
        try:
            at = _first_difference(left, right)
        finally:
            os.close(right)
    finally:
        os.close(left)
    if at is not None:
        yield Difference(pair.path, "content", f"window at {at}", f"window at {at}")


def _first_difference(left: int, right: int) -> int | None:
    """Offset of the first window that differs."""
    at = 0
    while True:
        data = os.read(left, _WINDOW)
        if data != os.read(right, _WINDOW):
            return at
        if not data:
            return None
        at += len(data)


def _data_map(path: bytes) -> tuple[tuple[int, int], ...]:
    """The ranges that hold data, by SEEK_DATA and SEEK_HOLE."""
    fd = os.open(path, _READ)
    try:
        ranges, at, end = [], 0, os.fstat(fd).st_size
        while at < end:
            try:
                start = os.lseek(fd, at, os.SEEK_DATA)
            except OSError:
                break
            at = os.lseek(fd, start, os.SEEK_HOLE)
            ranges.append((start, at))
        return tuple(ranges)
    finally:
        os.close(fd)


def _compare_groups(left: dict[bytes, tuple[bytes, ...]], right: dict[bytes, tuple[bytes, ...]]) -> Iterator[Difference]:
    for path in sorted(left.keys() | right.keys()):
        one, other = left.get(path, ()), right.get(path, ())
        if one != other:
            yield Difference(path, "hard links", _shown(one), _shown(other))


def _shown(paths: tuple[bytes, ...]) -> str:
    return ", ".join(display_path(path) for path in paths) or "none"


def _kind(found: os.stat_result) -> str:
    return {"-": "file", "d": "dir", "l": "symlink", "p": "fifo", "s": "socket", "b": "dev", "c": "chardev"}.get(
        stat.filemode(found.st_mode)[0], "other"
    )


def _join(root: bytes, path: bytes) -> bytes:
    return os.path.join(root, path) if path else root


def _lstat(path: bytes) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except FileNotFoundError:
        return None
