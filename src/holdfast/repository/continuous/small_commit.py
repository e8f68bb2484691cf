"""A commit that may come to be held: gathered in memory until its end says what it is, or until it is too large for that."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping
from typing import NamedTuple

from holdfast.delivery.ports import VerifiedChunk
from holdfast.model.change import Begin, Segment
from holdfast.model.entry import ChunkRef
from holdfast.repository.catalog.commit_table import CommitRow
from holdfast.repository.continuous.held import Held
from holdfast.repository.continuous.journal import ChunkFrame
from holdfast.repository.interior import Interior
from holdfast.repository.moment_record import Op, ops_of
from holdfast.repository.packs.damage_watch import DamageWatch
from holdfast.repository.packs.trees import Trees
from holdfast.repository.points.receiving import Receiving
from holdfast.repository.tree_builder import TreeBuilder

LARGEST_BYTES = 16 << 20
MOST_CHANGES = 5_000
# A segment that brings nothing is remembered, too.
_MOST_SEGMENTS = 1_000


class Applied(NamedTuple):
    segment: Segment
    chunks: Mapping[bytes, VerifiedChunk]
    withdrawn: frozenset[bytes]


class _NothingBorrowed:
    """What other commits store is no concern of one that is held: its chunks lie in a journal of its own until it is sealed."""

    additions = 0
    sizes: Mapping[bytes, int] = {}

    def may_have(self, additions: int) -> bool:
        del additions
        return False

    def take(self, chunk: bytes, size_bytes: int, additions: int) -> bool:
        del chunk, size_bytes, additions
        return False


class _Gathered:
    """Chunks in memory. What the journal holds of this sender counts as here."""

    def __init__(self, held: Mapping[bytes, int]) -> None:
        self._own: dict[bytes, int] = {}
        self.pending: Mapping[bytes, int] = ChainMap(self._own, held)  # type: ignore[arg-type]
        self.frames: list[ChunkFrame] = []
        self.payloads: list[bytes] = []
        self.size_bytes = 0

    def add_chunk(self, chunk: bytes, payload: bytes, size_bytes: int, *, compressed: bool) -> None:
        if chunk in self.pending:
            return
        self._own[chunk] = size_bytes
        self.frames.append(ChunkFrame(chunk, size_bytes, len(payload), compressed))
        self.payloads.append(payload)
        self.size_bytes += len(payload)


class SmallCommit:
    """Raises `ProtocolError` as `Receiving` does. `base` is the dataset's newest commit, held or not."""

    def __init__(self, interior: Interior, held: Held, begin: Begin, base: CommitRow, reader: int | None, watch: DamageWatch) -> None:
        self.begin = begin
        self.base = base
        self.asked: list[Segment] = []
        self.applied: list[Applied] = []
        self._blobs = interior.blobs
        self._gathered = _Gathered(held.sizes)
        self._receiving = Receiving(begin, 0, held.number, sender=held.sender, reader=reader, borrowed=_NothingBorrowed())
        # What a builder tells must not hold the commit: as a cycle it would stay, with whole trees, until the collector comes by.
        self.trees = trees = list[tuple[bytes, bytes]]()
        self._before = held.sizes
        self._trees = Trees(interior.storage, interior.blobs, watch, held.trees)
        self._builder = TreeBuilder(self._trees, lambda tree, plain: trees.append((tree, plain)), base.tree, full=False)
        self._changes = 0

    @property
    def is_small(self) -> bool:
        few = self._changes <= MOST_CHANGES and len(self.asked) <= _MOST_SEGMENTS
        return few and self._gathered.size_bytes <= LARGEST_BYTES

    def recorded(self, path: bytes) -> tuple[ChunkRef, ...]:
        """What the file at this path consists of before this commit."""
        return self._trees.content_at(self.base.tree, path, self._before)

    def wanted(self, segment: Segment) -> frozenset[bytes]:
        self.asked.append(segment)
        return self._receiving.wanted(segment, self._blobs, self._gathered)

    def apply(self, applied: Applied) -> None:
        self.applied.append(applied)
        segment = applied.segment
        self._changes += len(segment.changes)
        self._receiving.take_chunks(segment, applied.chunks, applied.withdrawn, self._blobs, self._gathered)
        self._receiving.take_changes(segment, self._builder, self._blobs, self._gathered)

    def finish(self) -> tuple[bytes, tuple[Op, ...]]:
        """The root tree, and what has changed. To be called once."""
        tree = self._builder.finish()
        return tree, ops_of(self._builder.ended, self._builder.new)

    @property
    def size_bytes(self) -> int:
        """Of the chunks that came."""
        return self._gathered.size_bytes

    @property
    def replaced(self) -> list[bytes]:
        return self._builder.replaced

    @property
    def receiving(self) -> Receiving:
        return self._receiving

    @property
    def frames(self) -> tuple[ChunkFrame, ...]:
        return tuple(self._gathered.frames)

    @property
    def payloads(self) -> list[bytes]:
        return self._gathered.payloads
