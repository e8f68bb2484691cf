"""The content of many files, in their order: asked for in runs that go over the ends of files, some runs ahead, verified piece by piece."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from holdfast.core.errors import ProtocolError, RepositoryDamaged
from holdfast.delivery.unpack import content_of
from holdfast.model.entry import ChunkRef, Entry, display_path
from holdfast.model.reading import PointReader
from holdfast.operations.download.members import Member

_RUN_BYTES = 2 << 20
_RUN_IDS = 1_000
_RUN_MEMBERS = 1_000
# What the store made smaller by less than this is not worth compressing once more.
_SHRINKS = 0.9


@dataclass(frozen=True, slots=True)
class Piece:
    """Some content of a member. `first` and `last`: where it begins and ends, both of one that has none.

    `shrinks`, of the first: whether compressing is worth it, as the store found.
    """

    member: Member
    data: Sequence[bytes] = ()
    first: bool = True
    last: bool = True
    shrinks: bool = False


@dataclass(slots=True)
class _Part:
    member: Member
    refs: Sequence[ChunkRef]
    first: bool
    last: bool


@dataclass(slots=True)
class _Run:
    parts: list[_Part] = field(default_factory=list)
    ids: dict[bytes, None] = field(default_factory=dict)


def pieces_of(reader: PointReader, members: Iterable[Member]) -> Iterator[Piece]:
    """Every member at least once. Raises `RepositoryDamaged` naming the file of which something cannot be had, and what the reader
    raises."""
    ahead: deque[_Run] = deque()

    def questions() -> Iterator[list[bytes]]:
        for run in _runs(members):
            ahead.append(run)
            if run.ids:
                yield list(run.ids)

    plain: dict[bytes, tuple[bytes, int]] = {}
    for answer in reader.answers(questions()):
        if answer.lost:
            raise _lost(ahead, answer.lost[0].id, answer.lost[0].reason)
        for payload in answer.payloads:
            try:
                plain[payload.id] = content_of(payload), len(payload.data)
            except ProtocolError as error:
                raise _lost(ahead, payload.id, error.message) from error
        if answer.last:
            while ahead:
                run = ahead.popleft()
                yield from _given(run, plain)
                if run.ids:
                    break
            plain = {}
    while ahead:
        yield from _given(ahead.popleft(), plain)


def range_of(reader: PointReader, entry: Entry, start: int, end: int) -> Iterator[bytes]:
    """The bytes of a file from `start` to before `end`. Raises as `pieces_of`."""
    check_whole(entry)
    refs: list[ChunkRef] = []
    at = skip = 0
    for ref in entry.chunks:
        if at < end and at + ref.size_bytes > start:
            skip = skip if refs else start - at
            refs.append(ref)
        at += ref.size_bytes
    left = end - start
    cut = Entry(path=entry.path, kind=entry.kind, mode=entry.mode, size_bytes=sum(ref.size_bytes for ref in refs), chunks=tuple(refs))
    for piece in pieces_of(reader, [Member(cut, entry.path)]):
        for data in piece.data:
            block = data[skip : skip + left] if skip or len(data) > left else data
            skip = 0
            left -= len(block)
            if block:
                yield block


def check_whole(entry: Entry) -> None:
    """Raises `RepositoryDamaged` when the chunks do not make up the file: one of them is in no index, or the tree is wrong."""
    total = sum(ref.size_bytes for ref in entry.chunks)
    if total != entry.size_bytes or not all(ref.size_bytes for ref in entry.chunks):
        raise RepositoryDamaged(f"{display_path(entry.path)} is damaged: its chunks hold {total} of {entry.size_bytes} bytes")


def _runs(members: Iterable[Member]) -> Iterator[_Run]:
    run, size = _Run(), 0
    for member in members:
        refs: Sequence[ChunkRef] = ()
        if member.content_bytes:
            check_whole(member.entry)
            refs = member.entry.chunks
        begin = 0
        for number, ref in enumerate(refs):
            run.ids[ref.id] = None
            size += ref.size_bytes
            if size >= _RUN_BYTES or len(run.ids) >= _RUN_IDS:
                run.parts.append(_Part(member, refs[begin : number + 1], begin == 0, number + 1 == len(refs)))
                begin = number + 1
                yield run
                run, size = _Run(), 0
        if begin < len(refs) or not refs:
            run.parts.append(_Part(member, refs[begin:], begin == 0, last=True))
        if len(run.parts) >= _RUN_MEMBERS:
            yield run
            run, size = _Run(), 0
    if run.parts:
        yield run


def _given(run: _Run, plain: dict[bytes, tuple[bytes, int]]) -> Iterator[Piece]:
    for part in run.parts:
        found = [plain[ref.id] for ref in part.refs]
        stored, size = sum(length for _, length in found), sum(ref.size_bytes for ref in part.refs)
        yield Piece(part.member, [data for data, _ in found], part.first, part.last, shrinks=stored < size * _SHRINKS)


def _lost(ahead: Iterable[_Run], chunk: bytes, reason: str) -> RepositoryDamaged:
    found = (part.member.entry.path for run in ahead for part in run.parts if any(ref.id == chunk for ref in part.refs))
    path = next(found, b"/")
    return RepositoryDamaged(f"{display_path(path)} is damaged: {reason}", hint="a restore goes on without what is damaged")
