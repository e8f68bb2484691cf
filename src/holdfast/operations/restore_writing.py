"""Carrying out the steps of a restore: folders first, then files in the order in which the store is read, then all else. Where the plan is
still being made, window by window: while one is written, the next is decided on.

This thread asks for content and hands it, compressed as it came, to the writers (`restore_crew`), which verify and write.
"""

from __future__ import annotations

import itertools
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from holdfast.core.errors import Conflict, ErrorFacts, NoSpace, StoreError, error_from
from holdfast.delivery.limit import Limit
from holdfast.host.tree_writer import Draft, TreeWriter
from holdfast.model.change import Payload
from holdfast.model.entry import Entry, display_path
from holdfast.model.jobs import Finding, Severity
from holdfast.model.reading import Lost, PointReader
from holdfast.operations.restore_aside import Aside
from holdfast.operations.restore_attempt import Attempt
from holdfast.operations.restore_batches import Batch, Piece, batches
from holdfast.operations.restore_crew import Crew, HereCrew, ProcessCrew
from holdfast.operations.restore_parts import Parts, remove_parts
from holdfast.operations.restore_planning import Planning
from holdfast.operations.restore_steps import Step, StepBook
from holdfast.operations.restore_work import Done, Part, Work, make_way

# Where writer processes pay: each takes about 0.2 s of CPU to come up.
_MANY_FILES = 5_000
_MANY_BYTES = 256 << 20
_MOST_WRITERS = 4


@dataclass(frozen=True)
class Watch:
    """`check` raises `Cancelled`, `check_write` what it does for a path that may not be written. `on_progress` gets done files, done
    bytes, total bytes. `may_go_on`: asked when it was broken off, whether another attempt may follow."""

    check: Callable[[], None]
    check_write: Callable[[bytes], None]
    limit: Limit | None
    on_progress: Callable[[int, int, int], None] | None
    report: Callable[[Finding], None]
    may_go_on: Callable[[], bool] = lambda: False


@dataclass
class Tally:
    files: int = 0
    bytes: int = 0
    failed: int = 0


@dataclass
class _Large:
    """A file that several works write together. `left`: pieces not yet written."""

    step: Step
    draft: Draft | None
    identity: tuple[int, int]
    left: int


class _Questions(Iterator[Sequence[bytes]]):
    """The chunks of each batch, which is noted as asked for. What fails in making one is told by `check` and not through the reader, which
    would take it for a failure of its own, and go on from another copy."""

    def __init__(self, made: Iterator[Batch], asked: deque[Batch]) -> None:
        self._made = made
        self._asked = asked
        self._first = next(made, None)
        self._failure: Exception | None = None
        self.has_any = self._first is not None

    def __next__(self) -> list[bytes]:
        try:
            batch = self._first if self._first is not None else next(self._made)
        except StopIteration:
            raise
        except Exception as error:  # noqa: BLE001 - it is raised by `check`
            self._failure = error
            raise StopIteration from None
        self._first = None
        self._asked.append(batch)
        return list(batch.ids)

    def check(self) -> None:
        """Raises what failed."""
        if self._failure is not None:
            raise self._failure


def writers_for(book: StepBook) -> int:
    """How many writer processes a restore is worth; 0 = it is written by the process that runs it."""
    cores = len(os.sched_getaffinity(0))
    is_large = book.files_count >= _MANY_FILES or book.bytes >= _MANY_BYTES
    return min(cores, _MOST_WRITERS) if is_large and cores > 1 else 0


class Execution:
    """One restore being written. `writers`: processes beside this one, 0 = none. With an `attempt` what is replaced is kept, and large
    files go on where an earlier one was broken off."""

    def __init__(self, reader: PointReader, target: bytes, watch: Watch, *, writers: int, attempt: Attempt | None = None) -> None:
        self._reader = reader
        self._target = target
        self._watch = watch
        self._writers = writers
        self._writer = TreeWriter(target, report=watch.report)
        self._attempt = attempt
        self._aside = None if attempt is None else Aside(self._writer, attempt, watch.check_write)
        self._parts = None if attempt is None else Parts(self._writer, attempt)
        self._tally = Tally()
        self._written_bytes = 0
        self._numbers = itertools.count()
        self._given: dict[int, Batch] = {}
        self._large: dict[bytes, _Large] = {}
        self._not_written: set[bytes] = set()
        self._way = b""

    def run(self, book: StepBook, planning: Planning) -> Tally:
        """Raises `NoSpace`, `Cancelled`, `NotReachable` and, where not all is planned, as `planning.more`; anything that concerns one path
        only is a finding."""
        try:
            self._write_windows(book, planning)
            for step in book.others():
                self._one_by_one(step, self._write_other)
            self._remove_all(book, planning)
            for step in book.folders_to_dress():
                if step.at not in self._not_written:
                    self._one_by_one(step, self._dress)
            # What is told as restored is on disk, not on its way there.
            self._writer.sync()
            self._tell(planning.total_bytes)
            return self._tally
        finally:
            keeps_parts = self._parts is not None and self._watch.may_go_on()
            for large in self._large.values():
                if large.draft is not None and keeps_parts:
                    large.draft.close()
                elif large.draft is not None:
                    self._writer.discard(large.draft)
            if self._attempt is not None and not keeps_parts:
                remove_parts(self._writer, self._attempt)
            self._writer.close()

    def _one_by_one(self, step: Step, do: Callable[[Step], None]) -> None:
        self._watch.check()
        try:
            do(step)
        except NoSpace:
            raise
        except (Conflict, StoreError) as error:
            self._not_written.add(step.at)
            self._fail(step.entry, error.facts())

    def _remove_all(self, book: StepBook, planning: Planning) -> None:
        """What the point does not have. Where a folder of it could not be listed nobody knows what that is, so all of it stays."""
        steps = book.removals()
        if not planning.lost:
            for step in steps:
                self._one_by_one(step, self._remove)
        elif next(steps, None) is not None:
            text = "what the point does not have stays: a folder of it could not be listed"
            self._watch.report(Finding(code="surplus-stays", severity=Severity.WARNING, message=text, hint="restore it from another copy"))

    def _remove(self, step: Step) -> None:
        if self._aside is not None:
            self._aside.keep(step.at)
        self._writer.remove(step.at)

    # Files

    def _write_windows(self, book: StepBook, planning: Planning) -> None:
        asked: deque[Batch] = deque()
        payloads: list[Payload] = []
        lost: list[Lost] = []
        questions = _Questions(self._batches(book, planning), asked)
        if not questions.has_any:
            return
        crew: Crew = ProcessCrew(self._target, self._writers) if self._writers else HereCrew(self._target)
        try:
            for answer in self._reader.answers(questions):
                self._watch.check()
                self._pay(answer.payloads)
                payloads += answer.payloads
                lost += answer.lost
                if answer.last:
                    self._give(crew, asked.popleft(), payloads, lost)
                    payloads, lost = [], []
                    self._take(crew.done(), planning)
            questions.check()
            while self._given:
                self._watch.check()
                self._take(crew.done(wait=True), planning)
        finally:
            crew.close()

    def _batches(self, book: StepBook, planning: Planning) -> Iterator[Batch]:
        """The files of all windows, each after the folders of its window are there. For each batch something more is planned."""
        held = self._parts.held if self._parts is not None else lambda step: 0
        while True:
            window = book.take()
            for step in window.folders:
                self._one_by_one(step, self._enter)
            for batch in batches(window.files, held=held):
                yield batch
                if not planning.is_over:
                    planning.more()
            if planning.is_over and not book.has_more:
                return
            while not planning.is_over and not book.waiting:
                planning.more()

    def _pay(self, payloads: Sequence[Payload]) -> None:
        if self._watch.limit is not None:
            for payload in payloads:
                self._watch.check()
                self._watch.limit.take(len(payload.data))

    def _give(self, crew: Crew, batch: Batch, payloads: list[Payload], lost: list[Lost]) -> None:
        part: Part | None = None
        if self._aside is not None and batch.steps:
            batch.steps = [step for step in batch.steps if not step.replaces or self._is_kept(self._aside, step)]
        if batch.piece is not None:
            part = self._part_of(batch.piece)
            if part is None:
                return
        number = next(self._numbers)
        self._given[number] = batch
        crew.submit(Work(number, tuple(batch.steps), part, tuple(payloads), tuple(lost)))

    def _is_kept(self, aside: Aside, step: Step) -> bool:
        """Whether what the file replaces can be had back; else it must not be replaced, which is a finding."""
        try:
            aside.keep(step.at)
        except NoSpace:
            raise
        except (Conflict, StoreError) as error:
            self._not_written.add(step.at)
            self._fail(step.entry, error.facts())
            return False
        return True

    def _take(self, finished: Iterator[Done], planning: Planning) -> None:
        for done in finished:
            batch = self._given.pop(done.number)
            for finding in done.findings:
                self._watch.report(finding)
            if done.ended is not None:
                raise error_from(done.ended)
            self._written_bytes += done.bytes
            if batch.piece is not None:
                self._piece_written(batch.piece, done)
            else:
                self._tally.files += done.files
                self._tally.bytes += done.bytes
                failed = {failure.at: failure.error for failure in done.failures}
                for step in batch.steps if failed else ():
                    if step.at in failed:
                        self._not_written.add(step.at)
                        self._fail(step.entry, failed[step.at])
            self._tell(planning.total_bytes)

    def _tell(self, total_bytes: int) -> None:
        if self._watch.on_progress is not None:
            self._watch.on_progress(self._tally.files, self._written_bytes, total_bytes)

    # Large files

    def _part_of(self, piece: Piece) -> Part | None:
        """What a writer is told of it; None when the file has failed already."""
        step = piece.step
        large = self._large.get(step.at)
        if large is None:
            large = self._large[step.at] = self._begin(piece)
        if large.draft is None:
            self._piece_over(large)
            return None
        return Part(step.at, large.draft.name, large.identity, piece.offset, tuple(piece.refs), step.entry.holes)

    def _begin(self, piece: Piece) -> _Large:
        step = piece.step
        large = _Large(step, None, (0, 0), piece.count)
        held = sum(ref.size_bytes for ref in step.entry.chunks)
        try:
            if held != step.entry.size_bytes:
                raise StoreError(
                    f"{display_path(step.entry.path)} is damaged: its chunks hold {held} of {step.entry.size_bytes} bytes",
                    hint="check the repository; another copy of this point may be whole",
                )
            self._make_way(step)
            large.draft = self._writer.begin_file(step.at) if self._parts is None else self._parts.begin(step.at)
            found = os.fstat(large.draft.fd)
            large.identity = (found.st_dev, found.st_ino)
        except NoSpace:
            raise
        except (Conflict, StoreError) as error:
            self._give_up(large, error.facts())
        return large

    def _piece_written(self, piece: Piece, done: Done) -> None:
        large = self._large[piece.step.at]
        for failure in done.failures[:1]:
            if large.draft is not None:
                self._writer.discard(large.draft)
                large.draft = None
                self._give_up(large, failure.error)
        self._piece_over(large)

    def _piece_over(self, large: _Large) -> None:
        large.left -= 1
        if large.left:
            return
        del self._large[large.step.at]
        if large.draft is None:
            return
        try:
            if self._aside is not None and large.step.replaces:
                self._aside.keep(large.step.at)
            self._writer.finish(large.draft, large.step.entry)
        except NoSpace:
            raise
        except (Conflict, StoreError) as error:
            self._give_up(large, error.facts())
            return
        self._tally.files += 1
        self._tally.bytes += large.step.entry.size_bytes

    def _give_up(self, large: _Large, error: ErrorFacts) -> None:
        """Further names of it must not get what stands there."""
        self._not_written.add(large.step.at)
        self._fail(large.step.entry, error)

    # All else

    def _enter(self, step: Step) -> None:
        """Make a folder, or clear away what an earlier restore that was killed left in it."""
        if step.do == "folder":
            self._make_way(step)
        if self._aside is not None and step.replaces:
            self._aside.keep(step.at)
        if not self._writer.ensure_folder(
            step.at, replace=step.do == "folder" and step.replaces, mode=0o755 if step.do == "way" else 0o700
        ):
            self._writer.sweep(step.at)

    def _write_other(self, step: Step) -> None:
        self._make_way(step)
        if step.do == "dress":
            self._dress(step)
            return
        if self._aside is not None and step.replaces and not (step.do == "link" and step.link_to in self._not_written):
            self._aside.keep(step.at)
        if step.do == "link":
            if step.link_to in self._not_written:
                raise StoreError(
                    f"{display_path(step.entry.path)}: the file it is a further name of could not be restored",
                    hint="mend what the other finding says, then restore it again",
                )
            self._writer.link(step.link_to, step.at)
        elif not self._writer.put_special(step.at, step.entry):
            self._tally.failed += 1
            return
        self._tally.files += 1

    def _dress(self, step: Step) -> None:
        """Folders deepest first, because what is written below one changes its times."""
        self._writer.set_attributes(step.at, step.entry)

    def _make_way(self, step: Step) -> None:
        parent = step.at.rpartition(b"/")[0]
        if parent != self._way:
            make_way(self._writer, parent)
            self._way = parent

    def _fail(self, entry: Entry, error: ErrorFacts) -> None:
        self._tally.failed += 1
        self._watch.report(
            Finding(code=error.code, severity=Severity.ERROR, message=error.message, path=display_path(entry.path), hint=error.hint)
        )
