"""Records whose rows make no sense: a commit ends well or with an error of ours, nothing outside is touched, --adopt makes it good."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdfast.core.errors import HoldfastError, StoreError
from holdfast.testing.feeding import States
from holdfast.testing.hostile_rows import CHANGES, Change, spoil
from tests.mirror.bench import AFTER, BEFORE, Bench, state_of
from tests.mirror.test_mirror_faults import mirrored

# The same examples each time; what other seeds have found is mended.
SETTINGS = settings(max_examples=60, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def send(bench: Bench, old: States | None) -> None:
    """What is moved aside for want of a record of it is told, and is no failure."""
    answer = bench.feeder.send(bench.open(), old, state_of(AFTER))
    assert {finding.code for finding in answer.findings} <= {"mirror-edited", "mirror-incomplete"}
    if answer.cursor is None:
        # It says that it could not keep all it was given; then it gets all of it once more.
        again = bench.feeder.send(bench.open(), None, state_of(AFTER))
        assert again.cursor is not None


def commit_or_adopt(bench: Bench) -> None:
    after = state_of(AFTER)
    try:
        cursor = bench.open().cursor()
        if cursor is not None and (cursor.epoch, cursor.seq) != (bench.feeder.epoch, 1):
            cursor = None
        send(bench, None if cursor is None else state_of(BEFORE))
        send(bench, None)
    except HoldfastError:
        bench.close()
        for path in (bench.place / ".holdfast-copy").glob("mirror.db*"):
            path.unlink()
        bench.open(adopt=True)
        send(bench, None)
    # Which names are one file is known from the records alone, and a flipped bit in that has no checksum to be found by.
    bench.check(after, links=False)
    assert sorted(path.name for path in bench.place.iterdir()) == [".holdfast-copy", "copy"]


@SETTINGS
@given(CHANGES, st.sampled_from([None, 60.0]))
def test_rows_that_make_no_sense(changes: list[Change], keep_s: float | None) -> None:
    with mirrored(keep_s) as bench:
        spoil(bench.place / ".holdfast-copy" / "mirror.db", changes)
        commit_or_adopt(bench)


@SETTINGS
@given(st.integers(0, 1 << 30), st.integers(1, 40))
def test_bytes_that_are_damaged(seed: int, count: int) -> None:
    chance = random.Random(seed)
    with mirrored(None) as bench:
        path = bench.place / ".holdfast-copy" / "mirror.db"
        content = bytearray(path.read_bytes())
        for _ in range(count):
            content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        path.write_bytes(content)
        commit_or_adopt(bench)


def test_an_entry_that_cannot_be_read_is_told_with_what_to_do() -> None:
    with mirrored(None) as bench:
        with closing(sqlite3.connect(bench.place / ".holdfast-copy" / "mirror.db", isolation_level=None)) as database:
            database.execute("UPDATE entries SET entry = x'90'")
        with pytest.raises(StoreError, match="cannot be used") as told:
            bench.send(state_of(AFTER), full=False)
        assert "--adopt" in told.value.hint
