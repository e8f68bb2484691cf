"""The chunks of a large file as changes to those it had: of a disk image thousands stay, and few change at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from holdfast.core.errors import ProtocolError
from holdfast.model.entry import ChunkRef

# Files of fewer chunks are written down whole.
FEWEST_CHUNKS = 64
# So much of a file has to stay, else it is written down whole, too.
_LEAST_KEPT = 0.5


class Kept(msgspec.Struct, frozen=True, array_like=True, tag="k", gc=False):
    """So many chunks of those before, from this one on."""

    first: int
    count: int


class Added(msgspec.Struct, frozen=True, array_like=True, tag="a", gc=False):
    chunks: tuple[ChunkRef, ...]


Piece = Kept | Added


def splice(before: Sequence[bytes], chunks: Sequence[ChunkRef]) -> tuple[Piece, ...] | None:
    """How to get `chunks` out of those with the ids `before`; None where little is kept."""
    if len(chunks) < FEWEST_CHUNKS or not before:
        return None
    places = {chunk: place for place, chunk in enumerate(before)}
    pieces: list[Piece] = []
    added: list[ChunkRef] = []
    first = count = kept = 0
    for ref in chunks:
        if count and first + count < len(before) and before[first + count] == ref.id:
            count += 1
            continue
        place = places.get(ref.id)
        kept += count
        _close(pieces, first, count)
        first, count = (place, 1) if place is not None else (0, 0)
        if place is None:
            added.append(ref)
        elif added:
            # What came before this run.
            pieces.append(Added(tuple(added)))
            added = []
    kept += count
    if added:
        pieces.append(Added(tuple(added)))
    _close(pieces, first, count)
    return tuple(pieces) if kept >= len(chunks) * _LEAST_KEPT else None


def _close(pieces: list[Piece], first: int, count: int) -> None:
    if count:
        pieces.append(Kept(first, count))


def spliced(before: Sequence[ChunkRef], pieces: Sequence[Piece]) -> tuple[ChunkRef, ...]:
    """Raises `ProtocolError` when they do not fit."""
    found: list[ChunkRef] = []
    for piece in pieces:
        if isinstance(piece, Added):
            found += piece.chunks
            continue
        _check(piece, len(before))
        found += before[piece.first : piece.first + piece.count]
    return tuple(found)


def composed(first: Sequence[Piece], then: Sequence[Piece]) -> tuple[Piece, ...]:
    """Both as one. Raises `ProtocolError` when they do not fit."""
    starts, length = [], 0
    for piece in first:
        starts.append(length)
        length += _length(piece)
    found: list[Piece] = []
    for piece in then:
        if isinstance(piece, Added):
            found.append(piece)
            continue
        _check(piece, length)
        for start, earlier in zip(starts, first, strict=True):
            begin = max(piece.first, start)
            end = min(piece.first + piece.count, start + _length(earlier))
            if begin < end:
                found.append(_part(earlier, begin - start, end - begin))
    return tuple(found)


def added_by(pieces: Sequence[Piece]) -> Iterator[ChunkRef]:
    return (ref for piece in pieces if isinstance(piece, Added) for ref in piece.chunks)


def _length(piece: Piece) -> int:
    return len(piece.chunks) if isinstance(piece, Added) else piece.count


def _part(piece: Piece, begin: int, count: int) -> Piece:
    if isinstance(piece, Added):
        return Added(piece.chunks[begin : begin + count])
    return Kept(piece.first + begin, count)


def _check(piece: Kept, length: int) -> None:
    if piece.first < 0 or piece.count < 0 or piece.first + piece.count > length:
        raise ProtocolError("chunks are kept that were not there")
