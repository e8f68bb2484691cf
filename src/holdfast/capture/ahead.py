"""The content of a large file before its run: read once, cut, and handed on piece by piece. What came of it saves the run the reading, as
long as the file is the one that was read."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from holdfast.capture.chunking import Granularity
from holdfast.capture.chunks import Chunk, SegmentChunks
from holdfast.capture.reader import Captured, Job, Reader
from holdfast.capture.state import CaptureState
from holdfast.core.clock import Clock
from holdfast.host.metadata import Names
from holdfast.model.change import Part, Segment
from holdfast.model.entry import ChunkRef, walk_key
from holdfast.model.stream import Outgoing


class AheadFile:
    """One file. Close it. Used by one thread."""

    def __init__(self, path: bytes, granularity: Granularity, state: CaptureState, clock: Clock) -> None:
        """Raises `OSError` when it cannot be opened."""
        row = state.row(walk_key(path))
        recorded = row.entry() if row is not None else None
        self.path = path
        self._stream = Reader(clock, Names(), lambda _: None).open(Job(path, granularity, recorded, file=True))
        self._chunks = self._each()
        self._next: Chunk | None = None
        self._offset = 0

    def piece(self, most_bytes: int, number: int, run: int) -> Outgoing | None:
        """The next piece, as segment `number` of a commit `run`: at least one chunk, else no more than `most_bytes`. None at the end.
        Raises `OSError`."""
        chunks: list[Chunk] = []
        size_bytes = 0
        while (chunk := self._next or next(self._chunks, None)) is not None:
            self._next = chunk
            if chunks and size_bytes + chunk.size_bytes > most_bytes:
                break
            chunks.append(chunk)
            size_bytes += chunk.size_bytes
            self._next = None
        if not chunks:
            return None
        refs = tuple(ChunkRef(chunk.id, chunk.size_bytes) for chunk in chunks)
        part = Part(self.path, self._offset, refs)
        self._offset += size_bytes
        segment = Segment(number=number, parts=(part,), offered=tuple(dict.fromkeys(refs)))
        return Outgoing(segment, (), (run,), SegmentChunks({chunk.id: chunk for chunk in chunks}))

    def finish(self) -> Captured | None:
        """What it consists of, once all pieces were taken; None when it changed meanwhile. Raises `OSError`."""
        captured = self._stream.finish()
        return None if captured.entry.unstable else msgspec.structs.replace(captured, chunks=())

    def close(self) -> None:
        self._stream.close()

    def _each(self) -> Iterator[Chunk]:
        while chunks := self._stream.window():
            yield from chunks
