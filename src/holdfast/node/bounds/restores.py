"""Where a restore may write: within the machine's limits, and in no mirror that is kept there."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from holdfast.core.errors import OutsideLimits
from holdfast.model.entry import is_below
from holdfast.model.rules import MirrorAction, Rules
from holdfast.node.bounds.limits import Limits
from holdfast.node.bounds.real_paths import real_path


@dataclass(frozen=True)
class RestoreBounds:
    """`mirrors`: real paths of what mirrors keep equal, each with the label of its dataset. What a restore wrote there the mirror would
    take for somebody's edits, and undo."""

    limits: Limits
    mirrors: tuple[tuple[bytes, str], ...]

    def check_target(self, target: str | bytes | Path) -> None:
        """Raises `OutsideLimits` unless something may be written at or below `target`. One that is there may lie above what may be
        written, as `/` does: each path is asked for."""
        real = real_path(target)
        if os.path.isdir(real) and any(is_below(root, real) for root in self.limits.write or ()):
            return
        self.check_write(target)

    def check_write(self, path: str | bytes | Path) -> None:
        """Raises `OutsideLimits` unless a restore may write below `path`. Above a mirror is allowed: each folder is asked for."""
        self.limits.check_write(path)
        self._check_apart(real_path(path))

    def check_remove(self, path: str | bytes | Path) -> None:
        """Raises `OutsideLimits` unless a restore may replace the whole folder."""
        self.limits.check_mirror(path)
        real = real_path(path)
        self._check_apart(real)
        for mirror, label in self.mirrors:
            if is_below(mirror, real):
                raise _kept(mirror, label)

    def is_clear(self, path: str | bytes | Path) -> bool:
        """As `Limits.is_clear`."""
        real = real_path(path)
        return self.limits.is_clear(path) and not any(is_below(mirror, real) or is_below(real, mirror) for mirror, _ in self.mirrors)

    def _check_apart(self, real: bytes) -> None:
        for mirror, label in self.mirrors:
            if is_below(real, mirror):
                raise _kept(mirror, label)


def restore_bounds(limits: Limits, rules: Rules | None) -> RestoreBounds:
    receives = () if rules is None else rules.receives
    mirrors = [
        (real_path(target), receive.label)
        for receive in receives
        for action in receive.actions
        if isinstance(action, MirrorAction)
        for _, target in action.targets
    ]
    return RestoreBounds(limits, tuple(mirrors))


def _kept(mirror: bytes, label: str) -> OutsideLimits:
    return OutsideLimits(
        f"{os.fsdecode(mirror)} is the mirror of {label}, which would undo what is restored there",
        hint="restore to another folder, or deactivate the flow that keeps the mirror",
        path=os.fsdecode(mirror),
    )
