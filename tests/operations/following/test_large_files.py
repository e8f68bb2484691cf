"""A large file is looked at seldom while it is written, and never forgotten."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from holdfast.capture.ports import Place
from holdfast.operations.following.backlog import Work
from holdfast.operations.following.large_files import LARGE_BYTES, LargeFiles
from holdfast.operations.following.laying_ahead import is_at_rest


def test_the_larger_the_later_and_a_closed_one_sooner(tmp_path: Path) -> None:
    image, letter = tmp_path / "image", tmp_path / "letter"
    image.touch()
    os.truncate(image, 32 * LARGE_BYTES)
    letter.write_bytes(b"x")
    large = LargeFiles()
    names = tuple(Place(os.fsencode(path)) for path in (image, letter, tmp_path / "gone"))
    written, closed = Work(places=names), Work(places=names, closed=frozenset([os.fsencode(image)]))
    assert large.put_off(written, 0.0) == {}
    assert list(large.put_off(written, 1.0)) == [os.fsencode(image)]
    put_off_s = large.put_off(written, 1.0)[os.fsencode(image)]
    assert 60 < put_off_s < 200
    assert large.put_off(closed, 1.0)[os.fsencode(image)] < put_off_s
    assert large.put_off(written, put_off_s) == {}
    assert large.put_off(Work(places=(Place(os.fsencode(image), True),)), put_off_s) == {}


def test_a_change_in_the_log_of_a_large_database_waits_as_the_database_does(tmp_path: Path) -> None:
    database, log = tmp_path / "app.db", tmp_path / "app.db-wal"
    with database.open("wb") as file:
        file.truncate(2 << 30)
    log.write_bytes(b"some pages")
    written = Work(places=(Place(os.fsencode(database)), Place(os.fsencode(log))))
    large = LargeFiles()
    assert large.put_off(written, 0.0, databases=True) == {}
    assert set(large.put_off(written, 1.0, databases=True)) == {os.fsencode(database), os.fsencode(log)}
    assert set(large.put_off(written, 1.0)) == {os.fsencode(database)}


@pytest.mark.parametrize(("age_s", "rests"), [(0, False), (1.5, False), (2, True), (3_600, True), (-1, False), (-3_600, True)])
def test_a_file_that_nobody_closed_is_at_rest_unless_it_was_written_just_now(age_s: float, rests: bool) -> None:
    """One that is dated in the future never came to rest, and its content never went ahead of its commit."""
    now_ns = 1_800_000_000 * 10**9
    assert is_at_rest(now_ns - int(age_s * 1e9), now_ns) is rests
