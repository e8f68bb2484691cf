"""The sending side of the stream: segments on their way out, with the source of their chunks.

Capture and repositories produce `Outgoing`s; delivery sends them. A row's *run* is the local number of the capture run that last
changed it; a receiver whose cursor stands at seq n needs exactly the rows with run > n. So one walk serves receivers that are
up to date and receivers that are behind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar, runtime_checkable

from holdfast.model.change import Payload, Put, Segment
from holdfast.model.entry import ChunkRef

Compression = Literal["auto", "off", "max"]


class Sized(Protocol):
    @property
    def size_bytes(self) -> int: ...


S = TypeVar("S", bound=Sized)


def grouped(items: Iterable[S], most_bytes: int) -> Iterator[list[S]]:
    """Runs of neighbours, each of so many bytes at most or of one item."""
    group: list[S] = []
    size = 0
    for item in items:
        if group and size + item.size_bytes > most_bytes:
            yield group
            group, size = [], 0
        group.append(item)
        size += item.size_bytes
    if group:
        yield group


@dataclass(frozen=True)
class Withdrawn:
    """The source can no longer give this chunk: the file changed after it was offered. It is captured again in the next run."""

    id: bytes


class ChunkSource(Protocol):
    """Gives the chunks of one outgoing segment. Called by several session threads at once, each id possibly more than once.

    Yields exactly one item for each id, in any order. `auto` compresses what gets smaller, at most once per chunk however many ask;
    what was stored compressed already is given as it is.
    """

    def payloads(self, ids: Sequence[bytes], compression: Compression) -> Iterator[Payload | Withdrawn]: ...


@dataclass(frozen=True)
class Packed:
    """Where all chunks of a source are read again, as bytes; `unpack` makes a source of those."""

    data: bytes
    unpack: Callable[[bytes], ChunkSource]


@runtime_checkable
class Repeatable(Protocol):
    """A `ChunkSource` that may be put away for later without its content."""

    def packed(self) -> Packed | None:
        """None = some of it is in memory alone."""
        ...


@dataclass(frozen=True)
class Before:
    """What a file consisted of in the version before this one, as far as the source knows."""

    path: bytes
    chunks: tuple[ChunkRef, ...]


@dataclass(frozen=True)
class Outgoing:
    """A segment on its way out, holding at most about 8 MiB of chunk data. `change_runs` and `part_runs` run parallel to the
    segment's changes and parts. `before`: of a large file of which it may have parts; a receiver that has that version need not be told
    what is the same."""

    segment: Segment
    change_runs: tuple[int, ...]
    part_runs: tuple[int, ...]
    chunks: ChunkSource
    before: Before | None = None


def offered_by(segment: Segment, carried_ahead: Set[bytes], given: Set[bytes] = frozenset()) -> tuple[ChunkRef, ...]:
    """The chunk refs a segment must offer: of its parts, of puts whose path no part carried ahead, and of other puts those in `given` (the
    parts were void: the file could not be read to its end, and what is put is an earlier version); each id once, in order."""
    refs: dict[bytes, ChunkRef] = {}
    for part in segment.parts:
        for ref in part.chunks:
            refs.setdefault(ref.id, ref)
    for change in segment.changes:
        if isinstance(change, Put):
            ahead = change.entry.path in carried_ahead
            for ref in change.entry.chunks:
                if not ahead or ref.id in given:
                    refs.setdefault(ref.id, ref)
    return tuple(refs.values())


def narrow(outgoing: Outgoing, base_seq: int | None, carried_ahead: set[bytes]) -> Segment:
    """The segment a receiver at `base_seq` must get (None = everything). It may be empty; it keeps its number.

    `carried_ahead` is the session's own memory of paths whose parts went ahead: parts add to it, their put takes away.
    """
    segment = outgoing.segment
    if not segment.parts and not carried_ahead and (base_seq is None or base_seq < min(outgoing.change_runs, default=0)):
        # A receiver that lacks all of it: a first backup.
        return segment
    keep = [base_seq is None or run > base_seq for run in outgoing.change_runs]
    keep_parts = [base_seq is None or run > base_seq for run in outgoing.part_runs]
    narrowed = Segment(
        number=segment.number,
        parts=tuple(p for p, k in zip(segment.parts, keep_parts, strict=True) if k),
        changes=tuple(c for c, k in zip(segment.changes, keep, strict=True) if k),
    )
    carried_ahead.update(part.path for part in narrowed.parts)
    offered = offered_by(narrowed, carried_ahead, {ref.id for ref in segment.offered})
    carried_ahead.difference_update(c.entry.path for c in narrowed.changes if isinstance(c, Put))
    return Segment(number=narrowed.number, parts=narrowed.parts, changes=narrowed.changes, offered=offered)
