"""Snapshots that a run reads from: taken of the subvolumes of its roots, and removed whatever happens.

They lie in `.holdfast-snapshots` in the root of the subvolume, each by the name of its owner, so that who was killed finds what it left.
The folder stays: made and removed each time it would change the subvolume's root with every run.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

from holdfast.core.clock import Clock
from holdfast.core.errors import OutsideLimits
from holdfast.host.btrfs import create_snapshot, remove_snapshot, subvolume_of
from holdfast.host.sight import IN_PLACE, Sight, View
from holdfast.host.watch.mounts import mounts_now
from holdfast.model.entry import display_path, is_below
from holdfast.model.jobs import Finding, Severity

FOLDER = b".holdfast-snapshots"


class Snapshots:
    """Those of one run. `covered`: the roots that are seen in them, `findings`: why others are not. `close` removes them and says what it
    could not."""

    def __init__(self, sight: Sight, covered: frozenset[bytes], findings: Sequence[Finding], taken: Sequence[tuple[bytes, bytes]]) -> None:
        self.sight, self.covered, self.findings = sight, covered, tuple(findings)
        self._taken = tuple(taken)

    def close(self) -> tuple[Finding, ...]:
        found = []
        for subvolume, name in self._taken:
            try:
                remove_snapshot(folder_of(subvolume), name)
            except OSError as error:
                found.append(_left(subvolume, error))
        self._taken = ()
        return tuple(found)


NONE = Snapshots(IN_PLACE, frozenset(), (), ())


def folder_of(subvolume: bytes) -> bytes:
    """Where its snapshots lie; never captured."""
    return os.path.join(subvolume, FOLDER)


def own_folders(paths: Iterable[bytes]) -> frozenset[bytes]:
    """The folders of snapshots in the subvolumes of these paths, there or not."""
    return frozenset(folder_of(subvolume) for path in paths if (subvolume := subvolume_of(path)) is not None)


def sweep(paths: Iterable[bytes], owner: bytes) -> None:
    """Remove what this owner has left in the subvolumes of these paths. Not while it reads from one."""
    for folder in own_folders(paths):
        with suppress(OSError):
            remove_snapshot(folder, owner)


def take_snapshots(roots: Iterable[bytes], owner: bytes, *, clock: Clock, may_write: Callable[[bytes], None]) -> Snapshots:
    """One of each subvolume that holds a root. `may_write` raises `OutsideLimits` for a folder that this machine keeps from us.

    Roots that cannot be seen in one are looked at in their place, and a finding says why. Raises nothing for them.
    """
    findings: list[Finding] = []
    subvolumes: dict[bytes, list[bytes]] = {}
    for root in roots:
        subvolume, why, hint = _subvolume_for(root)
        if subvolume is None:
            findings.append(_none(root, why, hint))
        else:
            subvolumes.setdefault(subvolume, []).append(root)
    views, covered, taken = [], set[bytes](), []
    for subvolume, below in subvolumes.items():
        try:
            may_write(folder_of(subvolume))
            views.append(_take(subvolume, owner, clock))
        except OutsideLimits as error:
            findings += [_none(root, error.message, error.hint) for root in below]
        except OSError as error:
            findings += [_none(root, os.strerror(error.errno or 0), _hint_for(error, subvolume)) for root in below]
        else:
            taken.append((subvolume, owner))
            covered.update(below)
    points = [mount.point for mount in mounts_now()] if views else []
    inside = [point for point in points if any(is_below(point, view.path) and point != view.path for view in views)]
    return Snapshots(Sight(views, inside), frozenset(covered), findings, taken)


def _subvolume_for(root: bytes) -> tuple[bytes | None, str, str]:
    if os.geteuid() != 0:
        return None, "only root can remove a snapshot", "run the node as root"
    if os.path.realpath(root) != root:
        return None, "it lies behind a symbolic link", "name its real path in the classification"
    subvolume = subvolume_of(root)
    if subvolume is None:
        return None, "it is on no btrfs, or only a part of its subvolume is mounted", "put it on a subvolume, or leave `consistent` out"
    return subvolume, "", ""


def _take(subvolume: bytes, owner: bytes, clock: Clock) -> View:
    folder = folder_of(subvolume)
    with suppress(FileExistsError):
        os.mkdir(folder, 0o700)
    remove_snapshot(folder, owner)
    # What is written after this may be in it or not.
    taken_ns = clock.now_ns()
    create_snapshot(subvolume, folder, owner)
    shown_at = os.path.join(folder, owner)
    return View(subvolume, shown_at, os.lstat(subvolume).st_dev, os.lstat(shown_at).st_dev, taken_ns)


def _hint_for(error: OSError, subvolume: bytes) -> str:
    if error.errno == errno.EROFS:
        return "it is mounted read-only: leave `consistent` out, nothing changes there"
    return f"look at {display_path(folder_of(subvolume))}, and at the space on its disk"


def _none(root: bytes, why: str, hint: str) -> Finding:
    return Finding(
        code="no-snapshot",
        severity=Severity.WARNING,
        message=f"it is read without a snapshot: {why}",
        path=display_path(root),
        hint=hint,
    )


def _left(subvolume: bytes, error: OSError) -> Finding:
    return Finding(
        code="snapshot-left",
        severity=Severity.WARNING,
        message=f"a snapshot could not be removed: {os.strerror(error.errno or 0)}",
        path=display_path(folder_of(subvolume)),
        hint="the next run tries again; `btrfs subvolume delete` does it by hand",
    )
