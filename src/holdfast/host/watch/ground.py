"""What there is to watch: the file systems that the territory reaches into, and what has become of the roots since the last look."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass

from holdfast.host.watch.facts import Reason
from holdfast.host.watch.mounts import Mount, mount_of, mounts_now
from holdfast.host.watch.territory import Territory, joined
from holdfast.model.entry import is_below


@dataclass(frozen=True, slots=True)
class Ground:
    """One file system. `mounts`: where the territory meets it; `scopes`: the roots on it, and where it is mounted below a root."""

    device: str
    kind: str
    mounts: tuple[Mount, ...]
    scopes: tuple[bytes, ...]

    @property
    def is_remote(self) -> bool:
        return any(mount.is_remote for mount in self.mounts)


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands at a root. Of one that is no folder neither inode nor device count: programs replace files when they save."""

    mount: int
    device: int
    inode: int
    is_folder: bool


@dataclass(frozen=True, slots=True)
class Survey:
    """One look. `standings`: of the roots that are there. `mounted`: mounts strictly below roots, by their place."""

    grounds: Mapping[str, Ground]
    standings: Mapping[bytes, Standing]
    mounted: Mapping[bytes, int]


@dataclass(frozen=True, slots=True)
class Changes:
    """Between two surveys: paths of which all must be looked at because something may have been missed, and roots that went away."""

    missed: tuple[tuple[bytes, Reason], ...]
    vanished: tuple[bytes, ...]


def survey(territory: Territory, one_file_system: bool) -> Survey:
    """Looks at the roots and at the mounts of this process."""
    mounts = mounts_now()
    standings: dict[bytes, Standing] = {}
    found: dict[str, tuple[set[Mount], set[bytes]]] = {}
    mounted: dict[bytes, int] = {}

    def enter(mount: Mount, scope: bytes) -> None:
        seen, scopes = found.setdefault(mount.device, (set(), set()))
        seen.add(mount)
        above = scope[: scope.rfind(b"/")] or b"/"
        # A root in a root is watched with it, unless it is on another file system.
        if scope == b"/" or not territory.holds(above) or mount_of(above, (mount,)) is None:
            scopes.add(scope)

    for root in territory.roots:
        # Events name real paths. Where a folder on the way has become a link, the root is not there any more.
        mount = mount_of(root, mounts) if is_real(root) else None
        standing = None if mount is None else standing_of(root, mount.id)
        if mount is not None and standing is not None:
            standings[root] = standing
            enter(mount, root)
    for mount in mounts:
        # A folder of a root's own file system that is mounted again below it is no other file system: a walk goes into it.
        if one_file_system and mount.device not in found:
            continue
        # What another mount lies over cannot be reached, so it does not belong.
        if territory.holds(mount.point) and mount.point not in territory.roots and mount_of(mount.point, (mount,)) is not None:
            mounted[mount.point] = mount.id
            enter(mount, mount.point)
    grounds = {
        device: Ground(device, min(seen, key=_by_id).kind, tuple(sorted(seen, key=_by_id)), tuple(sorted(scopes)))
        for device, (seen, scopes) in found.items()
    }
    return Survey(grounds, standings, mounted)


def real_path(root: bytes) -> bytes:
    """Without links on the way; the last name is taken as it is. Raises `OSError` when a link vanishes meanwhile."""
    folder, _, name = root.rpartition(b"/")
    return joined(os.path.realpath(folder or b"/"), name) if name else root


def is_real(path: bytes) -> bool:
    """Whether no folder on the way is a link. One that vanishes while it is looked at is no proof of that."""
    try:
        return real_path(path) == path
    except OSError:
        return False


def standing_of(root: bytes, mount: int) -> Standing | None:
    try:
        status = os.lstat(root)
    except OSError:
        return None
    if stat.S_ISDIR(status.st_mode):
        return Standing(mount, status.st_dev, status.st_ino, True)
    return Standing(mount, 0, 0, False)


def changes_between(before: Survey, after: Survey) -> Changes:
    """Pure."""
    missed: dict[bytes, Reason] = {}
    for root, now in after.standings.items():
        then = before.standings.get(root)
        if then is None:
            missed[root] = Reason.MOUNT if _is_mounted_in_another(root, after) else Reason.REPLACED
        elif then != now:
            missed[root] = Reason.REPLACED if (then.mount, then.device) == (now.mount, now.device) else Reason.MOUNT
    for place in before.mounted.keys() | after.mounted.keys():
        if before.mounted.get(place) != after.mounted.get(place):
            missed[place] = Reason.MOUNT
    vanished = tuple(root for root in before.standings if root not in after.standings)
    return Changes(tuple(sorted(missed.items())), vanished)


def _is_mounted_in_another(root: bytes, found: Survey) -> bool:
    """Whether it lies below another root, which was not watched by what it came with."""
    mount = found.standings[root].mount
    return any(other != root and is_below(root, other) and standing.mount != mount for other, standing in found.standings.items())


def _by_id(mount: Mount) -> int:
    return mount.id
