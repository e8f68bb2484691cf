"""Any sequence of states, full or step by step, withdrawn chunks, sessions cut off and processes killed: the mirror ends equal."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.testing.child import run_until_killed
from tests.mirror.bench import AFTER, BEFORE, CHUNKS, CONTENTS, SCRATCH, Bench, Spec, state_of

specs = st.tuples(
    st.sampled_from(["dir", "dir", "file", "file", "file", "link", "fifo"]), st.integers(0, len(CONTENTS) - 1), st.integers(0, 2)
)
names = st.sampled_from([b"a", b"b", b"a-b"])
trees = st.dictionaries(st.lists(names, min_size=1, max_size=3).map(b"/".join), specs, max_size=9)


steps = st.tuples(
    trees,
    st.sampled_from(["send", "send", "send", "full", "cut", "cut-reopen", "withdraw", "reopen"]),
    st.integers(0, 6),
    st.sampled_from(sorted(CHUNKS)),
)


@settings(max_examples=120, deadline=None)
@given(st.lists(steps, min_size=1, max_size=6), st.sampled_from([None, 60.0, -1]))
def test_any_history_ends_equal(history: list[tuple[dict[bytes, Spec], str, int, bytes]], keep_s: float | None) -> None:
    with tempfile.TemporaryDirectory(dir=SCRATCH) as place:
        bench = Bench(Path(place), keep_s)
        try:
            for tree, how, after, withdrawn in history:
                state = state_of(tree)
                if how.startswith("cut"):
                    bench.cut_off(state, after=after, full=after % 2 == 0, reopen=how == "cut-reopen")
                elif how == "withdraw":
                    bench.feeder.withdrawn = {withdrawn}
                    told = bench.tell(state, full=after % 2 == 0)
                    assert {finding.code for finding in told.findings} <= {"changed-while-sent"}
                    bench.feeder.withdrawn = set()
                    bench.send(state, full=True)
                    bench.check(state)
                    continue
                elif how == "reopen":
                    bench.close()
                bench.send(state, full=how == "full")
                bench.check(state)
        finally:
            bench.close()


_WRITING = ("rename", "link", "mkdir", "unlink", "rmdir", "symlink", "mkfifo", "mknod", "utime", "fchmod", "ftruncate", "pwrite")


def send_after(place: Path, keep_s: float | None) -> None:
    """What the first run was: a fresh process that goes on behind it."""
    bench = Bench(place, keep_s)
    bench.feeder.seq, bench.last = 1, state_of(BEFORE)
    bench.send(state_of(AFTER), full=False)


def open_and_close(place: Path, keep_s: float | None) -> None:
    Bench(place, keep_s).open().close()


def kill_points() -> Iterator[int]:
    yield from range(90)


@pytest.mark.parametrize("keep_s", [pytest.param(None, marks=pytest.mark.big), 60.0])
def test_killed_at_every_writing_call_it_is_equal_after_the_next_run(keep_s: float | None) -> None:
    before, after = state_of(BEFORE), state_of(AFTER)
    deaths = 0
    for number in kill_points():
        with tempfile.TemporaryDirectory(dir=SCRATCH) as place:
            bench = Bench(Path(place), keep_s)
            bench.send(before, full=True)
            bench.close()
            finished = run_until_killed(_WRITING, number, send_after, bench.place, keep_s)
            deaths += not finished
            run_until_killed(_WRITING, number % 11, open_and_close, bench.place, keep_s)
            for name in ("a", "g", "b"):
                path = bench.target / name
                if path.is_file():
                    assert path.read_bytes() in CONTENTS
            cursor = bench.open().cursor()
            assert cursor is not None
            bench.feeder.seq = cursor.seq
            if cursor.seq == 2:
                bench.check(after)
            bench.send(after, full=False)
            bench.check(after)
            assert os.listdir(bench.place / ".holdfast-copy" / "tmp") == []
            bench.close()
            if finished:
                break
    assert deaths > 40
    assert finished
