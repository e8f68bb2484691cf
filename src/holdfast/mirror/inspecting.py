"""Looking at a whole mirror for what others did to it. Small commits see only what they touch; with a scan of the source all is looked
at, also where what it found comes by a small commit, as the mirror was away or killed at the time.

Nothing is read that still bears the fingerprint it was left with. What is not this mirror's is moved aside, metadata are set back, and what
is missing or was changed is asked for: the mirror then says that it stands nowhere, and gets the whole state, of which only that travels.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from holdfast.core.clock import Clock, now
from holdfast.core.errors import HoldfastError
from holdfast.host.tree_writer import listing, sync_paths
from holdfast.mirror.findings import edited, incomplete
from holdfast.mirror.removals import Removals
from holdfast.mirror.rows import Fingerprint, Recorded, Seen
from holdfast.mirror.target import Contents, Target, has_kind, matches_special
from holdfast.model.change import Commit
from holdfast.model.entry import Kind
from holdfast.model.jobs import Finding

# A look costs at most a twentieth of the time.
_REST = 20
_MOST_AT_ONCE = 10_000
_FACT, _SCAN = "looked", "looked-for"
# Setuid and setgid are not set for those who may not set owners.
_MAY_BE_LEFT_OUT = 0o6000


class Looks:
    """When it was last looked, kept in the records."""

    def __init__(self, target: Target, clock: Clock) -> None:
        self._records = target.records
        self._clock = clock

    def is_due(self) -> bool:
        text = self._records.fact(_FACT)
        if text is None:
            return True
        moment, _, cost_s = text.partition(" ")
        age = now(self._clock) - datetime.fromisoformat(moment)
        return age < timedelta(0) or age >= _REST * timedelta(seconds=float(cost_s))

    def is_owed(self, commit: Commit) -> bool:
        """Whether the source has looked at itself since the mirror did."""
        return not commit.continuous or (commit.scanned > 0 and self._records.fact(_SCAN) != _scan_of(commit))

    def note(self, started_s: float, commit: Commit) -> None:
        self._records.set_fact(_FACT, f"{now(self._clock).isoformat()} {max(0.0, self._clock.monotonic_s() - started_s):.3f}")
        self._records.set_fact(_SCAN, _scan_of(commit))


def _scan_of(commit: Commit) -> str:
    return f"{commit.epoch} {commit.scanned}"


_Standing = tuple[bytes, bytes, os.stat_result]


def _is_as_left(found: os.stat_result, seen: Seen, fingerprint: Fingerprint | None) -> bool:
    if not has_kind(found, seen.kind):
        return False
    if seen.kind is Kind.FILE:
        return Fingerprint.of(found) == fingerprint
    if seen.kind is Kind.DIRECTORY and (stat.S_IMODE(found.st_mode) ^ seen.mode) & ~_MAY_BE_LEFT_OUT:
        return False
    return found.st_mtime_ns == seen.mtime_ns


@dataclass
class _Odd:
    """What is not as it was left. At most so many of each at once; a mirror of which more is wrong is looked at again."""

    strangers: list[bytes] = field(default_factory=list)
    missing: list[bytes] = field(default_factory=list)
    other: list[tuple[bytes, bytes]] = field(default_factory=list)

    @property
    def is_full(self) -> bool:
        return len(self.strangers) + len(self.missing) + len(self.other) >= _MOST_AT_ONCE


class Inspection:
    """`findings` tell what was found; `incomplete`: the whole state is needed to mend it."""

    def __init__(self, target: Target, contents: Contents, removals: Removals) -> None:
        self._target = target
        self._records = target.records
        self._contents = contents
        self._removals = removals
        self._touched: set[bytes] = set()
        self.findings: list[Finding] = []
        self.incomplete = False

    def run(self) -> None:
        odd = self._find()
        for relative in odd.strangers:
            self._removals.take_out_edited(relative)
            self._touched.add(relative.rpartition(b"/")[0])
        for relative in odd.missing:
            self._miss(relative)
        for key, relative in odd.other:
            self._mend(key, relative)
        self._dress_folders()
        sync_paths(self._target.side, self._removals.folders)
        sync_paths(self._target.writer, self._touched)

    def _find(self) -> _Odd:
        """Both in walk order, side by side."""
        odd = _Odd()
        held = self._records.held()
        row = next(held, None)
        skipped = b""
        for key, relative, found in self._standing():
            if odd.is_full:
                break
            if skipped and key.startswith(skipped):
                continue
            while row is not None and row[0] < key:
                odd.missing.append(self._target.at(row[0]))
                row = next(held, None)
            if row is None or row[0] != key:
                odd.strangers.append(relative)
                skipped = key + b"\x00"
                continue
            if not _is_as_left(found, row[1], row[2]):
                odd.other.append((key, relative))
            row = next(held, None)
        else:
            while row is not None and not odd.is_full:
                odd.missing.append(self._target.at(row[0]))
                row = next(held, None)
        held.close()
        return odd

    def _standing(self) -> Iterator[_Standing]:
        """Every name of the mirror, in walk order: (key, place, what stands there)."""
        base = self._target.writer.stat(self._target.base)
        stack = [] if base is None else [(self._target.key_of(self._target.base), self._target.base, base)]
        while stack:
            key, relative, found = stack.pop()
            yield key, relative, found
            if stat.S_ISDIR(found.st_mode):
                inside = self._listing(relative)
                stack.extend((key + b"\x00" + name, relative + b"/" + name, each) for name, each in reversed(inside))

    def _listing(self, relative: bytes) -> list[tuple[bytes, os.stat_result]]:
        try:
            return listing(self._target.writer, relative)
        except HoldfastError:
            # Gone in this instant; or without the right to read it, and then what is in it is nobody's to judge.
            return []

    def _mend(self, key: bytes, relative: bytes) -> None:
        recorded = self._records.entry(key)
        found = self._target.writer.stat(relative)
        if recorded is None or found is None:
            self._miss(relative)
        elif not has_kind(found, recorded.entry.kind):
            self._replace(relative)
        elif recorded.entry.kind is Kind.DIRECTORY:
            self._touched.add(relative)
        elif recorded.entry.kind is not Kind.FILE:
            self._mend_special(relative, recorded, found)
        else:
            self._mend_file(key, relative, recorded)

    def _mend_special(self, relative: bytes, recorded: Recorded, found: os.stat_result) -> None:
        if matches_special(self._target, relative, found, recorded.entry):
            self._target.writer.set_attributes(relative, recorded.entry)
        else:
            self._replace(relative)

    def _mend_file(self, key: bytes, relative: bytes, recorded: Recorded) -> None:
        content = None if recorded.file is None else self._records.file(recorded.file)
        if content is None or not self._contents.verify(content, relative):
            if content is not None and content.key == key:
                self._contents.distrust(content.n)
            self._replace(relative)
            return
        self._target.writer.set_attributes(relative, recorded.entry)
        found = self._target.writer.stat(relative)
        if found is not None:
            self._records.set_placed(content.n, content.key, Fingerprint.of(found))
        message = "its metadata was changed in the mirror by somebody else, and is set back"
        self.findings.append(edited(relative, message, "its content is as it was"))

    def _replace(self, relative: bytes) -> None:
        self._removals.take_out_edited(relative)
        self._touched.add(relative.rpartition(b"/")[0])
        self.incomplete = True

    def _miss(self, relative: bytes) -> None:
        self.incomplete = True
        if len(self.findings) < _MOST_AT_ONCE:
            self.findings.append(incomplete(relative, "removed from the mirror by somebody else"))

    def _dress_folders(self) -> None:
        for relative in sorted(self._touched, reverse=True):
            recorded = self._records.entry(self._target.key_of(relative)) if relative.startswith(self._target.base) else None
            found = self._target.writer.stat(relative)
            if recorded is not None and recorded.entry.kind is Kind.DIRECTORY and found is not None and stat.S_ISDIR(found.st_mode):
                self._target.writer.set_attributes(relative, recorded.entry)
