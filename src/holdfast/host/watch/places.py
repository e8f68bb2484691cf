"""Where the folders of fanotify events lie. An event names a folder by its handle; a path is wanted.

Each folder has a link: its name, and the handle of the folder it lies in, asked of the kernel when first needed. A path is found by
climbing links up to the top of a mount, so that the move of a folder with a million below it changes one link.

Why it is right although events are late: a link is what the kernel says now. It holds until an event of the folder's own move is read,
which drops it. Any move after the question makes such an event, or is merged into one that has not been read. What was told meanwhile
under an old path lies below the move, whose scope is `TREE`. A spot is what the links above it say together: when one of them is
dropped, so are the spots that were found through it. Where nothing was found, any move may be what makes it be found.

No descriptor is kept beyond a handful of events: one would hinder unmounting.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import NamedTuple

from holdfast.host.watch.fanotify_events import NameAt
from holdfast.host.watch.mounts import Mount
from holdfast.host.watch.syscalls import Handle, handle_of, open_by_handle
from holdfast.host.watch.territory import Stance, Territory, joined

MOST_LINKS = 200_000
# More folders than a path of 4,096 bytes can name.
_MOST_DEEP = 2_048
_AT_FDCWD = -100


class Spot(NamedTuple):
    path: bytes
    stance: Stance


class Places:
    """Of one file system. A folder has a spot for each mount that shows it, none when it is gone or no mount shows it."""

    def __init__(self, territory: Territory, mounts: Iterable[Mount]) -> None:
        self._territory = territory
        self._links: dict[Handle, NameAt] = {}
        self._spots: dict[Handle, tuple[Spot, ...]] = {}
        # Folders whose spots were found through this one's, and those that have none.
        self._below: dict[Handle, set[Handle]] = {}
        self._nowhere: set[Handle] = set()
        self._opened: dict[bytes, int | None] = {}
        self.follow(mounts)

    def follow(self, mounts: Iterable[Mount]) -> None:
        """Other mounts show it now. Raises `OSError` where one is not there, or has no handles."""
        self._mounts: list[tuple[bytes, int, Handle]] = []
        self._tops: dict[Handle, list[bytes]] = {}
        for mount in mounts:
            handle = handle_of(_AT_FDCWD, mount.point)
            self._mounts.append((mount.point, os.lstat(mount.point).st_dev, handle))
            self._tops.setdefault(handle, []).append(mount.point)
        self.clear()

    def folder(self, handle: Handle) -> tuple[Spot, ...]:
        found = self._spots.get(handle)
        return self._climb(handle) if found is None else found

    def moved(self, handle: Handle) -> None:
        """The folder lies elsewhere, with all that is below it."""
        self._links.pop(handle, None)
        self._drop([handle, *self._nowhere])

    def removed(self, handle: Handle) -> None:
        """The folder was empty, so nothing is below it."""
        link = self._links.pop(handle, None)
        if link is not None and link.folder in self._below:
            self._below[link.folder].discard(handle)
        self._drop([handle])

    def clear(self) -> None:
        self._links.clear()
        self._spots.clear()
        self._below.clear()
        self._nowhere.clear()

    def status_of(self, handle: Handle) -> os.stat_result | None:
        """Of an inode that is still there."""
        descriptor = self.open(handle)
        if descriptor is None:
            return None
        try:
            return os.fstat(descriptor)
        finally:
            os.close(descriptor)

    def open(self, handle: Handle) -> int | None:
        """A descriptor of such an inode, to be looked at only and closed soon."""
        return next((found for place in self._mounts if (found := self._open(place, handle)) is not None), None)

    def _drop(self, folders: list[Handle]) -> None:
        while folders:
            folder = folders.pop()
            self._spots.pop(folder, None)
            self._nowhere.discard(folder)
            folders += self._below.pop(folder, ())

    def _climb(self, handle: Handle) -> tuple[Spot, ...]:
        chain: list[tuple[Handle, NameAt | None]] = []
        above: tuple[Spot, ...] | None = None
        at = handle
        while above is None:
            link = self._link(at)
            chain.append((at, link))
            if link is None:
                above = ()
            elif len(chain) > _MOST_DEEP:
                # Links of different moments made a ring; the events that tell of the moves between are still to come.
                self.clear()
                return ()
            else:
                at = link.folder
                above = self._spots.get(at)
        for folder, link in reversed(chain):
            paths = list(self._tops.get(folder, ()))
            if link is not None:
                paths += [joined(spot.path, link.name) for spot in above]
                self._below.setdefault(link.folder, set()).add(folder)
            above = tuple(Spot(path, self._territory.stance(path)) for path in paths)
            self._spots[folder] = above
            if not above:
                self._nowhere.add(folder)
        return above

    def _link(self, handle: Handle) -> NameAt | None:
        link = self._links.get(handle)
        if link is None:
            link = next((found for place in self._mounts if (found := self._look_up(place, handle)) is not None), None)
            if link is not None:
                if len(self._links) >= MOST_LINKS:
                    self.clear()
                self._links[handle] = link
        return link

    def _look_up(self, place: tuple[bytes, int, Handle], handle: Handle) -> NameAt | None:
        if handle == place[2]:
            return None
        descriptor = self._open(place, handle)
        if descriptor is None:
            return None
        try:
            above = handle_of(descriptor, b"..")
            path = os.readlink(b"/proc/self/fd/%d" % descriptor)
            if path.endswith(b" (deleted)") and os.fstat(descriptor).st_nlink == 0:
                return None
        except OSError:
            # Not below the folder that this mount shows.
            return None
        finally:
            os.close(descriptor)
        return None if above == handle else NameAt(above, path[path.rfind(b"/") + 1 :])

    def rest(self) -> None:
        """For now nothing more is asked: lets the mounts go."""
        for mount in self._opened.values():
            if mount is not None:
                os.close(mount)
        self._opened.clear()

    def _open(self, place: tuple[bytes, int, Handle], handle: Handle) -> int | None:
        point, device, _ = place
        mount = self._opened[point] if point in self._opened else self._open_mount(point, device)
        try:
            return None if mount is None else open_by_handle(mount, handle)
        except OSError:
            return None

    def _open_mount(self, point: bytes, device: int) -> int | None:
        try:
            mount: int | None = os.open(point, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            mount = None
        if mount is not None and os.fstat(mount).st_dev != device:
            os.close(mount)
            mount = None
        self._opened[point] = mount
        return mount
