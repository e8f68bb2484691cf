"""Where what a path names is looked at: in its place, or in a snapshot that shows it as it was at one moment.

Everybody else goes on speaking of the path in its place. Inodes, times and contents are the same in a snapshot; the device is not, and is
given back as that of the place. Other subvolumes and mounts below are no part of a snapshot, and are looked at in their place.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

from holdfast.host.btrfs import EMPTY_INODE
from holdfast.model.entry import is_below


@dataclass(frozen=True)
class View:
    """All of `path` is looked at in `shown_at`, as it was at `taken_ns`. `device`: of the place, `shown_device`: of the snapshot."""

    path: bytes
    shown_at: bytes
    device: int
    shown_device: int
    taken_ns: int


class Sight:
    """Of one run. Any thread may ask; the walk alone finds what is no part of a snapshot, before anybody asks for what is there."""

    def __init__(self, views: Iterable[View] = (), in_place: Iterable[bytes] = ()) -> None:
        # The innermost decides.
        self._views = sorted(views, key=lambda view: len(view.path), reverse=True)
        self._in_place = set(in_place)
        self._devices = {view.shown_device: view.device for view in self._views}
        self.taken_ns = min((view.taken_ns for view in self._views), default=None)

    def __bool__(self) -> bool:
        """Whether anything is looked at elsewhere than in its place."""
        return bool(self._views)

    def real(self, path: bytes) -> bytes:
        """Where to look."""
        view = self._view(path)
        if view is None:
            return path
        return view.shown_at + (path[len(view.path) :] if view.path != b"/" else path)

    def is_frozen(self, path: bytes) -> bool:
        """Whether it is in a snapshot, where nothing changes and nobody can write."""
        return self._view(path) is not None

    def device(self, device: int) -> int:
        """The device of the place."""
        return self._devices.get(device, device)

    def folder(self, path: bytes, status: os.stat_result) -> os.stat_result:
        """The status of a folder that was met in a snapshot: of what is in its place where that is no part of it."""
        is_edge = path in self._in_place or any(view.path == path for view in self._views)
        if not is_edge:
            if status.st_ino != EMPTY_INODE or self._view(path) is None:
                return status
            self._in_place.add(path)
        try:
            return os.lstat(self.real(path))
        except OSError:
            # Taken away since: it shows as the empty folder that it was in the snapshot.
            self._in_place.discard(path)
            return status

    def _view(self, path: bytes) -> View | None:
        if not self._views:
            return None
        view = next((view for view in self._views if is_below(path, view.path)), None)
        if view is None or any(is_below(path, place) and place != view.path and is_below(place, view.path) for place in self._in_place):
            return None
        return view


IN_PLACE = Sight()
