"""The steps of a restore are kept as they were, files by where their content lies."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.errors import NoSpace
from holdfast.model.entry import ChunkRef, Entry, Kind
from holdfast.operations.restore_steps import Do, Step, StepBook, read_steps
from holdfast.testing.small_disk import small_disk
from tests.scratch import SCRATCH

FOLDERS: tuple[Do, ...] = ("folder", "merge", "pass")
FILE: Do = "file"
OTHERS: tuple[Do, ...] = ("special", "link", "dress")


def step_of(do: Do, number: int, size: int = 10) -> Step:
    ref = ChunkRef(number.to_bytes(32, "big"), size)
    entry = Entry(path=b"/%d" % number, kind=Kind.FILE, mode=0o644, size_bytes=size, chunks=(ref,))
    return Step(do, b"%d" % number, entry, link_to=b"l" * size)


def number_of(step: Step) -> int:
    return int(step.at)


def read(book: StepBook) -> tuple[list[Step], list[Step]]:
    window = book.take()
    return list(window.folders), list(window.files)


@given(st.lists(st.tuples(st.sampled_from((*FOLDERS, FILE, *OTHERS)), st.integers(0, 9)), max_size=40), st.integers(0, 60))
def test_every_step_comes_back_once_in_the_order_of_its_kind(kinds: list[tuple[Do, int]], cut: int) -> None:
    steps = [step_of(do, number) for number, (do, _) in enumerate(kinds)]
    windows: list[tuple[list[Step], list[Step]]] = []
    with StepBook() as book:
        for step, (_, place) in zip(steps, kinds, strict=True):
            book.add(step, place)
            if number_of(step) == cut:
                windows.append(read(book))
        windows.append(read(book))
        assert not book.has_more
        starts = (steps[: cut + 1], steps[cut + 1 :]) if len(windows) == 2 else (steps,)
        place_of = {step: place for step, (_, place) in zip(steps, kinds, strict=True)}
        for (folders, files), window in zip(windows, starts, strict=True):
            assert folders == [step for step in window if step.do in FOLDERS]
            assert files == sorted((step for step in window if step.do == FILE), key=place_of.__getitem__)
        for _ in range(2):
            assert list(book.others()) == [step for step in steps if step.do in OTHERS]
            assert list(book.folders_to_dress()) == [step for step in reversed(steps) if step.do in ("folder", "merge")]
        count = sum(step.do == FILE for step in steps)
        assert (book.files_count, book.bytes) == (count, 10 * count)


def test_large_steps_come_back_by_their_places() -> None:
    steps = [step_of(FILE, number, size) for number, size in enumerate([10, 3_000_000, 0, 1 << 20, 70] * 6)]
    with StepBook() as book:
        assert read(book) == ([], [])
        for place, step in enumerate(reversed(steps)):
            book.add(step, len(steps) - place)
        assert (book.waiting, read(book)) == (30, ([], steps))


def test_a_full_place_for_temporary_files_is_told_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = 0
    with small_disk(tmp_path / "disk", 1 << 20) as disk:
        monkeypatch.setattr(tempfile, "tempdir", str(disk.place))
        for free_bytes in range(0, 160_000, 16_384):
            disk.leave(free_bytes)
            try:
                with StepBook() as book:
                    for number in range(200):
                        book.add(step_of(FILE, number, 300), number)
                    assert len(read(book)[1]) == 200
            except NoSpace as error:
                told += str(disk.place) in error.message
            disk.relieve()
    assert 2 < told < 10


@given(st.integers(0, 5), st.integers(0, 400))
def test_what_a_crash_cut_off_is_left_out(settled: int, cut: int) -> None:
    steps = [step_of(FILE, number) for number in range(6)]
    with tempfile.TemporaryDirectory(dir=SCRATCH) as folder:
        plan, kept = Path(folder, "1.plan"), Path(folder, "1.steps")
        with StepBook(plan, kept) as book:
            for step in steps[:settled]:
                book.add(step)
            book.take()
            size = kept.stat().st_size
            for step in steps[settled:]:
                book.add(step)
        whole = kept.read_bytes()
        kept.write_bytes(whole[: max(size, len(whole) - cut)])
        found = list(read_steps(kept))
    assert found == steps[: len(found)]
    assert settled <= len(found)
