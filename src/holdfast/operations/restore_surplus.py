"""What lies in the folders of a dataset and is not in the point that is restored there, for a restore that is `exact`.

Only what the dataset's classification takes is of it: what is excluded, of another size, age or owner than asked for, mounted from another
file system or Holdfast's own was never captured, so nothing is said of it by its absence, and it stays; a folder in which something stays
does so, too. Entries come in walk order, so a folder is over with the first entry that is not below it: then it is listed.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from holdfast.capture.classify import CACHE_TAG, Classifier, RootRules, is_cache_folder, text_of
from holdfast.core.errors import OutsideLimits
from holdfast.host.snapshots import FOLDER as SNAPSHOTS
from holdfast.model.document import Classification
from holdfast.model.entry import Entry, Kind, is_below
from holdfast.model.orders import SIDE_FOLDER
from holdfast.model.roots import normal_roots
from holdfast.operations.restore_looking import metadata_of
from holdfast.operations.restore_steps import Step


@dataclass(frozen=True, kw_only=True)
class Captured:
    """What of a machine is a dataset: `own` are paths in it that are captured by nobody. `check_remove` raises `OutsideLimits` for a
    folder that must not go whole."""

    classification: Classification
    own: tuple[str, ...] = ()
    now_ns: int
    check_remove: Callable[[bytes], None] = lambda path: None


@dataclass
class _Listed:
    """A folder of the point that is there: `names` are those that the point has in it."""

    path: bytes
    root: bytes
    names: set[bytes] = field(default_factory=set)


@dataclass
class _Looked:
    """A folder that the point does not have. `going`: what of it goes, should anything stay."""

    path: bytes
    entries: Iterator[os.DirEntry[bytes]]
    status: os.stat_result
    going: list[tuple[bytes, os.stat_result, int]] = field(default_factory=list)
    stays: bool = False
    size_bytes: int = 0


class Surplus:
    """Told of each entry (`passed` before, `met` after it was decided on), gives a step for each thing that goes. `target` is the folder
    below which the source's paths are written. Writes nothing."""

    def __init__(self, captured: Captured, target: bytes) -> None:
        self._captured = captured
        self._target = target.rstrip(b"/")
        self._classifier = Classifier(captured.classification, captured.now_ns)
        self._roots = normal_roots(captured.classification.paths)
        self._rules: dict[bytes, RootRules] = {}
        self._own = frozenset(os.fsencode(path) for path in captured.own)
        self._open: list[_Listed] = []
        self.count = 0
        self.size_bytes = 0

    def met(self, entry: Entry, step: Step | None) -> None:
        """`step`: what is done to it. Folders are listed where they are there and were restored into."""
        folder, _, name = entry.path.rpartition(b"/")
        if self._open and self._open[-1].path == folder:
            self._open[-1].names.add(name)
        root = self._root_of(entry.path)
        if entry.kind is Kind.DIRECTORY and step is not None and step.do == "merge" and root is not None:
            self._open.append(_Listed(entry.path, root))

    def passed(self, path: bytes | None) -> Iterator[Step]:
        """The next entry is this one, None = there is none: what goes out of folders that are over."""
        while self._open and (path is None or not is_below(path, self._open[-1].path)):
            yield from self._out_of(self._open.pop())

    def _root_of(self, path: bytes) -> bytes | None:
        """The nearest one."""
        return max((root for root in self._roots if is_below(path, root)), key=len, default=None)

    def _out_of(self, folder: _Listed) -> Iterator[Step]:
        try:
            with os.scandir(self._target + folder.path) as listing:
                entries = sorted((entry for entry in listing if entry.name not in folder.names), key=lambda entry: entry.name)
        except OSError:
            # What cannot be listed stays.
            return
        device = self._device_of(folder.path)
        for entry in entries:
            status = _status(entry)
            if status is not None:
                for path, gone, size in self._going(folder.path + b"/" + entry.name, status, folder.root, device):
                    yield self._step(path, gone, size)

    def _step(self, path: bytes, status: os.stat_result, size: int) -> Step:
        self.count += 1
        self.size_bytes += size
        return Step("remove", path[1:], metadata_of(path[1:], status), replaces=True)

    def _going(self, path: bytes, status: os.stat_result, root: bytes, device: int) -> list[tuple[bytes, os.stat_result, int]]:
        """The thing itself where all of it goes, else what of it does; each with the bytes that it holds."""
        if not stat.S_ISDIR(status.st_mode):
            return [(path, status, _size(status))] if self._takes(path, status, root) else []
        if not self._enters(path, status, root, device):
            return []
        stack = [self._look(path, status)]
        while True:
            here = stack[-1]
            below = self._next_folder(here, root)
            if below is not None:
                stack.append(below)
                continue
            stack.pop()
            is_whole = not here.stays and (bool(here.going) or not self._classifier.selective)
            found = [(here.path, here.status, here.size_bytes)] if is_whole else here.going
            if not stack:
                return found
            above = stack[-1]
            above.stays = above.stays or not is_whole
            above.going += found
            above.size_bytes += here.size_bytes

    def _next_folder(self, here: _Looked, root: bytes) -> _Looked | None:
        """The next one to look into; what lies before it is judged."""
        for entry in here.entries:
            path, status = here.path + b"/" + entry.name, _status(entry)
            if status is None:
                continue
            if stat.S_ISDIR(status.st_mode):
                if self._enters(path, status, root, here.status.st_dev):
                    return self._look(path, status)
                here.stays = True
            elif self._takes(path, status, root):
                here.going.append((path, status, _size(status)))
                here.size_bytes += _size(status)
            else:
                here.stays = True
        return None

    def _look(self, path: bytes, status: os.stat_result) -> _Looked:
        try:
            with os.scandir(self._target + path) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError:
            return _Looked(path, iter(()), status, stays=True)
        is_cache = self._classifier.exclude_caches and any(entry.name == CACHE_TAG for entry in entries)
        if is_cache and is_cache_folder(self._target + path)[0]:
            return _Looked(path, iter(()), status, stays=True)
        return _Looked(path, iter(entries), status)

    def _enters(self, path: bytes, status: os.stat_result, root: bytes, device: int) -> bool:
        name = path.rpartition(b"/")[2]
        if path in self._own or path in self._roots or name == SNAPSHOTS or name.startswith(SIDE_FOLDER):
            return False
        if status.st_dev != device and self._classifier.one_file_system:
            return False
        if self._is_excluded(path, root, b"/"):
            return False
        try:
            self._captured.check_remove(self._target + path)
        except OutsideLimits:
            return False
        return True

    def _takes(self, path: bytes, status: os.stat_result, root: bytes) -> bool:
        """Whether the classification chooses this, which is no folder."""
        if path in self._own or path in self._roots or stat.S_ISSOCK(status.st_mode) or self._is_excluded(path, root):
            return False
        included = self._below(root).included
        if included is not None and not included(self._text(path, root)):
            return False
        return self._classifier.wants(path.rpartition(b"/")[2], status)

    def _is_excluded(self, path: bytes, root: bytes, end: bytes = b"") -> bool:
        excluded = self._below(root).excluded
        return excluded is not None and excluded(self._text(path, root) + end.decode())

    def _below(self, root: bytes) -> RootRules:
        if root not in self._rules:
            self._rules[root] = self._classifier.below(root)
        return self._rules[root]

    def _text(self, path: bytes, root: bytes) -> str:
        return text_of(path[len(root.rstrip(b"/")) + 1 :])

    def _device_of(self, path: bytes) -> int:
        try:
            return os.lstat(self._target + path).st_dev
        except OSError:
            return -1


def _status(entry: os.DirEntry[bytes]) -> os.stat_result | None:
    try:
        return entry.stat(follow_symlinks=False)
    except OSError:
        return None


def _size(status: os.stat_result) -> int:
    return status.st_size if stat.S_ISREG(status.st_mode) else 0
