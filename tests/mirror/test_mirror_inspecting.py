"""A full run of the source finds whatever others did to the mirror, keeps what they put there, and mends it with little traffic."""

from __future__ import annotations

import os
import random
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from holdfast.core.errors import HoldfastError
from holdfast.testing.faulty_disk import FaultyDisk, Gone, trials
from holdfast.testing.odd_tree import build_odd_tree
from tests.mirror.bench import BEFORE, SCRATCH, state_of
from tests.mirror.bench import Bench as DrawnBench
from tests.mirror.test_mirror import Bench

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    made.keep_s = None
    build_odd_tree(made.source)
    made.run(full=True)
    yield made
    made.close()


def run(bench: Bench, *, continuous: bool) -> tuple[list[str], bool]:
    """Codes and paths of what a run of a source in which nothing changed finds; whether the mirror wants all again."""
    bench.feeder.continuous = continuous
    assert bench.mirror is not None
    answer = bench.feeder.send(bench.mirror, bench.last, bench.read())
    return sorted(f"{finding.code} {finding.path}" for finding in answer.findings), answer.cursor is None


def spoil(bench: Bench) -> None:
    (bench.target / "stranger").mkdir()
    (bench.target / "stranger" / "file").write_text("theirs")
    (bench.target / "a-b").chmod(0o777)
    (bench.target / "plain").write_text("edited")
    (bench.target / "fifo").unlink()
    (bench.target / "link").unlink()
    (bench.target / "link").symlink_to("elsewhere")
    (bench.target / "empty-folder").chmod(0o777)
    shutil.rmtree(bench.target / "level0" / "level1")
    (bench.target / "level0" / "level1").write_text("no folder")


def test_a_full_run_notices_all_and_small_commits_walk_nowhere(bench: Bench) -> None:
    assert run(bench, continuous=False) == ([], False)
    spoil(bench)
    assert run(bench, continuous=True) == ([], False)
    found, wants_all = run(bench, continuous=False)
    assert wants_all
    edited = {line.removeprefix("mirror-edited copy/") for line in found if line.startswith("mirror-edited")}
    assert edited == {"stranger", "a-b", "plain", "a/hard", "zz-hard", "link", "level0/level1"}, "a file is told under all its names"
    missing = {line.removeprefix("mirror-incomplete copy/") for line in found if line.startswith("mirror-incomplete")}
    assert "fifo" in missing
    assert "level0/level1/level2" in missing
    kept = {path.name: path for path in (bench.side / "removed").glob("*/*")}
    assert set(kept) == {"stranger", "plain", "a", "zz-hard", "link", "level0"}
    assert (kept["plain"].read_text(), (kept["stranger"] / "file").read_text()) == ("edited", "theirs")
    sent = bench.feeder.given
    assert bench.run(full=True) == []
    assert bench.differences() == []
    assert bench.feeder.given - sent < 20_000
    assert run(bench, continuous=False) == ([], False)


def test_what_only_looks_changed_is_set_back_and_nothing_is_asked_for(bench: Bench) -> None:
    os.utime(bench.target / "sparse", ns=(5, 5))
    os.utime(bench.target / "link", ns=(5, 5), follow_symlinks=False)
    (bench.target / "a-b").chmod(0o600)
    copy = bench.target / "copy"
    shutil.copy2(bench.target / "empty", copy)
    copy.rename(bench.target / "empty")
    assert run(bench, continuous=False) == (["mirror-edited copy/a-b", "mirror-edited copy/empty", "mirror-edited copy/sparse"], False)
    assert bench.differences() == []
    assert run(bench, continuous=False) == ([], False)


def test_a_look_that_took_long_is_not_repeated_at_once(bench: Bench) -> None:
    (bench.side / "mirror.db").stat()
    assert bench.mirror is not None
    records = bench.mirror._trees[0].target.records
    records.set_fact("looked", "2027-01-15T08:00:00+00:00 60")
    records.save()
    (bench.target / "stranger").write_text("theirs")
    assert run(bench, continuous=False) == ([], False)
    bench.clock.ns += 1_201 * 10**9
    assert run(bench, continuous=False) == (["mirror-edited copy/stranger"], False)


def test_what_a_scan_found_may_come_by_a_small_commit(bench: Bench) -> None:
    """As where the mirror was away when the source looked at all of itself; also where it has looked too lately and must wait."""
    bench.feeder.scanned = 2
    assert run(bench, continuous=False) == ([], False)
    (bench.target / "stranger").write_text("theirs")
    assert run(bench, continuous=True) == ([], False), "there was no scan since"
    bench.feeder.scanned = 4
    assert bench.mirror is not None
    records = bench.mirror._trees[0].target.records
    records.set_fact("looked", "2027-01-15T08:00:00+00:00 60")
    records.save()
    assert run(bench, continuous=True) == ([], False)
    bench.clock.ns += 1_201 * 10**9
    assert run(bench, continuous=True) == (["mirror-edited copy/stranger"], False)
    (bench.target / "stranger").write_text("theirs once more")
    assert run(bench, continuous=True) == ([], False)


def disturb(target: Path, chance: random.Random) -> None:
    """What somebody may do in a folder that they take for theirs."""
    for _ in range(chance.randint(1, 4)):
        paths = sorted(target.rglob("*"))
        path = chance.choice(paths)
        match chance.randrange(5):
            case 0 if path.is_file() and not path.is_symlink():
                path.write_bytes(chance.randbytes(10))
            case 1:
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
            case 2:
                path.rename(path.with_name("other-name"))
            case 3:
                (path if path.is_dir() and not path.is_symlink() else path.parent).joinpath("new").write_text("theirs")
            case _:
                os.utime(path, ns=(1, 1), follow_symlinks=False)


def mend(bench: DrawnBench) -> None:
    state = state_of(BEFORE)
    bench.last = state
    answer = bench.tell(state)
    if answer.cursor is None:
        bench.tell(state, full=True)
    bench.check(state)


def test_whatever_somebody_does_is_mended() -> None:
    chance = random.Random(5)
    for _ in range(60):
        with tempfile.TemporaryDirectory(dir=SCRATCH) as place:
            bench = DrawnBench(Path(place), None)
            bench.send(state_of(BEFORE), full=True)
            disturb(bench.target, chance)
            mend(bench)
            assert bench.tell(state_of(BEFORE)).findings == ()
            bench.close()


def test_a_fault_at_any_step_of_a_look() -> None:
    def spoiled(place: Path) -> DrawnBench:
        bench = DrawnBench(place, None)
        bench.send(state_of(BEFORE), full=True)
        bench.close()
        disturb(bench.target, random.Random(11))
        (bench.target / "g").write_text("edited")
        return bench

    def look(bench: DrawnBench) -> None:
        bench.last = state_of(BEFORE)
        bench.tell(state_of(BEFORE))

    with tempfile.TemporaryDirectory(dir=SCRATCH) as folder:
        (Path(folder) / "disk").mkdir()
        bench = spoiled(Path(folder) / "disk")
        with FaultyDisk(bench.place) as disk:
            look(bench)
            bench.close()
    for number, fault in trials(disk.steps, every=False):
        with tempfile.TemporaryDirectory(dir=SCRATCH) as folder:
            (Path(folder) / "disk").mkdir()
            bench = spoiled(Path(folder) / "disk")
            with FaultyDisk.with_fault(bench.place, number, fault, cut=Gone):
                with suppress(HoldfastError):
                    look(bench)
                bench.close()
            cursor = bench.open().cursor()
            bench.feeder.seq = 1 if cursor is None else cursor.seq
            if cursor is None:
                bench.tell(state_of(BEFORE), full=True)
                bench.check(state_of(BEFORE))
            else:
                mend(bench)
            bench.close()
