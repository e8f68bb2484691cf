"""Taking a restore back: what it replaced comes back, what it made goes, what somebody changed since stays.

The attempts of the restore are gone through newest first (`restore_attempt`), each step judged by what is there now: broken off at any
moment, by kill -9 too, it is started again and does the rest. The very files come back, with their owners, attributes and further names;
folders get their times back. What the restore made is removed only while its content and time are still those that it was given.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from holdfast.core.errors import Conflict, HoldfastError, OutsideLimits, StoreError
from holdfast.host.tree_writer import TreeWriter
from holdfast.model.entry import display_path
from holdfast.model.jobs import Finding, Severity
from holdfast.operations.restore_aside import below, set_times
from holdfast.operations.restore_attempt import Attempt, attempts_in, drop_record, noted, read_about, side_of
from holdfast.operations.restore_looking import is_as_written
from holdfast.operations.restore_parts import remove_parts
from holdfast.operations.restore_steps import Step, read_steps

CheckWrite = Callable[[bytes], None]
_FOLDERS = frozenset({"folder", "merge", "pass", "way", "was"})
# Of these only times are put right. Where they may not be written nothing in them was, either.
_PASSED = frozenset({"pass", "was"})


@dataclass(kw_only=True)
class UndoResult:
    """`back`: what had been replaced and is there again, `removed`: what the restore had made, `dressed`: what got its metadata back,
    `left`: what was changed since, or could not be brought back; it can be tried again, as long as the restore's record is kept.
    """

    back: int = 0
    back_bytes: int = 0
    removed: int = 0
    dressed: int = 0
    left: int = 0
    findings: list[Finding] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class UndoWatch:
    """`check` raises `Cancelled`, `check_write` `OutsideLimits`. `on_progress` gets how many things are done."""

    check: Callable[[], None]
    check_write: CheckWrite
    on_progress: Callable[[int], None] = lambda done: None


def undo_restore(folder: Path, watch: UndoWatch, *, dry_run: bool) -> UndoResult:
    """Take back the restore of this record; one that is taken back wholly has none any more.

    Raises `UnknownName` where nothing is kept, `OutsideLimits`, `StoreError` for the record or the target as a whole.
    """
    about = read_about(folder)
    result = UndoResult()
    if not os.path.isdir(about.target):
        # Somebody removed it all, the side folders in it too.
        if not dry_run:
            drop_record(folder)
        return result
    with closing(TreeWriter(about.target, report=result.findings.append)) as writer:
        for number in reversed(attempts_in(folder)):
            attempt = Attempt(folder, about.job, number, b"")
            _Undo(writer, attempt, watch, result, dry_run=dry_run).run()
        if dry_run:
            return result
        remove_parts(writer, Attempt(folder, about.job, 1, b""))
        writer.sync()
        if not result.left:
            _clear(writer, folder, about.job)
    if not result.left:
        _remove_empty(about.target, about.existing)
        drop_record(folder)
    return result


def forget_restore(folder: Path) -> None:
    """Drop what is kept of a restore: side folders, parts and the record. Raises `StoreError` and the like; it may be repeated."""
    about = read_about(folder)
    if os.path.isdir(about.target):
        with closing(TreeWriter(about.target)) as writer:
            remove_parts(writer, Attempt(folder, about.job, 1, b""))
            _clear(writer, folder, about.job)
    drop_record(folder)


def drop_unfinished_files(folder: Path) -> None:
    """Remove the unfinished files of a restore that does not go on; what is in place stays, and can be taken back. Raises `UnknownName`
    where nothing is kept of it."""
    about = read_about(folder)
    if os.path.isdir(about.target):
        with closing(TreeWriter(about.target)) as writer:
            remove_parts(writer, Attempt(folder, about.job, 1, b""))


class _Undo:
    """One attempt."""

    def __init__(self, writer: TreeWriter, attempt: Attempt, watch: UndoWatch, result: UndoResult, *, dry_run: bool) -> None:
        self._writer = writer
        self._attempt = attempt
        self._watch = watch
        self._result = result
        self._dry_run = dry_run
        self._holders = noted(attempt.folder / "sides")
        self._done = 0

    def run(self) -> None:
        folders: list[Step] = []
        for step in read_steps(self._attempt.steps):
            if step.do in _FOLDERS:
                folders.append(step)
            else:
                self._one(step, self._undress if step.do == "dress" else self._take_back)
        for step in reversed(folders):
            self._one(step, self._take_back_folder)

    def _one(self, step: Step, do: Callable[[Step], None]) -> None:
        self._watch.check()
        try:
            # Of a folder it was asked whether it itself may be written: the highest of them lies in one that need not be.
            place = step.at if step.do in _FOLDERS else step.at.rpartition(b"/")[0]
            self._watch.check_write(os.path.join(self._writer.root, place))
            do(step)
        except OutsideLimits as error:
            if step.do not in _PASSED:
                self._leave(step, error)
        except (Conflict, StoreError) as error:
            self._leave(step, error)
        self._done += 1
        self._watch.on_progress(self._done)

    # Files and the like

    def _take_back(self, step: Step) -> None:
        found, aside = self._writer.stat(step.at), self._aside_of(step)
        if aside is None:
            # What was to be replaced and is not aside was never come to, or is back already.
            if found is not None and not step.replaces:
                self._remove(step, found)
            return
        place, kept = aside
        if found is not None and os.path.samestat(found, kept):
            if not self._dry_run:
                self._writer.remove(place)
            return
        if found is not None and (step.do == "remove" or not is_as_written(self._writer, step.at, step.entry, found)):
            self._changed(step)
            return
        self._bring_back(step, place, kept)

    def _remove(self, step: Step, found: os.stat_result) -> None:
        if not is_as_written(self._writer, step.at, step.entry, found):
            self._changed(step)
            return
        self._result.removed += 1
        if not self._dry_run:
            self._writer.remove(step.at)

    def _bring_back(self, step: Step, place: bytes, kept: os.stat_result) -> None:
        if not self._dry_run:
            self._writer.move(place, step.at)
        self._result.back += 1
        self._result.back_bytes += kept.st_size if stat.S_ISREG(kept.st_mode) else 0

    def _undress(self, step: Step) -> None:
        """Its content was equal and stayed; it got other metadata."""
        found = self._writer.stat(step.at)
        if found is None or step.was is None or not stat.S_ISREG(found.st_mode):
            return
        if found.st_mtime_ns != step.entry.mtime_ns or found.st_size != step.entry.size_bytes:
            self._changed(step)
            return
        self._result.dressed += 1
        if not self._dry_run:
            self._writer.set_attributes(step.at, step.was)

    # Folders, the deepest first

    def _take_back_folder(self, step: Step) -> None:
        found = self._writer.stat(step.at)
        is_folder = found is not None and stat.S_ISDIR(found.st_mode)
        if step.do in ("folder", "way"):
            self._unmake(step, is_folder)
        elif is_folder and step.was is not None and not self._dry_run:
            if step.do == "merge":
                self._writer.set_attributes(step.at, step.was)
            else:
                self._set_times(step.at, step.was.atime_ns, step.was.mtime_ns)

    def _unmake(self, step: Step, is_folder: bool) -> None:
        aside = self._aside_of(step)
        if step.replaces and aside is None:
            return
        if is_folder and not self._dry_run and not self._writer.remove_folder(step.at):
            if aside is not None:
                self._changed(step)
            return
        if is_folder:
            self._result.removed += step.do == "folder"
        if aside is not None:
            self._bring_back(step, *aside)

    def _set_times(self, at: bytes, atime_ns: int, mtime_ns: int) -> None:
        fd = self._writer.open_file(at)
        try:
            os.utime(fd, ns=(atime_ns, mtime_ns))
        finally:
            os.close(fd)

    # Where

    def _aside_of(self, step: Step) -> tuple[bytes, os.stat_result] | None:
        """Where what the step replaced is kept, and what it is."""
        if not step.replaces:
            return None
        parent = step.at.rpartition(b"/")[0]
        for holder in self._holders:
            if not holder or parent == holder or parent.startswith(holder + b"/"):
                place = below(holder, self._attempt.side + b"/" + step.at)
                if (found := self._writer.stat(place)) is not None:
                    return place, found
        return None

    def _changed(self, step: Step) -> None:
        self._leave(step, Conflict("changed since the restore: it stays as it is", hint="what was there before is kept until it expires"))

    def _leave(self, step: Step, error: HoldfastError) -> None:
        self._result.left += 1
        code = "changed-since" if isinstance(error, Conflict) else error.code
        self._result.findings.append(
            Finding(code=code, severity=Severity.WARNING, message=error.message, path=display_path(b"/" + step.at), hint=error.hint)
        )


def _clear(writer: TreeWriter, folder: Path, job: str) -> None:
    """The side folders go, with all that is in them."""
    for holder in dict.fromkeys(noted(folder / "sides")):
        above = writer.stat(holder)
        if above is not None:
            writer.remove(below(holder, side_of(job)))
            set_times(writer, holder, above)


def _remove_empty(target: bytes, existing: bytes) -> None:
    """The target's own folders that the restore made, if nothing is in them."""
    for place in _up_to(target, existing):
        try:
            os.rmdir(place)
        except OSError:
            return


def _up_to(target: bytes, existing: bytes) -> Iterator[bytes]:
    while target != existing and target.startswith(existing):
        yield target
        target = os.path.dirname(target)
