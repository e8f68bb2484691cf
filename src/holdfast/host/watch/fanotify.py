"""One mark for a whole file system, by fanotify: starts in milliseconds whatever its size, sees new folders from their first moment,
tells who. Needs root, or root of the user namespace that the file system was mounted in.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator

from holdfast.core.clock import Clock
from holdfast.host.watch import syscalls
from holdfast.host.watch.actors import Actors
from holdfast.host.watch.facts import Aspect, Dirty, Means, Scope, Shortfall
from holdfast.host.watch.fanotify_events import Event, NameAt, events_in
from holdfast.host.watch.ground import Ground
from holdfast.host.watch.listener import Heard
from holdfast.host.watch.places import Places, Spot
from holdfast.host.watch.syscalls import FAN_ATTRIB, FAN_CLOSE_WRITE, FAN_CREATE, FAN_DELETE, FAN_MODIFY, FAN_ONDIR, FAN_RENAME, Handle
from holdfast.host.watch.territory import Stance, Territory, joined

_INIT = syscalls.FAN_CLOEXEC | syscalls.FAN_NONBLOCK | syscalls.FAN_REPORT_DFID_NAME_TARGET
_MASK = FAN_CREATE | FAN_DELETE | FAN_RENAME | FAN_MODIFY | FAN_CLOSE_WRITE | FAN_ATTRIB | FAN_ONDIR
_INODE_CHANGED = FAN_MODIFY | FAN_CLOSE_WRITE | FAN_ATTRIB
_READ_BYTES = 1 << 18
# FIONREAD counts each event with the size of its head.
_HEAD_BYTES = 24
_ASPECTS = (
    (FAN_CREATE, Aspect.ENTRY),
    (FAN_DELETE, Aspect.ENTRY),
    (FAN_MODIFY, Aspect.CONTENT),
    (FAN_CLOSE_WRITE, Aspect.CONTENT | Aspect.CLOSED),
    (FAN_ATTRIB, Aspect.METADATA),
)


class FanotifyListener:
    """`Listener`; counts events. Raises `OSError`: EPERM without the privilege, EINVAL before Linux 5.17, ENODEV, EXDEV, EOPNOTSUPP and
    ENOTSUP on a file system that has no handles. `unlimited`: the kernel's queue; ours is bounded, see `pending`.
    """

    means = Means.FANOTIFY
    shortfalls: frozenset[Shortfall] = frozenset()

    def __init__(self, territory: Territory, ground: Ground, clock: Clock, *, unlimited: bool = True) -> None:
        self.ground = ground
        self._territory = territory
        self._actors = Actors(clock)
        self._aspects: dict[int, Aspect] = {}
        self._descriptor = _queue(unlimited)
        try:
            self._mark()
            self._places = Places(territory, ground.mounts)
        except BaseException:
            self.close()
            raise

    def fileno(self) -> int:
        return self._descriptor

    def waiting(self) -> int:
        return syscalls.queued(self._descriptor) // _HEAD_BYTES

    def read(self) -> tuple[int, Heard]:
        heard = Heard()
        try:
            data = os.read(self._descriptor, _READ_BYTES)
        except BlockingIOError:
            return 0, heard
        self._actors.refresh()
        count = 0
        try:
            for event in events_in(data):
                count += 1
                self._hear(event, heard)
        finally:
            self._places.rest()
        return count, heard

    def _hear(self, event: Event, heard: Heard) -> None:
        if event.mask & syscalls.FAN_Q_OVERFLOW:
            # A move may be among what is missing.
            self._places.clear()
            heard.lost = True
        elif event.mask & FAN_RENAME:
            heard.facts += self._moved(event)
            heard.unsettled |= bool(event.mask & FAN_ONDIR) and self._carries_a_root(event)
        elif event.at is not None:
            heard.facts += self._changed(event, event.at)

    def follow(self, ground: Ground) -> None:
        self._places.follow(ground.mounts)
        self.ground = ground

    def look(self) -> tuple[bytes, ...]:
        """The mark ends with the file system. One mounted afterwards may have its number, and even the number of its mount."""
        with open(f"/proc/self/fdinfo/{self._descriptor}", "rb") as file:
            if b"sdev:" in file.read():
                return ()
        self._mark()
        self._places.follow(self.ground.mounts)
        return self.ground.scopes

    def close(self) -> None:
        os.close(self._descriptor)

    def _mark(self) -> None:
        flags = syscalls.FAN_MARK_ADD | syscalls.FAN_MARK_FILESYSTEM
        syscalls.fanotify_mark(self._descriptor, flags, _MASK, self.ground.mounts[0].point)

    def _changed(self, event: Event, at: NameAt) -> Iterator[Dirty]:
        mask, target = event.mask, event.target
        spots = self._places.folder(at.folder)
        scope = Scope.NAME
        if mask & FAN_ONDIR and mask & FAN_DELETE:
            # What was told inside of it can no longer be placed, so this stands for it; and the name may have been given again.
            scope = Scope.TREE
            if target is not None:
                self._places.removed(target)
        path = joined(spots[0].path, at.name) if spots else b""
        inode = None
        if target is not None and mask & _INODE_CHANGED and not mask & FAN_ONDIR:
            inode = self._shared_inode(target, path)
        inside = list(self._inside(spots, at.name))
        if not inside and inode is None:
            return
        # Who it was is asked for no more than is told: a process that was not met before costs a look into /proc.
        what, who = self._what(mask), self._actors.who(event.pid)
        for held in inside:
            yield Dirty(held, scope, what, None, inode, who)
        if inode is not None and not inside:
            yield Dirty(path, scope, what, None, inode, who)

    def _moved(self, event: Event) -> Iterator[Dirty]:
        if event.old is None or event.at is None:
            return
        if event.mask & FAN_ONDIR and event.target is not None:
            self._places.moved(event.target)
        came_from = list(self._inside(self._places.folder(event.old.folder), event.old.name))
        went_to = list(self._inside(self._places.folder(event.at.folder), event.at.name))
        scope = Scope.TREE if event.mask & FAN_ONDIR else Scope.NAME
        if not came_from and not went_to:
            return
        what, who = Aspect.ENTRY | Aspect.MOVED, self._actors.who(event.pid)
        for path in (*came_from, *went_to):
            yield Dirty(path, scope, what, who=who)
        if len(came_from) == len(went_to) == 1 and event.target is not None:
            status = self._places.status_of(event.target)
            if status is not None:
                yield Dirty(went_to[0], scope, what, came_from[0], status.st_ino, who)

    def _inside(self, spots: tuple[Spot, ...], name: bytes) -> Iterator[bytes]:
        for path, stance in spots:
            if stance is not Stance.OUTSIDE:
                full = path if name == b"." else joined(path, name)
                if stance is Stance.INSIDE or self._territory.holds(full):
                    yield full

    def _shared_inode(self, target: Handle, path: bytes) -> int | None:
        """Of a file that has, or may just have had, other names than the one at which it was changed."""
        descriptor = self._places.open(target)
        if descriptor is None:
            return None
        try:
            status = os.fstat(descriptor)
            if status.st_nlink == 0 or (status.st_nlink == 1 and (_is_called(path, status) or self._is_outside(descriptor, status))):
                return None
            return status.st_ino
        finally:
            os.close(descriptor)

    def _is_outside(self, descriptor: int, status: os.stat_result) -> bool:
        """Whether its only name is nobody's concern: without this, all that is saved by a rename anywhere on the disk would be told."""
        try:
            shown = os.readlink(b"/proc/self/fd/%d" % descriptor)
        except OSError:
            return False
        return not self._territory.holds(shown) and _is_called(shown, status)

    def _carries_a_root(self, event: Event) -> bool:
        forks = self._territory.forks
        ends = [end for end in (event.old, event.at) if end is not None]
        paths = [joined(spot.path, end.name) for end in ends for spot in self._places.folder(end.folder)]
        return any(path in forks or path in self._territory.roots for path in paths)

    def _what(self, mask: int) -> Aspect:
        known = self._aspects.get(mask)
        if known is None:
            known = Aspect(0)
            for bit, aspect in _ASPECTS:
                if mask & bit:
                    known |= aspect
            self._aspects[mask] = known
        return known


def _is_called(path: bytes, status: os.stat_result) -> bool:
    """Whether it is there by this name, and this is its only one."""
    try:
        found = os.lstat(path)
    except OSError:
        return False
    return (found.st_dev, found.st_ino, found.st_nlink) == (status.st_dev, status.st_ino, 1)


def _queue(unlimited: bool) -> int:
    try:
        return syscalls.fanotify_init(_INIT | (syscalls.FAN_UNLIMITED_QUEUE if unlimited else 0))
    except OSError as error:
        # Root of a user namespace may watch, but not without a limit.
        if not unlimited or error.errno != errno.EPERM:
            raise
    return syscalls.fanotify_init(_INIT)
