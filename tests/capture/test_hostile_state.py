"""A state whose rows make no sense: the run ends well or with an error of ours, and the next ones bring every receiver up to date."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdfast.core.errors import HoldfastError, SourceError, SourceVanished
from holdfast.testing.hostile_rows import CHANGES, Change, spoil
from tests.capture.test_capture_faults import Scene, scene


def run_all(made: Scene) -> None:
    """Until a run ends well; what a state that was made anew does not know of a receiver, it sends again."""
    for _ in range(3):
        made.machine.state.close()
        try:
            made.machine.open()
            if made.machine.state.findings or made.machine.state.epoch != made.epochs.get(made.first):
                made.first.seq = None
            if made.first.seq is not None and made.machine.state.run < made.first.seq:
                made.machine.state.renew_epoch()
            made.run(made.first, made.second)
            return
        except SourceVanished:
            # What is recorded of a root is not what is there: somebody has to look, and accept it.
            made.accept = True
        except HoldfastError:
            continue
    pytest.fail("no run came to its end")


@settings(max_examples=60, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(CHANGES)
def test_rows_that_make_no_sense(changes: list[Change]) -> None:
    with scene() as made:
        done = spoil(made.machine.home / "state.db", changes)
        run_all(made)
        assert made.machine.result.refused == {}, done


@settings(max_examples=60, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 1 << 30), st.integers(1, 40))
def test_bytes_that_are_damaged(seed: int, count: int) -> None:
    chance = random.Random(seed)
    with scene() as made:
        path = made.machine.home / "state.db"
        content = bytearray(path.read_bytes())
        for _ in range(count):
            # Not the version of the format: by that SQLite takes the file for one it must not write, and it is told as such.
            content[chance.choice((*range(18), *range(20, len(content))))] ^= 1 << chance.randrange(8)
        path.write_bytes(content)
        run_all(made)


def test_a_row_that_makes_no_sense_makes_room_for_a_fresh_state() -> None:
    with scene() as made:
        with closing(sqlite3.connect(made.machine.home / "state.db", isolation_level=None)) as database:
            database.execute("UPDATE rows SET record = x'90'")
        made.machine.open()
        made.first.seq = None
        with pytest.raises(SourceError, match="is damaged"):
            made.run(made.first, made.second)
        assert (made.machine.home / "state.db.corrupt-1").exists()
        made.machine.open()
        made.run(made.first, made.second)
        assert made.machine.below(made.first) == made.machine.facts()
