"""Which paths are watched: roots and cuts, answered fast for the folder of each event."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from holdfast.core.errors import UsageError
from holdfast.model.entry import display_path


class Stance(Enum):
    """Of a folder: everything in it is watched, nothing is, or it depends on the name."""

    INSIDE = 1
    OUTSIDE = 2
    MIXED = 3


class Territory:
    """Raises `UsageError` without a root, and for a path that is not absolute or not plain."""

    def __init__(self, roots: Iterable[bytes], cuts: Iterable[bytes] = ()) -> None:
        named = sorted(set(map(_plain, roots)))
        self._decides = dict.fromkeys(named, True) | dict.fromkeys(map(_plain, cuts), False)
        self.roots = tuple(path for path in named if self._decides[path])
        if not self.roots:
            raise UsageError("a watch of nothing", hint="name at least one root that is not cut")
        # Folders on the way to a root or a cut.
        self.forks = frozenset(fork for path in self._decides for fork in folders_of(path))

    def holds(self, path: bytes) -> bool:
        decides = self._decides
        while True:
            found = decides.get(path)
            if found is not None:
                return found
            if path == b"/":
                return False
            path = path[: path.rfind(b"/")] or b"/"

    def stance(self, folder: bytes) -> Stance:
        if folder in self.forks:
            return Stance.MIXED
        return Stance.INSIDE if self.holds(folder) else Stance.OUTSIDE

    def outermost(self) -> tuple[bytes, ...]:
        """Roots that lie in no other."""
        return tuple(root for root in self.roots if root == b"/" or not self.holds(root[: root.rfind(b"/")] or b"/"))


def folders_of(path: bytes) -> Iterable[bytes]:
    """The folders a path lies in, the nearest first, ending with `/`; none of `/`."""
    while path != b"/":
        path = path[: path.rfind(b"/")] or b"/"
        yield path


def joined(folder: bytes, name: bytes) -> bytes:
    return b"/" + name if folder == b"/" else folder + b"/" + name


def _plain(path: bytes) -> bytes:
    if not path.startswith(b"/") or b"\0" in path or any(part in (b"", b".", b"..") for part in path[1:].split(b"/") if path != b"/"):
        raise UsageError(f"{display_path(path)} cannot be watched", hint="write the absolute path out, without `..` and doubled slashes")
    return path
