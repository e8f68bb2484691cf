"""Reading one point from several copies: from the best one, from the next when that is gone, and what is damaged in one from another."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from holdfast.core.errors import HoldfastError, NotReachable, ProtocolError, StoreError
from holdfast.model.change import Payload
from holdfast.model.entry import Entry, walk_key
from holdfast.model.jobs import Finding, Severity
from holdfast.model.reading import Answer, Listed, Lost, PointReader

GONE = (NotReachable, StoreError, ProtocolError)
"""What a copy raises that cannot be read any further."""


@dataclass(frozen=True)
class Copy:
    """`label` says for people which copy it is. `open` begins to read it, once; raises what its owner answers. `note`: what people should
    know as soon as it is read."""

    label: str
    open: Callable[[], PointReader]
    note: Finding | None = None


def by_own_records(mirror: str) -> Finding:
    """Of a restore that has nothing but a mirror to hold the mirror against."""
    text = f"what is read from {mirror} is verified by the mirror's own records: no repository answered that has the same state"
    return Finding(code="mirror-alone", severity=Severity.INFO, message=text)


class CopiesReader(PointReader):
    """A `PointReader` over copies of one point, the best first. `check` raises `Cancelled`; `tell` gets what people should know.

    Raises, as the first copy would, when none can be opened.
    """

    def __init__(self, copies: Sequence[Copy], *, check: Callable[[], None], tell: Callable[[Finding], None]) -> None:
        self._left = deque(copies)
        self._check = check
        self._tell = tell
        self._open: list[tuple[Copy, PointReader]] = []
        self._paths: Sequence[bytes] = ()
        self._is_relisted = False
        self._next_copy(None)

    def entries(self, paths: Sequence[bytes] = ()) -> Iterator[Entry]:
        for listed in self.listing(paths):
            yield from listed.entries

    def listing(self, paths: Sequence[bytes] = ()) -> Iterator[Listed]:
        self._paths = paths
        last: bytes | None = None
        while True:
            reader = self._reader
            self._is_relisted = False
            try:
                for listed in reader.listing(paths):
                    fresh = listed if last is None else _after(listed, last)
                    if fresh.entries or fresh.lost:
                        yield fresh
                        last = walk_key(fresh.entries[-1].path) if fresh.entries else last
                    if self._is_relisted:
                        # An owner goes through one listing at a time, and another was asked for meanwhile.
                        break
                else:
                    return
            except GONE as error:
                self._move_on(reader, error)

    def payloads(self, ids: Sequence[bytes]) -> Iterator[Payload]:
        return self._reader.payloads(ids)

    def answers(self, questions: Iterable[Sequence[bytes]]) -> Iterator[Answer]:
        source = iter(questions)
        waiting: deque[dict[bytes, None]] = deque()
        while True:
            if waiting and not waiting[0]:
                # All of it came before the copy was gone, and only its end did not.
                waiting.popleft()
                yield Answer((), (), last=True)
                continue
            again = [list(ids) for ids in waiting]
            reader = self._reader
            try:
                for answer in reader.answers(itertools.chain(again, _noted(source, waiting))):
                    for payload in answer.payloads:
                        waiting[0].pop(payload.id, None)
                    if answer.lost:
                        answer = self._with_spares(answer)
                    if answer.last:
                        waiting.popleft()
                    yield answer
                return
            except GONE as error:
                self._move_on(reader, error)
                self._list_again(self._reader)
                self._is_relisted = True

    def close(self) -> None:
        for _, reader in self._open:
            reader.close()

    @property
    def label(self) -> str:
        """Of the copy that is read now."""
        return self._open[0][0].label

    @property
    def _reader(self) -> PointReader:
        return self._open[0][1]

    def _move_on(self, reader: PointReader, error: HoldfastError) -> None:
        """From the copy that failed to the next; where listing and content are read side by side, the other may have done so."""
        if reader is self._reader:
            self._next_copy(error)
        else:
            self._check()

    def _next_copy(self, error: HoldfastError | None) -> None:
        """Read from the next one from now on. Raises `error` when there is none, `Cancelled` where that is why the last one ended."""
        self._check()
        before = ""
        if self._open:
            copy, reader = self._open.pop(0)
            before = copy.label
            reader.close()
        while not self._open:
            try:
                self._open_one()
            except _Spent:
                raise error or NotReachable("no copy of the point can be read", hint="see that a machine that owns one is up") from None
            except HoldfastError as refused:
                self._check()
                error = error or refused
        if before or error is not None:
            why = "" if error is None else f": {error.message}"
            text = f"{before or 'the nearest copy'} could not be read{why}; it goes on from {self.label}"
            self._tell(Finding(code="copy-changed", severity=Severity.WARNING, message=text, hint="see that machine and its repository"))
        if (note := self._open[0][0].note) is not None:
            self._tell(note)

    def _open_one(self) -> None:
        if not self._left:
            raise _Spent
        copy = self._left.popleft()
        self._open.append((copy, copy.open()))

    def _with_spares(self, answer: Answer) -> Answer:
        """What is lost in this copy from the others, as far as they have it."""
        lost = {one.id: one for one in answer.lost}
        found: list[Payload] = []
        place = 1
        while lost and (reader := self._spare(place)) is not None:
            place += 1
            try:
                for given in reader.answers([list(lost)]):
                    found += given.payloads
                    for payload in given.payloads:
                        lost.pop(payload.id, None)
            except HoldfastError:
                self._check()
        if found:
            text = f"{len(found)} chunks are damaged in {self.label} and came from another copy"
            self._tell(Finding(code="copy-healed", severity=Severity.WARNING, message=text, hint="`repository check` there, then repair"))
        return Answer([*answer.payloads, *found], [Lost(one.id, one.reason) for one in lost.values()], answer.last)

    def _spare(self, place: int) -> PointReader | None:
        """An open copy beside the one that is read; None = there are no more."""
        while len(self._open) <= place:
            try:
                self._open_one()
                self._list_again(self._open[-1][1])
            except _Spent:
                return None
            except HoldfastError:
                self._check()
                continue
        return self._open[place][1]

    def _list_again(self, reader: PointReader) -> None:
        """An owner gives only chunks of what it has listed in the session."""
        for _ in reader.listing(self._paths):
            self._check()


class _Spent(Exception):
    """There are no more copies."""


def _noted(source: Iterator[Sequence[bytes]], waiting: deque[dict[bytes, None]]) -> Iterator[Sequence[bytes]]:
    for ids in source:
        waiting.append(dict.fromkeys(ids))
        yield ids


def _after(listed: Listed, last: bytes) -> Listed:
    """What comes behind this key. Where the chunks lie is left out: it was of another copy."""
    return Listed([entry for entry in listed.entries if walk_key(entry.path) > last], (), listed.lost)
