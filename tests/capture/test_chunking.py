"""Cut points are a format: the golden values below must never change."""

from __future__ import annotations

import random
from hashlib import sha256

import pytest

from holdfast.capture import chunking
from holdfast.capture.chunking import COARSE, FINE, choose
from holdfast.core.errors import SourceError
from holdfast.model.entry import ChunkRef

CONTENT = random.Random(20261122).randbytes(12 << 20)

GOLDEN_COARSE = [1591559, 760632, 1200626, 1527039, 1139014, 1950939, 2717618, 1695485]
GOLDEN_FINE = [44626, 62521, 47820, 90649, 74470, 70385, 67174, 35705]
GOLDEN_FINE_DIGEST = "ef8e6345276ae301"


def _sizes(ends):
    return [end - start for start, end in zip([0, *ends], ends, strict=False)]


def test_golden_cut_points():
    assert _sizes(COARSE.cut(CONTENT, final=True)) == GOLDEN_COARSE
    fine = _sizes(FINE.cut(CONTENT, final=True))
    assert fine[:8] == GOLDEN_FINE
    assert sha256(repr(fine).encode()).hexdigest()[:16] == GOLDEN_FINE_DIGEST


def test_small_content():
    assert COARSE.cut(b"", final=True) == []
    assert COARSE.cut(CONTENT[:1], final=True) == [1]
    assert COARSE.cut(CONTENT[: COARSE.least], final=True) == [COARSE.least]


@pytest.mark.parametrize("cutter", [COARSE, FINE])
@pytest.mark.parametrize("window", [1 << 20, 3_000_001, 8 << 20])
def test_windows_do_not_move_cuts(cutter, window):
    whole = cutter.cut(CONTENT, final=True)
    ends, tail, start = [], b"", 0
    for position in range(0, len(CONTENT), window):
        data = tail + CONTENT[position : position + window]
        some = cutter.cut(data, final=position + window >= len(CONTENT))
        ends += [start + end for end in some]
        if some:
            tail, start = data[some[-1] :], start + some[-1]
        else:
            tail = data
    assert ends == whole


def test_choice():
    fine = [ChunkRef(bytes(32), 100_000), ChunkRef(bytes(32), 70_000)]
    coarse = [ChunkRef(bytes(32), 1 << 20), ChunkRef(bytes(32), 5)]
    assert choose("auto", ()) is COARSE
    assert choose("auto", fine) is FINE
    assert choose("auto", fine[:1]) is COARSE
    assert choose("auto", coarse) is COARSE
    assert choose("fine", coarse) is FINE
    assert choose("coarse", fine) is COARSE


def test_the_slow_path_is_refused(monkeypatch):
    chunking.require_compiled()

    class FastCDC:
        __module__ = "pyfastcdc.py.fastcdc"

    monkeypatch.setattr(chunking, "FastCDC", FastCDC)
    with pytest.raises(SourceError) as refused:
        chunking.require_compiled()
    assert "wheel" in refused.value.hint
