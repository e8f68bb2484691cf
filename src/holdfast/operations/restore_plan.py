"""Deciding what a restore does with each entry, by looking at the target and writing nothing."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from holdfast.core.errors import OutsideLimits
from holdfast.host.tree_writer import TreeWriter
from holdfast.model.entry import Entry, Kind, check_path, display_path, is_below, is_name
from holdfast.model.jobs import Finding, Severity
from holdfast.model.orders import Conflict, Owners
from holdfast.operations.restore_looking import equal_file, is_as_written, is_dressed, is_equal_special, metadata_of, metadata_of_folder
from holdfast.operations.restore_owners import OwnerMap
from holdfast.operations.restore_steps import Step


@dataclass(frozen=True)
class SpaceNeed:
    """Bytes to be written on the file system that holds `path`."""

    path: bytes
    bytes: int


@dataclass(frozen=True, kw_only=True)
class RestorePlan:
    """`files` counts all but folders and `bytes` what they hold (holes and further names of a file are free); `replaced` and `renamed` are
    among `files`; `kept` are equal already, `skipped` stay by the conflict rule, `refused` may not be written here. `..._bytes`: what the
    point has for these, and of `replaced` what is there and goes.
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
    replaced_bytes: int = 0
    renamed_bytes: int = 0
    kept_bytes: int = 0
    skipped_bytes: int = 0
    space: tuple[SpaceNeed, ...]


@dataclass(frozen=True, kw_only=True)
class Rules:
    """`suffix` is what `rename` appends. `check_write` raises `OutsideLimits`, `check_remove` for a folder that must not go whole; if
    it `is_clear` neither does where nothing is. `is_again`: it was begun before, and `made` are folders it made then, dressed or not."""

    conflict: Conflict
    suffix: bytes
    check_write: Callable[[bytes], None]
    check_remove: Callable[[bytes], None]
    owners: Owners
    is_clear: bool = False
    roots: tuple[bytes, ...] = ()
    is_again: bool = False
    made: frozenset[bytes] = frozenset()


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
    replaced_bytes: int = 0
    renamed_bytes: int = 0
    kept_bytes: int = 0
    skipped_bytes: int = 0
    space: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class _AmongNew:
    """A folder that this restore makes and may write to, so that nothing is there: `source` of the point, `at` in the target, both ended by
    a slash, on the file system `device`."""

    source: bytes
    at: bytes
    device: int


class Planner:
    """Takes entries in walk order (`decide`), then tells the `plan`. Nothing below `target` is followed through a symbolic link."""

    def __init__(self, target: bytes, rules: Rules, report: Callable[[Finding], None]) -> None:
        self._target = target
        self._rules = rules
        self._owners = OwnerMap(rules.owners)
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
        self._ways: set[bytes] = set()
        self._devices: dict[bytes, int] = {b"": os.stat(self._existing).st_dev}
        self._device_paths: dict[int, bytes] = {self._devices[b""]: self._existing}
        self._links: dict[tuple[int, int], bytes] = {}
        self._among_new: _AmongNew | None = None

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
            replaced_bytes=count.replaced_bytes,
            renamed_bytes=count.renamed_bytes,
            kept_bytes=count.kept_bytes,
            skipped_bytes=count.skipped_bytes,
            space=tuple(SpaceNeed(self._device_paths[device], needed) for device, needed in count.space.items()),
        )

    def decide_next(self, entry: Entry) -> Step | None:
        """As `decide` for the next file of a new folder in which a file was just decided on, nearly all there are: there is nothing to look
        at but its name, and no way to it that is not known. None for all else, which `decide` is to be asked about."""
        new, path = self._among_new, entry.path
        if new is None or not path.startswith(new.source) or entry.kind is not Kind.FILE or entry.links > 1:
            return None
        name = path[len(new.source) :]
        if not is_name(name):
            return None
        count, size = self._count, entry.size_bytes
        count.files += 1
        count.bytes += size
        count.space[new.device] += size - sum([hole.size_bytes for hole in entry.holes]) if entry.holes else size
        return Step("file", new.at + name, self._owners.apply(entry))

    def decide(self, entry: Entry) -> Step | None:
        """The step for one entry; None where nothing is to be done."""
        self._among_new = None
        source = check_path(entry.path)[1:]
        if not source:
            return None
        if self._skipped_below is not None:
            if source.startswith(self._skipped_below):
                self._count.skipped += entry.kind is not Kind.DIRECTORY
                self._count.skipped_bytes += entry.size_bytes
                return None
            self._skipped_below = None
        entry = self._owners.apply(entry)
        at = self._place(source)
        found = self._stat(at)
        if not self._may_write(at, entry, found):
            if entry.kind is Kind.DIRECTORY and found is not None and stat.S_ISDIR(found.st_mode):
                return Step("pass", at, entry, was=metadata_of(at, found))
            self._refuse(entry)
            return None
        return (self._folder if entry.kind is Kind.DIRECTORY else self._leaf)(source, at, entry, found)

    def ways(self, at: bytes) -> Iterator[Step]:
        """What else has to be known to take back a step at `at`: the folders on the way to it that are none of the entries."""
        parent = at.rpartition(b"/")[0]
        missing: list[bytes] = []
        while parent not in self._approved and parent not in self._ways:
            self._ways.add(parent)
            found = self._stat(parent)
            if found is not None:
                if self._existing == self._target:
                    yield Step("was", parent, _no_entry(parent), was=metadata_of(parent, found))
                break
            if not parent:
                break
            missing.append(parent)
            parent = parent.rpartition(b"/")[0]
        for folder in reversed(missing):
            yield Step("way", folder, _no_entry(folder))

    # Where

    def _place(self, source: bytes) -> bytes:
        if self._moved is not None:
            before, after = self._moved
            if source.startswith(before):
                return after + source[len(before) :]
            self._moved = None
        return source

    def _is_new(self, at: bytes) -> bool:
        """Whether it lies in a folder that this restore makes."""
        return self._looker is None or (self._new_below is not None and at.startswith(self._new_below))

    def _remember_new(self, source: bytes, at: bytes) -> None:
        folder, slash, _ = at.rpartition(b"/")
        if slash and folder in self._approved:
            self._among_new = _AmongNew(b"/" + source[: source.rfind(b"/") + 1], folder + slash, self._device(folder))

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
            # Each question is a look at all folders above: 4 % of the CPU of a large restore.
            if not (self._rules.is_clear and self._is_new(at)):
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
            if at in self._rules.made:
                return Step("merge", at, entry, was=metadata_of(at, found))
            if self._rules.conflict == "overwrite" and not above_roots and self._looker is not None:
                return Step("merge", at, entry, was=metadata_of_folder(self._looker, at, found))
            return Step("pass", at, entry, was=metadata_of(at, found))
        if self._rules.conflict == "skip" or above_roots:
            self._skip_below(source, entry, above_roots)
            return None
        if self._rules.conflict == "rename":
            new, is_there = self._free_name(at, entry)
            self._moved = (source + b"/", new + b"/")
            if is_there:
                return Step("merge", new, entry, was=_no_entry(new))
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
                self._count.skipped_bytes += entry.size_bytes
                return None
            if (kept := self._kept(at, entry, found)) is not None:
                return kept[0]
            if self._rules.conflict == "rename":
                at, is_there = self._free_name(at, entry)
                if is_there:
                    self._count.kept += 1
                    return None
                self._count.renamed += 1
                self._count.renamed_bytes += entry.size_bytes
            else:
                replaces = True
                self._count.replaced += 1
                self._count.replaced_bytes += found.st_size if stat.S_ISREG(found.st_mode) else 0
        self._count.files += 1
        if entry.kind is not Kind.FILE:
            return Step("special", at, entry, replaces)
        known = self._known_name(entry, at)
        if known is not None:
            return Step("link", at, entry, replaces, known)
        self._need(at, entry)
        if found is None and self._is_new(at):
            self._remember_new(source, at)
        return Step("file", at, entry, replaces)

    def _kept(self, at: bytes, entry: Entry, found: os.stat_result) -> tuple[Step | None] | None:
        """What is still to be done to what is there, where that is the entry already; None = it is not."""
        was = None
        if self._looker is None:
            return None
        if entry.kind is not Kind.FILE:
            if not is_equal_special(self._looker, at, entry, found):
                return None
        elif (was := equal_file(self._looker, at, entry, found)) is None:
            return None
        self._count.kept += 1
        self._count.kept_bytes += entry.size_bytes
        if was is None:
            return (None,)
        self._known_name(entry, at)
        # Under `rename` what is there is not touched at all.
        is_done = self._rules.conflict != "overwrite" or is_dressed(entry, was)
        return (None if is_done else Step("dress", at, entry, was=was),)

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

    def _free_name(self, at: bytes, entry: Entry) -> tuple[bytes, bool]:
        """A name beside what is there; and whether an earlier attempt of this restore has put the entry there already."""
        folder, slash, name = at.rpartition(b"/")
        suffix, number = self._rules.suffix, 1
        while True:
            candidate = folder + slash + name[: 255 - len(suffix)] + suffix
            found = None if self._looker is None else self._looker.stat(candidate)
            if found is None or self._looker is None:
                return candidate, False
            if self._rules.is_again and self._is_ours(candidate, entry, found):
                return candidate, True
            number += 1
            suffix = self._rules.suffix + b"-%d" % number

    def _is_ours(self, at: bytes, entry: Entry, found: os.stat_result) -> bool:
        if entry.kind is Kind.DIRECTORY:
            return at in self._rules.made
        if self._looker is None:
            return False
        return is_as_written(self._looker, at, entry, found)


def _no_entry(at: bytes) -> Entry:
    """For folders of which the point says nothing."""
    return Entry(path=b"/" + at, kind=Kind.DIRECTORY, mode=0o755)
