"""The steps of a restore are kept as they were, files by where their content lies."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.errors import NoSpace
from holdfast.model.entry import ChunkRef, Entry, Kind
from holdfast.operations import restore_steps
from holdfast.operations.restore_steps import Do, Step, StepBook
from holdfast.testing.small_disk import small_disk

FOLDERS: tuple[Do, ...] = ("folder", "merge", "pass")
FILE: Do = "file"
OTHERS: tuple[Do, ...] = ("special", "link", "dress")


def step_of(do: Do, number: int, size: int = 10) -> Step:
    ref = ChunkRef(number.to_bytes(32, "big"), size)
    entry = Entry(path=b"/%d" % number, kind=Kind.FILE, mode=0o644, size_bytes=size, chunks=(ref,))
    return Step(do, b"%d" % number, entry, link_to=b"l" * size)


@given(st.lists(st.tuples(st.sampled_from((*FOLDERS, FILE, *OTHERS)), st.integers(0, 9)), max_size=40))
def test_every_step_comes_back_once_in_the_order_of_its_kind(kinds: list[tuple[Do, int]]) -> None:
    steps = [step_of(do, number) for number, (do, _) in enumerate(kinds)]
    with StepBook() as book:
        for step, (_, place) in zip(steps, kinds, strict=True):
            book.add(step, place)
        for _ in range(2):
            assert list(book.folders()) == [step for step in steps if step.do in FOLDERS]
            assert list(book.others()) == [step for step in steps if step.do in OTHERS]
            assert list(book.folders_to_dress()) == [step for step in reversed(steps) if step.do in ("folder", "merge")]
            files = [(place, step) for step, (_, place) in zip(steps, kinds, strict=True) if step.do == FILE]
            assert list(book.files()) == [step for _, step in sorted(files, key=lambda pair: pair[0])]
        assert (book.files_count, book.bytes) == (len(files), 10 * len(files))


def test_more_steps_than_are_kept_in_memory() -> None:
    steps = [step_of(FILE, number, size) for number, size in enumerate([10, 3_000_000, 0, 1 << 20, 70] * 6)]
    with StepBook() as book:
        assert list(book.files()) == []
        for place, step in enumerate(reversed(steps)):
            book.add(step, len(steps) - place)
        assert list(book.files()) == steps


def test_a_full_place_for_temporary_files_is_told_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restore_steps, "_IN_MEMORY_BYTES", 1_000)
    told = 0
    with small_disk(tmp_path / "disk", 1 << 20) as disk:
        monkeypatch.setattr(tempfile, "tempdir", str(disk.place))
        for free_bytes in range(0, 160_000, 16_384):
            disk.leave(free_bytes)
            try:
                with StepBook() as book:
                    for number in range(200):
                        book.add(step_of(FILE, number, 300), number)
                    assert len(list(book.files())) == 200
            except NoSpace as error:
                told += str(disk.place) in error.message
            disk.relieve()
    assert 2 < told < 10
