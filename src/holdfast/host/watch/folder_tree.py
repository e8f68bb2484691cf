"""Which folder each inotify watch stands for. A watch belongs to an inode, a path does not stay: folders move with all that is in them."""

from __future__ import annotations

import os
from collections.abc import Callable

from holdfast.host.watch.territory import joined


class Folder:
    """`above` is None at a top, whose `name` is its whole path. `deep`: with all folders in it; else only for the names in it."""

    __slots__ = ("above", "children", "deep", "device", "inode", "name", "watch")

    def __init__(self, above: Folder | None, name: bytes, deep: bool) -> None:
        self.above = above
        self.name = name
        self.deep = deep
        self.children: dict[bytes, Folder] = {}
        self.watch: int | None = None
        self.device = self.inode = 0

    def path(self) -> bytes:
        names = []
        at = self
        while at.above is not None:
            names.append(at.name)
            at = at.above
        path = at.name
        for name in reversed(names):
            path = joined(path, name)
        return path

    def child(self, name: bytes) -> Folder:
        found = self.children.get(name)
        if found is None:
            found = self.children[name] = Folder(self, name, self.deep)
        return found


class FolderTree:
    """`unwatch` is called with each watch that stands for no folder any more. `len` counts the watches."""

    def __init__(self, unwatch: Callable[[int], None]) -> None:
        self.tops: dict[bytes, Folder] = {}
        self._bound: dict[int, list[Folder]] = {}
        self._unwatch = unwatch

    def __len__(self) -> int:
        return len(self._bound)

    def top(self, path: bytes, deep: bool) -> Folder:
        found = self.tops.get(path)
        if found is None:
            found = self.tops[path] = Folder(None, path, deep)
        return found

    def bound(self, watch: int) -> tuple[Folder, ...]:
        """More than one where the same folder is seen at several paths."""
        return tuple(self._bound.get(watch, ()))

    def bind(self, watch: int, folder: Folder, status: os.stat_result) -> None:
        """The watch was given for the folder's path, so it is there now; whoever had it before may have it no longer."""
        if folder.watch is not None and folder.watch != watch:
            self._release(folder)
        others = [other for other in self._bound.get(watch, ()) if other is not folder and _is_at(other, status)]
        for other in self._bound.get(watch, ()):
            if other is not folder and other not in others:
                other.watch = None
        folder.watch, folder.device, folder.inode = watch, status.st_dev, status.st_ino
        self._bound[watch] = [*others, folder]

    def unbind(self, watch: int) -> None:
        """The kernel has ended the watch. The number is not given again."""
        for folder in self._bound.pop(watch, ()):
            folder.watch = None

    def drop(self, folder: Folder) -> None:
        """It and all below it are watched no longer."""
        siblings = self.tops if folder.above is None else folder.above.children
        if siblings.get(folder.name) is folder:
            del siblings[folder.name]
        todo = [folder]
        while todo:
            gone = todo.pop()
            todo.extend(gone.children.values())
            gone.children = {}
            self._release(gone)

    def _release(self, folder: Folder) -> None:
        watch, folder.watch = folder.watch, None
        if watch is None:
            return
        left = [other for other in self._bound.get(watch, ()) if other is not folder]
        if left:
            self._bound[watch] = left
        elif watch in self._bound:
            del self._bound[watch]
            self._unwatch(watch)


def _is_at(folder: Folder, status: os.stat_result) -> bool:
    try:
        found = os.lstat(folder.path())
    except OSError:
        return False
    return (found.st_dev, found.st_ino) == (status.st_dev, status.st_ino)
