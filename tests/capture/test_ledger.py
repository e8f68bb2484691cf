"""The verdicts of a walk come back in walk order, however late some of them were given, and leave no file behind."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.capture import ledger as module
from holdfast.capture.ledger import Act, Ledger, Verdict
from holdfast.core.errors import NoSpace
from tests.scratch import SCRATCH


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with closing(Ledger(tmp_path / "state.db-verdicts")) as ledger:
        yield ledger
    assert os.listdir(tmp_path) == []


def verdict(key: bytes, size: int = 5) -> Verdict:
    return Verdict(key, Act.CAPTURE, 1, 0, 0, 8, size, -(1 << 62), 1 << 62, 0)


def test_no_verdicts_are_none(ledger: Ledger) -> None:
    assert list(ledger) == []


@pytest.mark.parametrize("late", [0, 3, 9_000])
def test_late_ones_come_in_their_place(ledger: Ledger, late: int) -> None:
    keys = [f"/{number:06}".encode() for number in range(10_000)]
    left = set(keys[-late - 1 : -1]) if late else set()
    wrote = [ledger.add(verdict(key)) for key in keys if key not in left]
    wrote += [ledger.add(verdict(key, 7)) for key in sorted(left, reverse=True)]
    assert any(wrote)
    found = list(ledger)
    assert [each.key for each in found] == keys
    assert {each.key for each in found if each.size == 7} == left
    assert found[0] == verdict(keys[0])
    assert list(ledger) == found, "it can be read again"


@given(st.lists(st.binary(max_size=4), unique=True, max_size=60))
def test_any_order_comes_back_sorted(keys: list[bytes]) -> None:
    with pytest.MonkeyPatch.context() as patch, TemporaryDirectory(dir=SCRATCH) as folder:
        patch.setattr(module, "_BATCH", 4)
        with closing(Ledger(Path(folder) / "verdicts")) as ledger:
            for key in keys:
                ledger.add(verdict(key))
            assert [each.key for each in ledger] == sorted(keys)


def test_a_full_disk_is_told_as_such(ledger: Ledger) -> None:
    os.dup2(full := os.open("/dev/full", os.O_WRONLY), ledger._file)
    os.close(full)
    ledger.add(verdict(b"/a"))
    with pytest.raises(NoSpace):
        ledger.flush()
