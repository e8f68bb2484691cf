"""Filling segments: for each dataset its own, numbered; all are handed on together, so that what waits in memory is one segment's worth."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from holdfast.capture.chunks import Chunk, SegmentChunks
from holdfast.core.ids import DatasetId
from holdfast.model.change import Change, Part, Put, Remove, RemoveReason, Segment
from holdfast.model.entry import ChunkRef, Entry
from holdfast.model.stream import Before, Outgoing

MAX_BYTES = 4 * 1024 * 1024
MAX_CHANGES = 2_000
# A message holds at least 9 MiB; chunk lists and extended attributes can be long.
MAX_RECORD_BYTES = 4 * 1024 * 1024


@dataclass
class _Open:
    """The segment of one dataset that is being filled."""

    number: int = 0
    parts: list[Part] = field(default_factory=list)
    part_runs: list[int] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    change_runs: list[int] = field(default_factory=list)
    offered: dict[bytes, ChunkRef] = field(default_factory=dict)


class Segments:
    """`bases`: by dataset bit, its id and the lowest seq some receiver stands at (None = a receiver needs all)."""

    def __init__(self, bases: Mapping[int, tuple[DatasetId, int | None]]) -> None:
        self._bases = bases
        self._based = sum(bit for bit, (_, base) in bases.items() if base is not None)
        self._open = {bit: _Open() for bit in bases}
        self._chunks: dict[bytes, Chunk] = {}
        self._bytes = 0
        self._record_bytes = 0
        self._most_changes = 0
        self._wanted: dict[int, int] = {}
        self._before: Before | None = None
        self.offered_bytes = 0

    def wanting(self, run: int) -> int:
        """The datasets of which some receiver lacks a row of `run`, be it a put or a remove. A full commit gets the removes too, where
        they are nothing, because other receivers of the same walk may need them.
        """
        known = self._wanted.get(run)
        if known is None:
            known = self._wanted[run] = sum(bit for bit, (_, base) in self._bases.items() if base is None or run > base)
        return known

    def behind(self, run: int) -> int:
        """The datasets whose receivers all have some earlier run, and of which one lacks a row of `run`. Of one that needs all it is not
        known what it has."""
        return self.wanting(run) & self._based

    def has_room(self, chunk_bytes: int, record_bytes: int) -> bool:
        """Whether a change with so many chunk bytes may join what is open. What is empty has room for anything."""
        if self._bytes == 0 and self._record_bytes == 0:
            return True
        return (
            (self._bytes + chunk_bytes <= MAX_BYTES or chunk_bytes == 0)
            and self._record_bytes + record_bytes <= MAX_RECORD_BYTES
            and self._most_changes < MAX_CHANGES
        )

    def put(self, entry: Entry, run: int, bits: int, chunks: Sequence[Chunk], record_bytes: int) -> None:
        """`chunks`, those of the entry, are offered with it; none if parts carried them ahead."""
        change = Put(entry)
        self._hold(chunks)
        offered = entry.chunks if chunks else ()
        # Never fewer than the longest has; exact enough to keep every segment short.
        self._most_changes += 1
        self._record_bytes += record_bytes
        for bit, filling in self._open.items():
            if bits & bit:
                filling.changes.append(change)
                filling.change_runs.append(run)
                for ref in offered:
                    filling.offered.setdefault(ref.id, ref)

    def remove(self, path: bytes, run: int, bits: int, strayed: int, *, archived: bool = False) -> None:
        self._record_bytes += len(path) + 32
        self._most_changes += 1
        removed = RemoveReason.ARCHIVED if archived else RemoveReason.REMOVED
        for bit, filling in self._open.items():
            if bits & bit:
                filling.changes.append(Remove(path, RemoveReason.LEFT if strayed & bit else removed))
                filling.change_runs.append(run)

    def build_on(self, path: bytes, chunks: tuple[ChunkRef, ...]) -> None:
        """Parts of this file come next; before, it consisted of these chunks."""
        self._before = Before(path, chunks) if chunks else None

    def part(self, path: bytes, offset: int, run: int, bits: int, chunks: Sequence[Chunk]) -> None:
        self._hold(chunks)
        offered = tuple([ChunkRef(chunk.id, chunk.size_bytes) for chunk in chunks])
        part = Part(path, offset, offered)
        self._record_bytes += len(path) + 48 * len(offered)
        for bit, filling in self._open.items():
            if bits & bit:
                filling.parts.append(part)
                filling.part_runs.append(run)
                for ref in offered:
                    filling.offered.setdefault(ref.id, ref)

    def take(self) -> dict[DatasetId, Outgoing]:
        """Close what is open; datasets without anything are left out."""
        source = SegmentChunks(self._chunks)
        taken: dict[DatasetId, Outgoing] = {}
        for bit, filling in self._open.items():
            if not filling.parts and not filling.changes:
                continue
            offered = tuple(filling.offered.values())
            segment = Segment(number=filling.number, parts=tuple(filling.parts), changes=tuple(filling.changes), offered=offered)
            taken[self._bases[bit][0]] = Outgoing(segment, tuple(filling.change_runs), tuple(filling.part_runs), source, self._before)
            self._open[bit] = _Open(number=filling.number + 1)
        self._chunks = {}
        self._bytes = self._record_bytes = self._most_changes = 0
        return taken

    def _hold(self, chunks: Iterable[Chunk]) -> None:
        for chunk in chunks:
            held = self._chunks.get(chunk.id)
            if held is not None:
                held.join(chunk)
            else:
                self._chunks[chunk.id] = chunk
                self._bytes += chunk.size_bytes
                self.offered_bytes += chunk.size_bytes
