"""A tree as somebody knows it who only looks where a watch says that something is dirty: a dictionary, to be compared with the truth."""

from __future__ import annotations

import os
import stat
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from holdfast.host.watch import Batch, Dirty, Gap, Scope
from holdfast.host.watch.ground import is_real
from holdfast.host.watch.territory import Territory, folders_of, joined


@dataclass(frozen=True, slots=True)
class Seen:
    """Of one path. `content`: the bytes of a file, the target of a link. Without times: those of folders are not told by a watch."""

    inode: int
    mode: int
    owner: int
    content: bytes
    attributes: tuple[tuple[str, bytes], ...]


class _Rows(dict[bytes, Seen]):
    """By path, found by folder and by inode too, so that a look costs the same in a large tree."""

    def __init__(self) -> None:
        super().__init__()
        self._in: defaultdict[bytes, set[bytes]] = defaultdict(set)
        self._named: defaultdict[int, set[bytes]] = defaultdict(set)

    def __setitem__(self, path: bytes, seen: Seen) -> None:
        if path in self:
            del self[path]
        super().__setitem__(path, seen)
        self._named[seen.inode].add(path)
        # Also of folders that are not known themselves: what is below them must be found.
        for folder in folders_of(path):
            if path in self._in[folder]:
                break
            self._in[folder].add(path)
            path = folder

    def __delitem__(self, path: bytes) -> None:
        self._named[self[path].inode].discard(path)
        super().__delitem__(path)

    def tree(self, path: bytes) -> list[bytes]:
        """It and all below it, as far as known."""
        found, todo = [], [path]
        while todo:
            at = todo.pop()
            if at in self:
                found.append(at)
            todo.extend(self._in.get(at, ()))
        return found

    def forget(self, path: bytes) -> None:
        for lower in self.tree(path):
            del self[lower]
            self._in.pop(lower, None)
        self._in.pop(path, None)

    def files_named(self, inode: int) -> list[bytes]:
        return [path for path in self._named.get(inode, ()) if stat.S_ISREG(self[path].mode)]


class WatchedTree:
    """`known`: what it believes. `looks`: names looked at, by which the cost of facts is seen. `followed`: moves it could follow."""

    def __init__(self, territory: Territory) -> None:
        self._territory = territory
        self.known = self.truth()
        self.looks = 0
        self.followed = 0

    def apply(self, batch: Batch) -> None:
        for move in batch.moves:
            self._follow(move)
        for fact in batch:
            self._look_at(fact)

    def truth(self) -> _Rows:
        found = _Rows()
        for root in self._territory.roots:
            self._scan(root, found)
        return found

    def _follow(self, move: Dirty) -> None:
        source = move.moved_from
        assert source is not None
        known = self.known.get(source)
        if known is None or known.inode != move.inode:
            return
        self.followed += 1
        taken = {path: self.known[path] for path in (self.known.tree(source) if stat.S_ISDIR(known.mode) else [source])}
        for path in taken:
            del self.known[path]
        self.known.forget(move.path)
        for path, seen in taken.items():
            self.known[move.path + path[len(source) :]] = seen

    def _look_at(self, fact: Dirty | Gap) -> None:
        if isinstance(fact, Gap):
            self._look(fact.path, Scope.TREE)
            return
        if fact.moved_from is None and fact.inode is not None:
            self._look_at_other_names(fact.inode)
        self._look(fact.path, fact.scope)

    def _look_at_other_names(self, inode: int) -> None:
        for other in self.known.files_named(inode):
            seen = _seen(other) if is_real(other) else None
            # One that is gone, or is another kind of thing by now, is told by itself or with a folder above it.
            if seen is not None and stat.S_ISREG(seen.mode):
                self.known[other] = seen

    def _look(self, path: bytes, scope: Scope) -> None:
        if not self._territory.holds(path):
            return
        self.looks += 1
        # A folder on the way may be a link by now, and lead to what is not at this path.
        seen = _seen(path) if is_real(path) else None
        before = self.known.get(path)
        if seen is None or scope is Scope.TREE or not stat.S_ISDIR(seen.mode):
            self.known.forget(path)
        if before is not None and (seen is None or seen.inode != before.inode):
            self._look_at_other_names(before.inode)
        if seen is None:
            return
        if scope is Scope.TREE:
            self._scan(path, self.known)
        else:
            self.known[path] = seen
            if stat.S_ISREG(seen.mode):
                self._look_at_other_names(seen.inode)

    def _scan(self, path: bytes, into: _Rows) -> None:
        seen = _seen(path)
        if seen is None:
            return
        into[path] = seen
        if stat.S_ISDIR(seen.mode):
            for name in _names(path):
                lower = joined(path, name)
                if self._territory.holds(lower):
                    self._scan(lower, into)


def differences(one: Mapping[bytes, Seen], other: Mapping[bytes, Seen]) -> list[tuple[bytes, Seen | None, Seen | None]]:
    """Paths at which they differ, with both values; a few of them."""
    paths: Iterable[bytes] = sorted(one.keys() | other.keys())
    return [(path, one.get(path), other.get(path)) for path in paths if one.get(path) != other.get(path)][:20]


def _names(path: bytes) -> list[bytes]:
    try:
        return os.listdir(path)
    except OSError:
        return []


def _seen(path: bytes) -> Seen | None:
    try:
        status = os.lstat(path)
        content = b""
        if stat.S_ISREG(status.st_mode):
            with open(path, "rb") as file:
                content = file.read()
        elif stat.S_ISLNK(status.st_mode):
            content = os.readlink(path)
        names = sorted(os.listxattr(path, follow_symlinks=False))
        attributes = tuple((name, os.getxattr(path, name, follow_symlinks=False)) for name in names)
    except OSError:
        return None
    return Seen(status.st_ino, status.st_mode, status.st_uid, content, attributes)
