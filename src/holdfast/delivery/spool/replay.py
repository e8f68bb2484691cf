"""A run of the spool as a stream again: segments of usual size, and where their chunks come from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from holdfast.model.change import Change, Part, Put, Segment
from holdfast.model.entry import ChunkRef
from holdfast.model.stream import ChunkSource, Outgoing, offered_by

MAX_BYTES = 4 << 20
MAX_CHANGES = 2_000
_MAX_RECORD_BYTES = 2 << 20


class _Filling:
    """The segment that is being filled."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.parts: tuple[Part, ...] = ()
        self.changes: list[Change] = []
        self.ahead: set[bytes] = set()
        self._bytes = self._record_bytes = 0

    def has_room(self, change: Change, chunk_bytes: int) -> bool:
        if not self.changes:
            return True
        few = len(self.changes) < MAX_CHANGES and self._record_bytes + _record_bytes(change) <= _MAX_RECORD_BYTES
        return few and (self._bytes + chunk_bytes <= MAX_BYTES or not chunk_bytes)

    def add(self, change: Change, chunk_bytes: int) -> None:
        self.changes.append(change)
        self._bytes += chunk_bytes
        self._record_bytes += _record_bytes(change)

    def outgoing(self, seq: int, chunks: ChunkSource) -> Outgoing:
        bare = Segment(number=self.number, parts=self.parts, changes=tuple(self.changes))
        segment = Segment(number=self.number, parts=bare.parts, changes=bare.changes, offered=offered_by(bare, self.ahead))
        return Outgoing(segment, (seq,) * len(segment.changes), (seq,) * len(segment.parts), chunks)


def replayed(changes: Iterable[Change], seq: int, chunks: ChunkSource) -> Iterator[Outgoing]:
    """The chunks of large files go ahead in parts, as when they were captured."""
    filling = _Filling(0)
    for change in changes:
        refs = change.entry.chunks if isinstance(change, Put) else ()
        size_bytes = sum([ref.size_bytes for ref in refs])
        is_large = size_bytes > MAX_BYTES
        if filling.changes and (is_large or not filling.has_room(change, size_bytes)):
            yield filling.outgoing(seq, chunks)
            filling = _Filling(filling.number + 1)
        if is_large and isinstance(change, Put):
            for part in _parts(change.entry.path, refs):
                filling.parts = (part,)
                yield filling.outgoing(seq, chunks)
                filling = _Filling(filling.number + 1)
            filling.ahead.add(change.entry.path)
            size_bytes = 0
        filling.add(change, size_bytes)
    if filling.changes:
        yield filling.outgoing(seq, chunks)


def _parts(path: bytes, refs: Sequence[ChunkRef]) -> Iterator[Part]:
    offset = at = size_bytes = 0
    group: list[ChunkRef] = []
    for ref in refs:
        if group and size_bytes + ref.size_bytes > MAX_BYTES:
            yield Part(path, at, tuple(group))
            group, at, size_bytes = [], offset, 0
        group.append(ref)
        size_bytes += ref.size_bytes
        offset += ref.size_bytes
    yield Part(path, at, tuple(group))


def _record_bytes(change: Change) -> int:
    if not isinstance(change, Put):
        return 32 + len(change.path)
    entry = change.entry
    return 256 + len(entry.path) + 48 * len(entry.chunks) + sum([64 + len(xattr.value) for xattr in entry.xattrs])
