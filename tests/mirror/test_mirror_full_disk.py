"""A mirror on a disk that is too small: who lacks room, and what makes room by itself."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from holdfast.core.errors import NoSpace, StoreError
from holdfast.testing.feeding import States
from holdfast.testing.small_disk import SmallDisk, small_disk
from holdfast.testing.tree_source import TreeSource
from tests.mirror.test_mirror import Bench

MIB = 1 << 20


class LargeBench(Bench):
    """Of content in chunks as large as those of large files: the records are small beside it."""

    def read(self) -> States:
        read = TreeSource(self.source, chunk_bytes=MIB)
        self.feeder.chunks.update(read.chunks)
        return read.all


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = LargeBench(tmp_path)
    made.keep_s = None
    made.source.mkdir()
    (made.source / "first").write_text("first")
    yield made
    made.close()


@contextmanager
def mirror_disk(bench: Bench, size_bytes: int, *, inodes: int = 0) -> Iterator[SmallDisk]:
    """The mirror lies on it."""
    bench.place.joinpath("mirrors").mkdir(exist_ok=True)
    with small_disk(bench.place / "mirrors" / "disk", size_bytes, inodes=inodes) as disk:
        bench.target, bench.side = disk.place / "copy", disk.place / ".holdfast-copy"
        yield disk


def is_refused(bench: Bench) -> str:
    """What is said of a run that finds no room. The mirror stays as it was, the source goes by its last good commit."""
    before, assured = bench.last, bench.mirror
    assert assured is not None
    open_files = len(os.listdir("/proc/self/fd"))
    with pytest.raises(NoSpace) as told:
        bench.run()
    assured.abort()
    assert len(os.listdir("/proc/self/fd")) <= open_files, "each of many tries would leave one open"
    bench.last = before
    return told.value.message


def filled(bench: Bench, disk: SmallDisk, free_bytes: int) -> None:
    bench.run(full=True)
    disk.leave(free_bytes)


def test_content_that_is_no_longer_wanted_makes_room(bench: Bench) -> None:
    chance = random.Random(1)
    with mirror_disk(bench, 64 * MIB) as disk:
        filled(bench, disk, 24 * MIB)
        for name in ("a-large", "b-large", "c-large"):
            (bench.source / name).write_bytes(chance.randbytes(10 * MIB))
        message = is_refused(bench)
        assert str(bench.target) in message
        assert "is full" in message
        # The content that has come is of no use any more, and with it in the way there is no room for the rest.
        (bench.source / "a-large").unlink()
        (bench.source / "b-large").unlink()
        (bench.source / "d-large").write_bytes(chance.randbytes(4 * MIB))
        is_refused(bench)
        assert bench.run() == []
        assert bench.differences() == []
        assert list((bench.side / "tmp").iterdir()) == []
        bench.close()


def test_a_large_file_on_its_way_goes_on_when_there_is_room(bench: Bench) -> None:
    with mirror_disk(bench, 64 * MIB) as disk:
        filled(bench, disk, 12 * MIB)
        (bench.source / "large").write_bytes(random.Random(2).randbytes(24 * MIB))
        is_refused(bench)
        given = bench.feeder.given
        is_refused(bench)
        disk.relieve()
        assert bench.run() == []
        assert bench.differences() == []
        assert given > 6 * MIB
        assert bench.feeder.given - given < 24 * MIB, "what has come once does not come again"
        bench.close()


def test_a_large_file_that_was_cut_off_needs_its_room_once(bench: Bench) -> None:
    with mirror_disk(bench, 64 * MIB) as disk:
        filled(bench, disk, 20 * MIB)
        (bench.source / "large").write_bytes(random.Random(3).randbytes(14 * MIB))

        def cut_off(number: int) -> None:
            if number > 5:
                raise StoreError("cut off")

        before, bench.feeder.on_segment = bench.last, cut_off
        with pytest.raises(StoreError, match="cut off"):
            bench.run()
        assert bench.mirror is not None
        bench.mirror.abort()
        given, bench.last, bench.feeder.on_segment = bench.feeder.given, before, None
        assert given >= 10 * MIB
        assert bench.run() == []
        assert bench.differences() == []
        assert bench.feeder.given < 15 * MIB
        bench.close()


def test_a_disk_without_room_for_names_is_told_as_such(bench: Bench) -> None:
    with mirror_disk(bench, 32 * MIB, inodes=60):
        bench.run(full=True)
        for number in range(100):
            (bench.source / f"{number}").write_text(f"{number}")
        assert "no room for further names" in is_refused(bench)
        for number in range(60):
            (bench.source / f"{number}").unlink()
        is_refused(bench)
        assert bench.run() == []
        assert bench.differences() == []
        bench.close()
