"""Deciding what a restore does with each entry, by looking at the target and writing nothing."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field

from holdfast.core.errors import OutsideLimits
from holdfast.host.tree_writer import TreeWriter
from holdfast.model.entry import Entry, Kind, check_path, display_path, is_below
from holdfast.model.jobs import Finding, Severity
from holdfast.model.orders import Conflict
from holdfast.operations.restore_steps import Step


@dataclass(frozen=True)
class SpaceNeed:
    """Bytes to be written on the file system that holds `path`."""

    path: bytes
    bytes: int


@dataclass(frozen=True, kw_only=True)
class RestorePlan:
    """`files` counts all but folders and `bytes` what they hold (holes and further names of a file are free); `replaced` and `renamed` are
    among `files`; `kept` are equal already, `skipped` stay by the conflict rule, `refused` may not be written here.
    """

    target: bytes
    folders: int
    files: int
    bytes: int
    replaced: int
    renamed: int
    kept: int
    skipped: int
    refused: int
    space: tuple[SpaceNeed, ...]


@dataclass(frozen=True, kw_only=True)
class Rules:
    """`suffix` is what `rename` appends. `check_write` raises `OutsideLimits`, `check_remove` for a folder that must not go as a whole."""

    conflict: Conflict
    suffix: bytes
    check_write: Callable[[bytes], None]
    check_remove: Callable[[bytes], None]
    roots: tuple[bytes, ...] = ()


@dataclass
class _Count:
    folders: int = 0
    files: int = 0
    bytes: int = 0
    replaced: int = 0
    renamed: int = 0
    kept: int = 0
    skipped: int = 0
    refused: int = 0
    space: dict[int, int] = field(default_factory=dict)


class Planner:
    """Takes entries in walk order (`decide`), then tells the `plan`. Nothing below `target` is followed through a symbolic link."""

    def __init__(self, target: bytes, rules: Rules, report: Callable[[Finding], None]) -> None:
        self._target = target
        self._rules = rules
        self._report = report
        self._existing = target
        while not os.path.isdir(self._existing):
            self._existing = os.path.dirname(self._existing)
        self._looker = TreeWriter(target) if self._existing == target else None
        self._count = _Count()
        self._outside: OutsideLimits | None = None
        self._skipped_below: bytes | None = None
        self._new_below: bytes | None = None
        self._moved: tuple[bytes, bytes] | None = None
        self._approved: set[bytes] = set()
        self._devices: dict[bytes, int] = {b"": os.stat(self._existing).st_dev}
        self._device_paths: dict[int, bytes] = {self._devices[b""]: self._existing}
        self._links: dict[tuple[int, int], bytes] = {}

    def close(self) -> None:
        if self._looker is not None:
            self._looker.close()

    def plan(self) -> RestorePlan:
        """Raises `OutsideLimits` when nothing of it may be written."""
        count = self._count
        if self._outside is not None and not (count.files or count.kept or count.skipped):
            raise self._outside
        return RestorePlan(
            target=self._target,
            folders=count.folders,
            files=count.files,
            bytes=count.bytes,
            replaced=count.replaced,
            renamed=count.renamed,
            kept=count.kept,
            skipped=count.skipped,
            refused=count.refused,
            space=tuple(SpaceNeed(self._device_paths[device], needed) for device, needed in count.space.items()),
        )

    def decide(self, entry: Entry) -> Step | None:
        """The step for one entry; None where nothing is to be done."""
        source = check_path(entry.path)[1:]
        if not source:
            return None
        if self._skipped_below is not None:
            if source.startswith(self._skipped_below):
                self._count.skipped += entry.kind is not Kind.DIRECTORY
                return None
            self._skipped_below = None
        at = self._place(source)
        found = self._stat(at)
        if not self._may_write(at, entry, found):
            if entry.kind is Kind.DIRECTORY and found is not None and stat.S_ISDIR(found.st_mode):
                return Step("pass", at, entry)
            self._refuse(entry)
            return None
        return (self._folder if entry.kind is Kind.DIRECTORY else self._leaf)(source, at, entry, found)

    # Where

    def _place(self, source: bytes) -> bytes:
        if self._moved is not None:
            before, after = self._moved
            if source.startswith(before):
                return after + source[len(before) :]
            self._moved = None
        return source

    def _stat(self, at: bytes) -> os.stat_result | None:
        if self._looker is None:
            return None
        if self._new_below is not None:
            if at.startswith(self._new_below):
                return None
            self._new_below = None
        return self._looker.stat(at)

    def _may_write(self, at: bytes, entry: Entry, found: os.stat_result | None) -> bool:
        """Folders are asked about one by one, because a folder of Holdfast's own may lie in one that is free; files with their folder."""
        folder = at.rpartition(b"/")[0]
        replaces_folder = entry.kind is not Kind.DIRECTORY and found is not None and stat.S_ISDIR(found.st_mode)
        if entry.kind is not Kind.DIRECTORY and folder in self._approved and not replaces_folder:
            return True
        try:
            (self._rules.check_remove if replaces_folder else self._rules.check_write)(os.path.join(self._target, at))
        except OutsideLimits as error:
            self._outside = self._outside or error
            return False
        if entry.kind is Kind.DIRECTORY:
            self._approved.add(at)
        return True

    def _refuse(self, entry: Entry) -> None:
        self._count.refused += 1
        self._report(
            Finding(
                code="outside-limits",
                severity=Severity.ERROR,
                message="may not be written on this machine",
                path=display_path(entry.path),
                hint="choose another target, or let root there allow it in limits.toml",
            )
        )

    # What

    def _folder(self, source: bytes, at: bytes, entry: Entry, found: os.stat_result | None) -> Step | None:
        self._count.folders += 1
        if found is None:
            self._new_below = self._new_below or at + b"/"
            return Step("folder", at, entry)
        above_roots = any(is_below(root, entry.path) and root != entry.path for root in self._rules.roots)
        if stat.S_ISDIR(found.st_mode):
            return Step("merge" if self._rules.conflict == "overwrite" and not above_roots else "pass", at, entry)
        if self._rules.conflict == "skip" or above_roots:
            self._skip_below(source, entry, above_roots)
            return None
        if self._rules.conflict == "rename":
            new = self._free_name(at)
            self._moved = (source + b"/", new + b"/")
            self._new_below = new + b"/"
            return Step("folder", new, entry)
        self._new_below = at + b"/"
        self._count.replaced += 1
        return Step("folder", at, entry, True)

    def _skip_below(self, source: bytes, entry: Entry, above_roots: bool) -> None:
        self._skipped_below = source + b"/"
        self._report(
            Finding(
                code="not-a-folder",
                severity=Severity.ERROR if above_roots else Severity.WARNING,
                message="something else stands where a folder is to be restored; what is below it was skipped",
                path=display_path(entry.path),
                hint="links are not followed: restore to another target, or remove what stands there",
            )
        )

    def _leaf(self, source: bytes, at: bytes, entry: Entry, found: os.stat_result | None) -> Step | None:
        replaces = False
        if found is not None:
            if self._rules.conflict == "skip":
                self._count.skipped += 1
                return None
            if entry.kind is Kind.FILE and self._is_equal(at, entry, found):
                self._count.kept += 1
                self._known_name(entry, at)
                # Under `rename` what is there is not touched at all.
                return Step("dress", at, entry) if self._rules.conflict == "overwrite" else None
            if self._rules.conflict == "rename":
                at = self._free_name(at)
                self._count.renamed += 1
            else:
                replaces = True
                self._count.replaced += 1
        self._count.files += 1
        if entry.kind is not Kind.FILE:
            return Step("special", at, entry, replaces)
        known = self._known_name(entry, at)
        if known is not None:
            return Step("link", at, entry, replaces, known)
        self._need(at, entry)
        return Step("file", at, entry, replaces)

    def _known_name(self, entry: Entry, at: bytes) -> bytes | None:
        """The name the same file of the source has already got; else this becomes it."""
        if entry.links < 2:
            return None
        group = (entry.device, entry.inode)
        if group in self._links:
            return self._links[group]
        self._links[group] = at
        return None

    def _need(self, at: bytes, entry: Entry) -> None:
        size = entry.size_bytes - sum([hole.size_bytes for hole in entry.holes]) if entry.holes else entry.size_bytes
        self._count.bytes += entry.size_bytes
        device = self._device(at.rpartition(b"/")[0])
        self._count.space[device] = self._count.space.get(device, 0) + size

    def _device(self, folder: bytes) -> int:
        """The file system a folder is on or will be made on."""
        known = self._devices.get(folder)
        if known is not None:
            return known
        found = self._looker.stat(folder) if self._looker is not None else None
        if found is not None:
            device = found.st_dev
            self._device_paths.setdefault(device, os.path.join(self._target, folder))
        else:
            device = self._device(folder.rpartition(b"/")[0])
        self._devices[folder] = device
        return device

    def _free_name(self, at: bytes) -> bytes:
        folder, slash, name = at.rpartition(b"/")
        suffix, number = self._rules.suffix, 1
        while True:
            candidate = folder + slash + name[: 255 - len(suffix)] + suffix
            if self._looker is None or self._looker.stat(candidate) is None:
                return candidate
            number += 1
            suffix = self._rules.suffix + b"-%d" % number

    def _is_equal(self, at: bytes, entry: Entry, found: os.stat_result) -> bool:
        """Same size, mtime and content: reads the file, and only where size and time agree."""
        if self._looker is None or not stat.S_ISREG(found.st_mode):
            return False
        if (found.st_size, found.st_mtime_ns) != (entry.size_bytes, entry.mtime_ns):
            return False
        try:
            fd = self._looker.open_file(at)
        except OSError:
            return False
        try:
            offset = 0
            for ref in entry.chunks:
                if hashlib.sha256(os.pread(fd, ref.size_bytes, offset)).digest() != ref.id:
                    return False
                offset += ref.size_bytes
            return True
        except OSError:
            return False
        finally:
            os.close(fd)
