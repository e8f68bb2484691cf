"""Cutting the files of a restore into batches: so much content at a time, each chunk once in a batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from holdfast.model.entry import ChunkRef
from holdfast.operations.restore_steps import Step

BATCH_BYTES = 4 << 20
BATCH_FILES = 500


@dataclass(frozen=True)
class Piece:
    """A run of the chunks of a file that is larger than a batch, beginning at `offset`; the `index`th of `count`."""

    step: Step
    refs: Sequence[ChunkRef]
    offset: int
    index: int
    count: int


@dataclass
class Batch:
    """Whole files, or one piece of a large one. `ids` are the chunks of it, each once."""

    steps: list[Step] = field(default_factory=list)
    piece: Piece | None = None
    ids: dict[bytes, None] = field(default_factory=dict)


def batches(files: Iterable[Step], batch_bytes: int = BATCH_BYTES, *, held: Callable[[Step], int] = lambda step: 0) -> Iterator[Batch]:
    """Batches of at most `batch_bytes`, or of one chunk that is larger. `held`: how many of a large file's first chunks are there."""
    batch, size = Batch(), 0
    for step in files:
        refs = step.entry.chunks
        # Of a file with one chunk, nearly all there are, the chunk's size is the file's.
        total = refs[0].size_bytes if len(refs) == 1 else sum([ref.size_bytes for ref in refs])
        if total > batch_bytes and len(refs) > 1:
            for piece in pieces_of(step, batch_bytes, held(step)):
                yield Batch(piece=piece, ids=dict.fromkeys([ref.id for ref in piece.refs]))
            continue
        if batch.steps and (size + total > batch_bytes or len(batch.steps) >= BATCH_FILES):
            yield batch
            batch, size = Batch(), 0
        batch.steps.append(step)
        for ref in refs:
            if ref.id not in batch.ids:
                batch.ids[ref.id] = None
                size += ref.size_bytes
    if batch.steps:
        yield batch


def pieces_of(step: Step, batch_bytes: int, held: int = 0) -> list[Piece]:
    """All of a large file but its first `held` chunks, in order."""
    cuts: list[tuple[int, list[ChunkRef]]] = []
    run: list[ChunkRef] = []
    start = offset = sum(ref.size_bytes for ref in step.entry.chunks[:held])
    for ref in step.entry.chunks[held:]:
        if run and offset + ref.size_bytes - start > batch_bytes:
            cuts.append((start, run))
            start, run = offset, []
        run.append(ref)
        offset += ref.size_bytes
    cuts.append((start, run))
    return [Piece(step, refs, at, index, len(cuts)) for index, (at, refs) in enumerate(cuts)]
