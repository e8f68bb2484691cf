"""The vanished-source guard: a source that is not there, is another one, or was emptied, is an accident until somebody says otherwise.

Two judgements, both before anything of the dataset is emitted. `judge_roots` looks at the roots before the walk and again after it, so that
a disk unmounted in the middle is noticed. `judge_losses` looks at what the complete walk did not find. A root that is a single file may be
another inode: programs replace files when they save.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

from holdfast.capture.frame import Tally
from holdfast.capture.ledger import Verdict
from holdfast.capture.roots import Target, parents_of
from holdfast.capture.rows import DIRECTORY_CODE, signed
from holdfast.core.errors import SourceVanished
from holdfast.model.change import Move
from holdfast.model.entry import display_path, path_of

LEAST_REMOVED = 1_000
_ACCEPT = "if this is meant, run it once with `--accept`"

Identity = tuple[int, int, int]


def identity_of(status: os.stat_result) -> Identity:
    """(device, inode, kind) as the state keeps them."""
    return signed(status.st_dev), signed(status.st_ino), status.st_mode >> 12


def look_at_roots(target: Target) -> dict[bytes, Identity | OSError]:
    found: dict[bytes, Identity | OSError] = {}
    for path in target.roots:
        try:
            found[path] = identity_of(os.lstat(path))
        except OSError as error:
            found[path] = error
    return found


def judge_roots(target: Target, found: Mapping[bytes, Identity | OSError], accept: bool) -> SourceVanished | None:
    """What is wrong with the roots, if anything. `accept` lifts all but a root that was never there."""
    for path, now in found.items():
        known = target.recorded.get(path)
        if isinstance(now, OSError):
            if accept and known is not None:
                continue
            return _missing(target, path, now, known is not None)
        if known is not None and not accept and not _same(known, now):
            noun = "folder" if known[2] == DIRECTORY_CODE else "file"
            return SourceVanished(
                f"{display_path(path)} of {target.rule.label} is not the same {noun} as before",
                hint=f"is a disk not mounted, or another one mounted? If so mount the right one; {_ACCEPT}",
                path=display_path(path),
            )
    return None


def changed_meanwhile(target: Target, before: Mapping[bytes, Identity | OSError]) -> SourceVanished | None:
    """A root that is not what it was when the walk began: nothing the walk says of it can be trusted, accepted or not."""
    after = look_at_roots(target)
    for path, then in before.items():
        now = after[path]
        if isinstance(then, OSError) != isinstance(now, OSError) or (
            not isinstance(then, OSError) and not isinstance(now, OSError) and not _same(then, now)
        ):
            return SourceVanished(
                f"{display_path(path)} of {target.rule.label} was unmounted or replaced while it was looked at",
                hint="run it again when the source is at rest",
                path=display_path(path),
            )
    return None


def count_moved(verdicts: Iterable[Verdict], moves: Iterable[Move], bit: int) -> int:
    """How many entries of a dataset are not lost but lie where something was moved to."""
    ends = frozenset(move.path for move in moves)
    if not ends:
        return 0
    found = (path_of(verdict.key) for verdict in verdicts if verdict.members & bit)
    return sum(path in ends or not ends.isdisjoint(parents_of(path)) for path in found)


def judge_losses(target: Target, tally: Tally, members_before: int, moved: int) -> SourceVanished | None:
    """Whether too much is missing. `members_before` and `moved` are asked for only when at least `LEAST_REMOVED` are; else 0 is given."""
    emptied = next((path for bit, path in tally.emptied if bit == target.bit), None)
    if emptied is not None:
        return SourceVanished(
            f"{display_path(emptied)} of {target.rule.label} is empty and was not before",
            hint=f"is a disk not mounted? If so mount it; {_ACCEPT}",
            path=display_path(emptied),
        )
    removed = tally.removed_from(target.bit) - moved
    ratio = target.rule.classification.max_removed_ratio
    if removed >= LEAST_REMOVED and removed > ratio * members_before:
        return SourceVanished(
            f"{removed:,} of {members_before:,} entries of {target.rule.label} are gone, more than max_removed allows ({ratio:.0%})",
            hint=f"look whether the source is whole; {_ACCEPT}, or raise max_removed in the classification",
            removed=str(removed),
        )
    return None


def judge_empty(target: Target, tally: Tally) -> SourceVanished | None:
    """Of a dataset the state knows nothing of and a receiver does: whether there is anything."""
    empty = next((path for bit, path in tally.empty if bit == target.bit), None)
    return None if empty is None else strangely_empty(target, empty)


def strangely_empty(target: Target, path: bytes) -> SourceVanished:
    return SourceVanished(
        f"{display_path(path)} of {target.rule.label} is empty, and a receiver holds something of it",
        hint=f"is a disk not mounted? If so mount it; {_ACCEPT}",
        path=display_path(path),
    )


def not_reached(target: Target, path: bytes) -> SourceVanished:
    return SourceVanished(
        f"{display_path(path)} of {target.rule.label} could not be reached in the walk",
        hint="it lies behind a symbolic link or an excluded folder that another policy captures; name its real path",
        path=display_path(path),
    )


def _same(known: Identity, now: Identity) -> bool:
    return known == now if known[2] == DIRECTORY_CODE else (now[2] != DIRECTORY_CODE)


def _missing(target: Target, path: bytes, error: OSError, known: bool) -> SourceVanished:
    shown = display_path(path)
    if known:
        return SourceVanished(
            f"{shown} of {target.rule.label} is gone: {os.strerror(error.errno or 0)}",
            hint=f"is a disk not mounted? If so mount it; {_ACCEPT}",
            path=shown,
        )
    return SourceVanished(
        f"{shown} of {target.rule.label} does not exist: {os.strerror(error.errno or 0)}",
        hint="create the folder, mount its disk, or correct `paths` of the classification",
        path=shown,
    )
