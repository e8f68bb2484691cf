"""What both sides know of a large file is not said again: the form that segments have on the wire, and back.

A file that goes ahead in parts has a long list of chunks, some 38 bytes for each. In full it would travel three times: in the parts, as
offered, in the entry; and all of it, however little of the file has changed. On the wire instead

  * chunks that parts name are not offered once more,
  * a put that is made of the parts that went ahead of it, all of them and nothing else, names no chunks,
  * a part leaves out runs of chunks that stand in the version before, once the receiver has said that it has exactly that version.

What comes out at the receiver is what the sender put in, before anything else looks at it. Pure: no I/O, one of each per session.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from holdfast.core.errors import ProtocolError
from holdfast.model.change import Change, Part, Put, Segment
from holdfast.model.entry import ChunkRef, Entry, Kind, display_path
from holdfast.wire.data_messages import KnownRun, Segmented

FEWEST_CHUNKS = 256
"""A shorter list is not worth the question."""
MOST_CHUNKS = 1_000_000
"""A longer one would take some hundred MB on both sides."""
# What a segment of ours can name at most, and then some: a message of some bytes must not become a gigabyte.
_MOST_IN_SEGMENT = 100_000
_MOST_AHEAD = 4_000_000


def digest_of(refs: Iterable[ChunkRef]) -> bytes:
    """Of a list of chunks: SHA-256 of their ids, one after the other."""
    return hashlib.sha256(b"".join([ref.id for ref in refs])).digest()


def is_worth_asking(refs: Sequence[ChunkRef]) -> bool:
    return FEWEST_CHUNKS <= len(refs) <= MOST_CHUNKS


@dataclass
class _Sent:
    """The parts of one file so far. `is_whole`: they follow each other from the file's beginning."""

    chunks: Any = field(default_factory=hashlib.sha256)
    size_bytes: int = 0
    is_whole: bool = True


class Abridger:
    """The sender's side. `know` when the receiver has said that it has a version."""

    def __init__(self) -> None:
        self._ahead: dict[bytes, _Sent] = {}
        self._known: tuple[bytes, Sequence[ChunkRef], dict[bytes, int]] | None = None

    def begin(self) -> None:
        """A commit begins."""
        self._ahead.clear()
        self._known = None

    def know(self, path: bytes, refs: Sequence[ChunkRef]) -> None:
        """Until the next one, or the next commit."""
        first: dict[bytes, int] = {}
        for place, ref in enumerate(refs):
            first.setdefault(ref.id, place)
        self._known = path, refs, first

    def abridge(self, segment: Segment) -> Segmented:
        if not segment.parts and not self._ahead:
            return Segmented(segment=segment)
        parts, known, left = [], [], _MOST_IN_SEGMENT
        for part in segment.parts:
            self._note(part)
            own, runs = self._without_known(part) if left >= len(part.chunks) else (part.chunks, ())
            left -= len(part.chunks)
            parts.append(msgspec.structs.replace(part, chunks=own) if runs else part)
            known.append(runs)
        named = {ref.id for part in segment.parts for ref in part.chunks}
        offered = tuple([ref for ref in segment.offered if ref.id not in named])
        changes = tuple([self._change(change) for change in segment.changes])
        brief = Segment(number=segment.number, parts=tuple(parts), changes=changes, offered=offered)
        return Segmented(segment=brief, known=tuple(known) if any(known) else ())

    def _note(self, part: Part) -> None:
        sent = None if part.offset == 0 else self._ahead.get(part.path)
        if sent is None:
            sent = self._ahead[part.path] = _Sent(is_whole=part.offset == 0)
        sent.is_whole &= sent.size_bytes == part.offset
        sent.chunks.update(b"".join([ref.id for ref in part.chunks]))
        sent.size_bytes += sum([ref.size_bytes for ref in part.chunks])

    def _change(self, change: Change) -> Change:
        """The put of a file that is made of what was sent ahead, without its chunks."""
        if not isinstance(change, Put) or (sent := self._ahead.pop(change.entry.path, None)) is None:
            return change
        entry = change.entry
        if not entry.chunks or not sent.is_whole or sent.size_bytes != entry.size_bytes or sent.chunks.digest() != digest_of(entry.chunks):
            return change
        return Put(msgspec.structs.replace(entry, chunks=()))

    def _without_known(self, part: Part) -> tuple[tuple[ChunkRef, ...], tuple[KnownRun, ...]]:
        if self._known is None or self._known[0] != part.path:
            return part.chunks, ()
        _, refs, first = self._known
        own: list[ChunkRef] = []
        runs: list[KnownRun] = []
        place = 0
        while place < len(part.chunks):
            start = first.get(part.chunks[place].id)
            if start is None:
                own.append(part.chunks[place])
                place += 1
                continue
            count = 0
            while place + count < len(part.chunks) and start + count < len(refs) and part.chunks[place + count] == refs[start + count]:
                count += 1
            if not count:
                # The same chunk with another size: nothing of ours, so said in full.
                return part.chunks, ()
            runs.append(KnownRun(place, start, count))
            place += count
        return tuple(own), tuple(runs)


class Restorer:
    """The receiver's side: what came, as the sender has it. Raises `ProtocolError` for what no sender of ours says."""

    def __init__(self) -> None:
        self._ahead: dict[bytes, list[ChunkRef] | None] = {}
        self._ahead_chunks = 0
        self._known: tuple[bytes, Sequence[ChunkRef]] | None = None

    def begin(self) -> None:
        """A commit begins."""
        self._ahead.clear()
        self._ahead_chunks = 0
        self._known = None

    def know(self, path: bytes, refs: Sequence[ChunkRef]) -> None:
        """The sender is told that this version is here."""
        self._known = path, refs

    def restore(self, message: Segmented) -> Segment:
        segment = message.segment
        if not segment.parts and not self._ahead and not message.known:
            return segment
        parts = self._with_known(segment.parts, message.known)
        for part in parts:
            self._note(part)
        offered = {ref.id: ref for part in parts for ref in part.chunks}
        more = [ref for ref in segment.offered if ref.id not in offered]
        changes = tuple([self._change(change) for change in segment.changes])
        return Segment(number=segment.number, parts=parts, changes=changes, offered=(*offered.values(), *more))

    def _with_known(self, parts: tuple[Part, ...], known: Sequence[Sequence[KnownRun]]) -> tuple[Part, ...]:
        if not known:
            return parts
        if len(known) != len(parts):
            raise ProtocolError(f"runs of {len(known)} parts in a segment of {len(parts)}")
        if sum(run.count for runs in known for run in runs) > _MOST_IN_SEGMENT:
            raise ProtocolError(f"more than {_MOST_IN_SEGMENT} chunks left out of one segment")
        return tuple(self._completed(part, runs) if runs else part for part, runs in zip(parts, known, strict=True))

    def _completed(self, part: Part, runs: Sequence[KnownRun]) -> Part:
        if self._known is None or self._known[0] != part.path:
            raise ProtocolError(f"{display_path(part.path)}: a part builds on a version that was not asked for")
        refs, chunks, taken = self._known[1], list[ChunkRef](), 0
        for run in runs:
            own = run.at - len(chunks)
            if own < 0 or taken + own > len(part.chunks) or run.count < 1 or run.first + run.count > len(refs):
                raise ProtocolError(f"{display_path(part.path)}: a part names chunks that the version before does not have")
            chunks += part.chunks[taken : taken + own]
            taken += own
            chunks += refs[run.first : run.first + run.count]
        return Part(part.path, part.offset, (*chunks, *part.chunks[taken:]))

    def _note(self, part: Part) -> None:
        if part.offset == 0:
            self._ahead_chunks -= len(self._ahead.get(part.path) or ())
            self._ahead[part.path] = []
        ahead = self._ahead.setdefault(part.path, None)
        if ahead is None:
            return
        ahead += part.chunks
        self._ahead_chunks += len(part.chunks)
        if self._ahead_chunks > _MOST_AHEAD:
            raise ProtocolError("more parts ahead of their files than any file has")

    def _change(self, change: Change) -> Change:
        if not isinstance(change, Put):
            return change
        ahead = self._ahead.pop(change.entry.path, None)
        self._ahead_chunks -= len(ahead or ())
        return Put(msgspec.structs.replace(change.entry, chunks=tuple(ahead))) if ahead and _is_bare(change.entry) else change


def _is_bare(entry: Entry) -> bool:
    return entry.kind is Kind.FILE and bool(entry.size_bytes) and not entry.chunks
