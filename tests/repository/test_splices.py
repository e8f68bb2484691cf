"""Chunks of large files as changes to those before."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.errors import ProtocolError
from holdfast.model.entry import ChunkRef
from holdfast.repository import splices
from holdfast.repository.splices import Added, Kept, composed, splice, spliced

refs = st.integers(0, 30).map(lambda number: ChunkRef(bytes([number]) * 32, number + 1))
rows = st.lists(refs, max_size=40)


@given(rows, rows, rows)
def test_what_was_taken_apart_comes_together_again(one: list[ChunkRef], two: list[ChunkRef], three: list[ChunkRef]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(splices, "FEWEST_CHUNKS", 0)
        patch.setattr(splices, "_LEAST_KEPT", 0)
        first = splice([ref.id for ref in one], two)
        then = splice([ref.id for ref in two], three)
    assert (first is None) == (not one)
    assert (then is None) == (not two)
    if first is None or then is None:
        return
    assert spliced(one, first) == tuple(two)
    assert spliced(two, then) == tuple(three)
    assert spliced(one, composed(first, then)) == tuple(three)


def test_a_small_change_in_a_large_file_is_small() -> None:
    before = [ChunkRef(number.to_bytes(32, "big"), 9) for number in range(10_000)]
    after = [*before[:500], ChunkRef(b"\xff" * 32, 9), *before[502:]]
    assert splice([ref.id for ref in before], after) == (Kept(0, 500), Added((ChunkRef(b"\xff" * 32, 9),)), Kept(502, 9_498))


def test_what_is_mostly_new_is_written_down_whole() -> None:
    before = [ChunkRef(number.to_bytes(32, "big"), 9) for number in range(100)]
    after = [*before[:40], *[ChunkRef((number + 500).to_bytes(32, "big"), 9) for number in range(60)]]
    assert splice([ref.id for ref in before], after) is None
    assert splice([], after) is None
    assert splice([ref.id for ref in before], before[:50]) is None


@pytest.mark.parametrize("piece", [Kept(0, 4), Kept(-1, 2), Kept(2, -1), Kept(3, 1)])
def test_what_was_not_there_cannot_be_kept(piece: Kept) -> None:
    before = [ChunkRef(bytes(32), 1)] * 3
    with pytest.raises(ProtocolError):
        spliced(before, (piece,))
    with pytest.raises(ProtocolError):
        composed((Kept(0, 3),), (piece,))
