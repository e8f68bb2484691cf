"""Batches hold every chunk of every file, each once in a batch, and never much more than they may."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.entry import ChunkRef, Entry, Kind
from holdfast.operations.restore_batches import BATCH_FILES, batches
from holdfast.operations.restore_steps import Step

LIMIT = 100


def file_of(number: int, chunks: list[int]) -> Step:
    """Chunks by number: of the size that their number says, so that equal numbers are equal chunks."""
    refs = tuple(ChunkRef(chunk.to_bytes(32, "big"), chunk) for chunk in chunks)
    entry = Entry(path=b"/%d" % number, kind=Kind.FILE, mode=0, size_bytes=sum(chunks), chunks=refs)
    return Step("file", b"%d" % number, entry)


@given(st.lists(st.lists(st.integers(1, 130), max_size=12), max_size=30))
def test_everything_is_in_one_batch_or_piece(files: list[list[int]]) -> None:
    steps = [file_of(number, chunks) for number, chunks in enumerate(files)]
    written: dict[bytes, list[ChunkRef]] = {}
    for batch in batches(steps, LIMIT):
        size = sum(int.from_bytes(chunk, "big") for chunk in batch.ids)
        assert size <= LIMIT or len(batch.ids) == 1
        if batch.piece is None:
            for step in batch.steps:
                written[step.at] = list(step.entry.chunks)
            assert set(batch.ids) == {ref.id for step in batch.steps for ref in step.entry.chunks}
            continue
        piece, already = batch.piece, written.setdefault(batch.piece.step.at, [])
        assert not batch.steps
        assert piece.offset == sum(ref.size_bytes for ref in already)
        assert set(batch.ids) == {ref.id for ref in piece.refs}
        already.extend(piece.refs)
        assert (piece.index == piece.count - 1) == (len(already) == len(piece.step.entry.chunks))
    assert written == {step.at: list(step.entry.chunks) for step in steps}


def test_many_small_files_are_cut_by_their_number() -> None:
    counts = [len(batch.steps) for batch in batches(file_of(number, []) for number in range(2 * BATCH_FILES + 1))]
    assert counts == [BATCH_FILES, BATCH_FILES, 1]
