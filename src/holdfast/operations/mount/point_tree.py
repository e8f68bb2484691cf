"""The folders of one point, listed when they are first looked at, and what the kernel is told of each path."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import dropwhile, islice

from holdfast.core.clock import ns_of
from holdfast.core.errors import RepositoryDamaged, UnknownName
from holdfast.host.metadata import FILE_TYPES
from holdfast.model.entry import Entry, Kind, parent_of
from holdfast.model.points import Point
from holdfast.operations.mount.point_session import PointSession

# Kept listings: so many entries and chunks together, some 150 MB at most.
_KEPT_WEIGHT = 250_000
# Folders listed with one question for somebody who walks the tree.
_AHEAD = 64

Attributes = Mapping[str, int]
"""Fields of `struct stat` by their names; times in nanoseconds."""


def attributes_of(entry: Entry, inode: int) -> Attributes:
    """Sizes and blocks as on the source, so that `du` and tools that look for holes see what was there. Of a folder nobody knows how many
    are in it: one link, as btrfs says."""
    size = len(entry.link_target) if entry.kind is Kind.SYMLINK else entry.size_bytes
    occupied = size - sum([hole.size_bytes for hole in entry.holes]) if entry.holes else size
    return {
        "st_mode": FILE_TYPES[entry.kind] | entry.mode,
        "st_ino": inode,
        "st_nlink": 1 if entry.kind is Kind.DIRECTORY else max(1, entry.links),
        "st_uid": entry.uid,
        "st_gid": entry.gid,
        "st_size": size,
        "st_blocks": (occupied + 511) // 512,
        "st_rdev": entry.device_number,
        "st_atime": entry.atime_ns or entry.mtime_ns,
        "st_mtime": entry.mtime_ns,
        "st_ctime": entry.ctime_ns or entry.mtime_ns,
    }


def made_inode(key: bytes) -> int:
    """Of a name that is no file's own inode: 62 bits of a hash, so that nothing need be remembered: two of ten million files share one
    with a chance of one in a hundred thousand."""
    return int.from_bytes(blake2b(key, digest_size=8).digest(), "big") >> 2 | 1 << 62


@dataclass(frozen=True)
class Folder:
    entries: Mapping[bytes, Entry]
    weight: int


class PointTree:
    """Thread-safe. Raises what its `PointSession` raises."""

    def __init__(self, session: PointSession, point: Point) -> None:
        self.session = session
        self.point = point
        self._key = blake2b(f"{point.dataset_id}/{point.id}".encode(), digest_size=16).digest()
        self.root = Entry(path=b"/", kind=Kind.DIRECTORY, mode=0o755, mtime_ns=ns_of(point.time))
        self._loading = threading.Lock()
        self._guard = threading.Lock()
        self._folders: OrderedDict[bytes, Folder] = OrderedDict()
        self._weight = 0
        self._last_parent = b""

    def entry(self, path: bytes) -> Entry | None:
        """None when it is not there."""
        if path == b"/":
            return self.root
        parent = parent_of(path)
        known = self._known(parent)
        if known is None:
            above = self.entry(parent)
            if above is None or above.kind is not Kind.DIRECTORY:
                return None
            known = self._loaded(parent)
        return known.get(path[path.rfind(b"/") + 1 :])

    def children(self, folder: bytes) -> Mapping[bytes, Entry]:
        """By name, in order. The folder must be one."""
        known = self._known(folder)
        return self._loaded(folder) if known is None else known

    def inode(self, entry: Entry) -> int:
        """The names of one file share one, and no two files of a mount do, whatever the inodes of their sources were."""
        if entry.links > 1 and entry.inode and entry.kind is not Kind.DIRECTORY:
            return made_inode(self._key + b"%d:%d" % (entry.device, entry.inode))
        return made_inode(self._key + entry.path)

    def attributes(self, entry: Entry) -> Attributes:
        return attributes_of(entry, self.inode(entry))

    def _known(self, folder: bytes) -> Mapping[bytes, Entry] | None:
        with self._guard:
            found = self._folders.get(folder)
            if found is None:
                return None
            self._folders.move_to_end(folder)
            return found.entries

    def _loaded(self, folder: bytes) -> Mapping[bytes, Entry]:
        with self._loading:
            # Somebody else may have loaded it meanwhile.
            known = self._known(folder)
            if known is not None:
                return known
            listed = self._listed(folder, self._siblings(folder))
            for path, entries in listed.items():
                self._keep(path, Folder(entries, 1 + sum([1 + len(entry.chunks) for entry in entries.values()])))
            return listed[folder]

    def _siblings(self, folder: bytes) -> list[bytes]:
        """The folders beside it that come next, where the one looked at before was beside it, too: somebody walks the tree."""
        parent = parent_of(folder)
        walks, self._last_parent = parent == self._last_parent, parent
        known = self._known(parent) if walks and folder != b"/" else None
        if known is None:
            return []
        folders = (entry.path for entry in known.values() if entry.kind is Kind.DIRECTORY)
        behind = islice(dropwhile(lambda path: path != folder, folders), 1, _AHEAD)
        with self._guard:
            return [path for path in behind if path not in self._folders]

    def _listed(self, folder: bytes, ahead: Sequence[bytes]) -> dict[bytes, dict[bytes, Entry]]:
        """What is in them, by folder and name. What is wrong with one that nobody asked for is nobody's trouble yet."""
        try:
            entries = self.session.children((folder, *ahead))
        except (RepositoryDamaged, UnknownName):
            if not ahead:
                raise
            return self._listed(folder, ())
        found: dict[bytes, dict[bytes, Entry]] = {path: {} for path in (folder, *ahead)}
        for entry in entries:
            at = entry.path.rfind(b"/")
            found[entry.path[:at] or b"/"][entry.path[at + 1 :]] = entry
        return found

    def _keep(self, path: bytes, folder: Folder) -> None:
        with self._guard:
            replaced = self._folders.pop(path, None)
            self._folders[path] = folder
            self._weight += folder.weight - (replaced.weight if replaced is not None else 0)
            while self._weight > _KEPT_WEIGHT and len(self._folders) > 1:
                _, gone = self._folders.popitem(last=False)
                self._weight -= gone.weight
