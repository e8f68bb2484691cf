"""What a classification means on this machine, before anything is captured: some paths it chooses, some it leaves out, and why.

It asks the same `Classifier` as the capture, visits the same places in the same order, opens no file but CACHEDIR.TAG, and stops at its
bounds. Rows come from many folders: first a few of each, then more of the first ones if there is room.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from pathspec import GitIgnoreSpec

from holdfast.capture.classify import CACHE_TAG, Classifier, RootRules, is_cache_folder, pattern_lines, text_of
from holdfast.core.clock import Clock
from holdfast.model.document import Classification
from holdfast.model.entry import display_path, name_of
from holdfast.model.jobs import Finding, Severity
from holdfast.model.roots import normal_roots
from holdfast.model.sampling import Sample, SampleRow

_FEW = 5
_MOST_FINDINGS = 20
_LOOK_AT_CLOCK_EVERY = 256
_KINDS = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "folder",
    stat.S_IFLNK: "symlink",
    stat.S_IFCHR: "device",
    stat.S_IFBLK: "device",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
}


@dataclass(frozen=True, kw_only=True)
class SampleBounds:
    """`rows`: of each kind at most. The look ends after so many entries or seconds, whichever comes first."""

    rows: int = 50
    entries: int = 200_000
    seconds: float = 5.0


def take_sample(classification: Classification, bounds: SampleBounds, *, own: Iterable[bytes] = (), clock: Clock) -> Sample:
    """`own`: places of Holdfast itself, never captured. Never raises for what the file system does: that becomes findings."""
    return _Look(classification, bounds, frozenset(own), clock).run()


class _Enough(Exception):
    """A bound was reached."""


@dataclass
class _Rows:
    """Up to `most` rows: `_FEW` of each folder first."""

    most: int
    total: int = 0
    first: list[tuple[int, SampleRow]] = field(default_factory=list)
    more: list[tuple[int, SampleRow]] = field(default_factory=list)
    here: int = 0

    def add(self, row: SampleRow) -> None:
        self.total += 1
        self.here += 1
        rows = self.first if self.here <= _FEW else self.more
        if len(rows) < self.most:
            rows.append((self.total, row))

    def result(self) -> tuple[SampleRow, ...]:
        """In the order they were met."""
        chosen = [*self.first, *self.more[: self.most - len(self.first)]]
        return tuple(row for _, row in sorted(chosen, key=lambda numbered: numbered[0]))


class _Look:
    def __init__(self, classification: Classification, bounds: SampleBounds, own: frozenset[bytes], clock: Clock) -> None:
        self._classification = classification
        self._classifier = Classifier(classification, clock.now_ns())
        self._bounds = bounds
        self._own = own
        self._clock = clock
        self._end_s = clock.monotonic_s() + bounds.seconds
        self._roots = normal_roots(classification.paths)
        self._chosen, self._left_out = _Rows(bounds.rows), _Rows(bounds.rows)
        self._chosen_bytes = 0
        self._seen = 0
        self._findings = list(self._classifier.findings)

    def run(self) -> Sample:
        complete = True
        try:
            for root in self._roots:
                self._tree(root)
        except _Enough:
            complete = False
        return Sample(
            chosen=self._chosen.result(),
            left_out=self._left_out.result(),
            chosen_total=self._chosen.total,
            chosen_bytes=self._chosen_bytes,
            left_out_total=self._left_out.total,
            complete=complete,
            findings=tuple(self._findings),
        )

    def _tree(self, root: bytes) -> None:
        try:
            status = os.lstat(root)
        except OSError as error:
            self._unreadable(root, error)
            return
        if self._is_own(root):
            self._leave_out(root, status, "holdfast", "a place of Holdfast itself")
        elif not stat.S_ISDIR(status.st_mode):
            self._choose(root, status)
        else:
            self._walk(root, status)

    def _walk(self, root: bytes, status: os.stat_result) -> None:
        rules, skip = self._classifier.below(root), len(root) if root == b"/" else len(root) + 1
        explained = _Explained(self._classification, root)
        stack: list[Iterator[tuple[bytes, os.stat_result]]] = [iter(((root, status),))]
        while stack:
            folder = next(stack[-1], None)
            if folder is None:
                stack.pop()
                continue
            self._chosen.here = self._left_out.here = 0
            below = [
                (path, status)
                for path, status in self._entries(folder[0])
                if path not in self._roots and self._judge(path, status, rules, explained, skip, folder)
            ]
            stack.append(iter(below))

    def _judge(
        self,
        path: bytes,
        status: os.stat_result,
        rules: RootRules,
        explained: _Explained,
        skip: int,
        folder: tuple[bytes, os.stat_result],
    ) -> bool:
        """True for a folder to go on in. Paths that are chosen or left out are noted."""
        is_folder = stat.S_ISDIR(status.st_mode)
        text = text_of(path[skip:]) + ("/" if is_folder else "")
        name = name_of(path)
        if self._is_own(path):
            self._leave_out(path, status, "holdfast", "a place of Holdfast itself")
        elif rules.excluded is not None and rules.excluded(text):
            self._leave_out(path, status, "exclude", explained.pattern(text))
        elif is_folder:
            if status.st_dev == folder[1].st_dev or not self._classifier.one_file_system:
                return True
            self._leave_out(path, status, "one_file_system", "another file system is mounted here")
        elif rules.included is not None and not rules.included(text):
            self._leave_out(path, status, "include", "no pattern matches")
        elif against := self._classifier.limit_against(name, status):
            self._leave_out(path, status, *against)
        else:
            self._choose(path, status)
        return False

    def _entries(self, folder: bytes) -> list[tuple[bytes, os.stat_result]]:
        """What is in the folder, in walk order; of a cache folder only its tag."""
        prefix = folder if folder == b"/" else folder + b"/"
        found: list[tuple[bytes, os.stat_result]] = []
        try:
            with os.scandir(folder) as listing:
                for entry in listing:
                    self._count()
                    try:
                        found.append((prefix + entry.name, entry.stat(follow_symlinks=False)))
                    except OSError as error:
                        self._unreadable(prefix + entry.name, error)
        except OSError as error:
            self._unreadable(folder, error)
            return []
        found.sort(key=lambda each: each[0])
        if self._classifier.exclude_caches and any(path == prefix + CACHE_TAG for path, _ in found) and is_cache_folder(folder)[0]:
            self._cache_folder(found, prefix + CACHE_TAG)
            return []
        return found

    def _cache_folder(self, found: list[tuple[bytes, os.stat_result]], tag: bytes) -> None:
        """Its tag is chosen whatever the patterns say, as the capture does."""
        for path, status in found:
            if path == tag:
                self._choose(path, status)
            elif path not in self._roots:
                self._leave_out(path, status, "exclude_caches", "the folder bears a CACHEDIR.TAG")

    def _choose(self, path: bytes, status: os.stat_result) -> None:
        if stat.S_ISSOCK(status.st_mode):
            self._leave_out(path, status, "kind", "a socket has no content")
            return
        size = status.st_size if stat.S_ISREG(status.st_mode) else 0
        self._chosen_bytes += size
        self._chosen.add(SampleRow(path=display_path(path), kind=_kind(status), size_bytes=size))

    def _leave_out(self, path: bytes, status: os.stat_result, rule: str, detail: str) -> None:
        size = status.st_size if stat.S_ISREG(status.st_mode) else 0
        self._left_out.add(SampleRow(path=display_path(path), kind=_kind(status), size_bytes=size, rule=rule, detail=detail))

    def _is_own(self, path: bytes) -> bool:
        return path in self._own

    def _count(self) -> None:
        self._seen += 1
        is_late = self._seen % _LOOK_AT_CLOCK_EVERY == 0 and self._clock.monotonic_s() > self._end_s
        if is_late or self._seen > self._bounds.entries:
            raise _Enough

    def _unreadable(self, path: bytes, error: OSError) -> None:
        if len(self._findings) < _MOST_FINDINGS:
            self._findings.append(
                Finding(
                    code="unreadable",
                    severity=Severity.WARNING,
                    message=f"cannot be looked at: {os.strerror(error.errno or 0)}",
                    path=display_path(path),
                )
            )


class _Explained:
    """Which of the patterns decides, asked only for what is left out."""

    def __init__(self, classification: Classification, root: bytes) -> None:
        self._patterns = classification.exclude
        self._spec = GitIgnoreSpec.from_lines(pattern_lines(classification.exclude, root))

    def pattern(self, text: str) -> str:
        index = self._spec.check_file(text).index
        return "" if index is None else self._patterns[index]


def _kind(status: os.stat_result) -> str:
    return _KINDS.get(stat.S_IFMT(status.st_mode), "file")
