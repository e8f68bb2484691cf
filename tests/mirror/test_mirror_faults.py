"""A mirror on a disk that fails, fills up, forgets or goes at any step: what it acknowledged is there, and the next run ends equal."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from holdfast.core.errors import HoldfastError, NoSpace, StoreError
from holdfast.testing.faulty_disk import Fault, FaultyDisk, Gone, Step, bursts, cut_at, full_from, once, trials
from holdfast.testing.small_disk import small_disk
from tests.mirror.bench import AFTER, BEFORE, SCRATCH, Bench, Moved, Spec, state_of

# Hundreds of small runs, on a machine that may have much else to do.
pytestmark = pytest.mark.timeout(600)


@contextmanager
def mirrored(keep_s: float | None) -> Iterator[Bench]:
    """One that stands at BEFORE; nobody has it open."""
    with tempfile.TemporaryDirectory(dir=SCRATCH) as place:
        (Path(place) / "disk").mkdir()
        bench = Bench(Path(place) / "disk", keep_s)
        bench.send(state_of(BEFORE), full=True)
        bench.close()
        # The disk that forgets keeps what was removed by a further link, and a file with one more or less has another fingerprint.
        bench.looks = False
        yield bench
        bench.close()


def steps_of_a_commit(keep_s: float | None, *, full: bool = False, moves: Moved = ()) -> list[Step]:
    with mirrored(keep_s) as bench, FaultyDisk(bench.place) as disk:
        bench.send(state_of(RENAMED if moves else AFTER), full=full, moves=moves)
        bench.close()
    return disk.steps


def survive(keep_s: float | None, number: int, fault: Fault, *, full: bool = False, moves: Moved = ()) -> None:
    before, after = state_of(BEFORE), state_of(RENAMED if moves else AFTER)
    with mirrored(keep_s) as bench:
        acknowledged = False
        with FaultyDisk.with_fault(bench.place, number, fault, cut=Gone) as disk:
            with suppress(HoldfastError):
                bench.send(after, full=full, moves=moves)
                acknowledged = True
            if fault.ends_all or number % 2 or not disk.fired:
                bench.close()
            elif bench.action is not None:
                bench.action.abort()
        assert disk.fired
        is_anew = bench.action is None
        cursor = bench.open().cursor()
        assert cursor is not None
        assert cursor.seq == 2 or not acknowledged
        if is_anew or cursor.seq == 2:
            # A session that goes on finishes with its next commit what it had begun.
            bench.check(after if cursor.seq == 2 else before)
        bench.last = after if cursor.seq == 2 else before
        bench.feeder.seq = 1
        bench.send(after, full=False, moves=moves if cursor.seq == 1 else ())
        bench.check(after)
        bench.close()
        bench.open()
        assert os.listdir(bench.place / ".holdfast-copy" / "tmp") == []


@pytest.mark.parametrize("keep_s", [None, 60.0])
def test_a_fault_at_any_step_of_a_commit(keep_s: float | None) -> None:
    steps = steps_of_a_commit(keep_s)
    verbs = {step.verb for step in steps}
    assert {"create", "write", "grow", "sync", "sync-folder", "rename", "link", "mkdir", "make", "remove", "dress"} <= verbs
    for number, fault in trials(steps, every=False):
        survive(keep_s, number, fault)


@pytest.mark.big
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("keep_s", [None, 60.0])
@pytest.mark.parametrize("full", [False, True])
def test_every_fault_at_every_step_of_a_commit(keep_s: float | None, full: bool) -> None:
    for number, fault in trials(steps_of_a_commit(keep_s, full=full), every=True):
        survive(keep_s, number, fault, full=full)


# Folders change places and go into a new one, files come out of them and over others, names of one file come apart.
MOVES: Moved = [
    (b"a/b", b"taken"), (b"a", b"t"), (b"d", b"a"), (b"t", b"d"), (b"d", b"new/d"), (b"c", b"new/d/c"), (b"b", b"a/b"), (b"g", b"a/e"),
    (b"k", b"new/k"),
]  # fmt: skip
RENAMED: dict[bytes, Spec] = {
    b"new": ("dir", 3, 0), b"new/d": ("dir", 1, 8), b"new/d/c": ("file", 2, 0), b"new/k": ("fifo", 1, 0), b"a": ("dir", 0, 9),
    b"a/b": ("file", 3, 1), b"a/e": ("file", 7, 0), b"a/f": ("link", 1, 0), b"taken": ("file", 6, 0), b"d": ("file", 5, 0),
    b"c": ("file", 4, 0),
}  # fmt: skip


@pytest.mark.parametrize("keep_s", [None, 60.0])
def test_a_fault_at_any_step_of_a_commit_with_renames(keep_s: float | None) -> None:
    steps = steps_of_a_commit(keep_s, moves=MOVES)
    assert sum(step.verb == "rename" and "/tmp/m" not in step.path for step in steps) > 6
    assert any("/tmp/m" in step.path for step in steps)
    for number, fault in trials(steps, every=False):
        survive(keep_s, number, fault, moves=MOVES)


@pytest.mark.big
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("keep_s", [None, 60.0])
def test_every_fault_at_every_step_of_a_commit_with_renames(keep_s: float | None) -> None:
    for number, fault in trials(steps_of_a_commit(keep_s, moves=MOVES), every=True):
        survive(keep_s, number, fault, moves=MOVES)


@pytest.mark.parametrize("moves", [(), MOVES])
def test_the_power_goes_after_the_acknowledgement(moves: Moved) -> None:
    after = state_of(RENAMED if moves else AFTER)
    for seed in (None, *range(8)):
        with mirrored(60.0) as bench:
            with FaultyDisk(bench.place, forgets=True) as disk:
                bench.send(after, full=False, moves=moves)
                disk.plan = cut_at(0, Gone)
                bench.close()
            disk.lose(seed)
            cursor = bench.open().cursor()
            assert cursor is not None
            assert cursor.seq == 2
            bench.check(after)


def test_a_fault_while_an_earlier_one_is_mended() -> None:
    """The first lets the process die in the midst of placing, the second strikes when the mirror is opened again."""
    steps = steps_of_a_commit(None)
    placing = next(step.number for step in steps if step.verb == "sync-folder") + 20
    with mirrored(None) as bench:
        die_at(bench, placing)
        with FaultyDisk(bench.place) as disk:
            bench.close()
            bench.open()
    assert len(disk.steps) > 20
    for number, fault in trials(disk.steps, every=False):
        with mirrored(None) as bench:
            die_at(bench, placing + number % 30)
            with FaultyDisk.with_fault(bench.place, number, fault, cut=Gone) as disk:
                with suppress(HoldfastError):
                    bench.open()
                bench.close()
            assert bench.open().cursor() is not None
            bench.feeder.seq = 1
            bench.send(state_of(AFTER), full=False)
            bench.check(state_of(AFTER))


def die_at(bench: Bench, number: int) -> None:
    with FaultyDisk(bench.place, cut_at(number, Gone)) as disk:
        with suppress(HoldfastError):
            bench.send(state_of(AFTER), full=False)
        bench.close()
    assert disk.fired
    bench.last = state_of(BEFORE)


def test_a_fault_while_a_mirror_is_made() -> None:
    def make(bench: Bench) -> None:
        bench.send(state_of(BEFORE), full=True)
        bench.close()

    with tempfile.TemporaryDirectory(dir=SCRATCH) as place, FaultyDisk(Path(place)) as disk:
        make(Bench(Path(place), None))
    chosen = set(bursts(disk.steps))
    for number, fault in trials([step for step in disk.steps if step.number in chosen], every=False):
        with tempfile.TemporaryDirectory(dir=SCRATCH) as place:
            (Path(place) / "disk").mkdir()
            bench = Bench(Path(place) / "disk", None)
            with FaultyDisk.with_fault(bench.place, number, fault, cut=Gone) as disk:
                with suppress(HoldfastError):
                    make(bench)
                bench.close()
            assert disk.fired
            bench.feeder.seq = 0
            bench.send(state_of(BEFORE), full=True)
            bench.check(state_of(BEFORE))
            bench.close()


def test_a_session_goes_on_after_a_fault_in_the_midst_of_placing() -> None:
    """What is written down must be finished before another commit is staged, also where nobody opened the mirror anew."""
    last = next(step.number for step in reversed(steps_of_a_commit(None)) if step.verb == "rename")
    with mirrored(None) as bench:
        with FaultyDisk(bench.place, once(last, errno.EIO)) as disk, pytest.raises(StoreError):
            bench.send(state_of(AFTER), full=False)
        assert disk.fired
        assert bench.action is not None
        bench.action.abort()
        # As a source does: all that has changed since the cursor that the mirror stated, what changed back among it.
        bench.last = state_of(AFTER)
        bench.send(state_of(BEFORE), full=False)
        bench.check(state_of(BEFORE))


def test_what_could_not_be_taken_back_is_of_no_later_commit() -> None:
    """A commit is cut off on a disk so full that its staged changes stay in the records: the next does not carry them out."""
    is_full = False
    later = {**BEFORE, b"z": ("file", 2, 0)}

    def plan(step: Step) -> BaseException | None:
        return OSError(errno.ENOSPC, "planned") if is_full and step.path.endswith("-wal") and step.verb == "write" else None

    def make_room(_: int) -> None:
        nonlocal is_full
        is_full = False

    with mirrored(None) as bench, FaultyDisk(bench.place, plan):
        bench.feeder.on_segment = cut_off_at_the_second
        with pytest.raises(StoreError, match="cut off"):
            bench.send(state_of(AFTER), full=False)
        is_full = True
        assert bench.action is not None
        bench.action.abort()
        bench.feeder.on_segment = make_room
        with pytest.raises(NoSpace):
            bench.send(state_of(later), full=False)
        is_full = False
        bench.send(state_of(later), full=False)
        bench.check(state_of(later))


def cut_off_at_the_second(number: int) -> None:
    if number:
        raise StoreError("cut off")


def test_a_disk_that_is_full_or_broken_under_the_records_is_told_as_such() -> None:
    """Not as a fault of ours: the one is tried again, the other names the disk."""
    for code, kind in ((errno.ENOSPC, "no-space"), (errno.EIO, "store")):
        with mirrored(None) as bench:

            def plan(step: Step, code: int = code) -> BaseException | None:
                return OSError(code, "planned") if step.path.endswith("-wal") and step.verb == "write" else None

            with FaultyDisk(bench.place, plan), pytest.raises(StoreError) as told:
                bench.send(state_of(AFTER), full=False)
            assert (told.value.code, told.value.retryable) == (kind, kind == "no-space")
    with mirrored(None) as bench:
        (bench.place / ".holdfast-copy" / "mirror.db").write_bytes(b"no database" * 1_000)
        with pytest.raises(StoreError, match="cannot be used") as told:
            bench.open()
        assert "--adopt" in told.value.hint


def test_a_quota_and_a_broken_disk_are_told_with_the_whole_path_wherever_they_begin() -> None:
    """SQLite says of a quota what it says of a broken disk; and who reads of a disk does not know what a path would be relative to."""
    for number in bursts(steps_of_a_commit(60.0)):
        for code, kind in ((errno.EDQUOT, "no-space"), (errno.EIO, "store")):
            with mirrored(60.0) as bench:
                told: StoreError | None = None
                with FaultyDisk(bench.place, full_from(number, code) if kind == "no-space" else once(number, code)) as disk:
                    try:
                        bench.send(state_of(AFTER), full=False)
                    except StoreError as error:
                        told = error
                if told is not None:
                    # Where the shared memory of a database cannot grow, SQLite's word for it is that of a full disk.
                    assert told.code == kind or disk.fired[0].verb == "grow", disk.fired[:1]
                    assert str(bench.place) in told.message, told.message


def test_a_real_disk_that_is_full(tmp_path: Path) -> None:
    """From too full to open anything to just enough: told as such, and the mirror is equal when there is room."""
    told = 0
    with small_disk(tmp_path / "disk", 4 << 20) as disk:
        for free_bytes in range(0, 1_000_000, 40_960):
            bench = Bench(disk.place / "mirrors", 60.0)
            bench.place.mkdir()
            bench.send(state_of(BEFORE), full=True)
            bench.close()
            disk.leave(free_bytes)
            try:
                bench.send(state_of(AFTER), full=False)
            except NoSpace:
                told += 1
            disk.relieve()
            cursor = bench.open().cursor()
            assert cursor is not None
            bench.last, bench.feeder.seq = state_of(BEFORE), 1
            bench.send(state_of(AFTER), full=False)
            bench.check(state_of(AFTER))
            bench.close()
            shutil.rmtree(bench.place)
    assert 3 < told < 24, told
