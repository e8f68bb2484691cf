"""Tables on a terminal that is not as wide as they are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.cli.fitting import fitted_widths, lines_of
from holdfast.cli.output import print_table

WAITS = "warnings, waits for documents/backup on vault: its disk is full; the last good is of 2026-11-27 23:42:38"
HEADS = ("DATASET", "STATE", "NEXT DUE")
ROW = ("files1/documents", WAITS, "2026-11-28 00:42:38")


def test_a_long_cell_has_several_lines_on_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("holdfast.cli.output._width", lambda: 80)
    print_table(HEADS, [ROW, ("a", "b", "c")])
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert "files1/documents" in lines[1]
    assert lines[1].endswith(ROW[2]), "what is short stays in one piece"
    state = slice(lines[0].index("STATE"), lines[0].index("NEXT DUE"))
    assert " ".join(line[state].strip() for line in lines[1:-1]).strip() == WAITS, "and nothing is cut off"
    assert lines[-1].split() == ["a", "b", "c"]


def test_in_a_pipe_each_row_has_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(HEADS, [ROW])
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_times_and_sizes_are_broken_only_where_there_is_no_other_way() -> None:
    row = ("store main on vault", "2026-11-28 00:42:38")
    assert fitted_widths([row], 36) == [15, 19]
    assert fitted_widths([row], 26) == [5, 19]
    assert fitted_widths([row], 22) == [5, 15]
    assert fitted_widths([row], 5) == [5, 10], "what cannot be broken stays"
    assert fitted_widths([row], 5, whole=(1,)) == [5, 19]


@given(st.lists(st.text("ab1 ", max_size=30), min_size=1, max_size=4), st.integers(1, 60))
def test_no_word_is_lost(row: list[str], limit: int) -> None:
    widths = fitted_widths([row], limit)
    assert all(width <= len(cell) for width, cell in zip(widths, row, strict=True))
    for width, cell in zip(widths, row, strict=True):
        assert " ".join(lines_of(cell, width)).split() == cell.split()
        assert all(len(line) <= width or " " not in line for line in lines_of(cell, width))
