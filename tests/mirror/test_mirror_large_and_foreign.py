"""What the mirror has need not travel: parts of large files, files somebody else put there, folders that are taken over."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from holdfast.capture.chunking import COARSE, FINE, Cutter
from holdfast.model.entry import ChunkRef, Entry, Kind
from holdfast.testing.feeding import States, chunk_id
from holdfast.testing.small_disk import cloning_disk
from tests.mirror.test_mirror import Bench as PlainBench
from tests.mirror.test_mirror import rsync_sees

MIB = 1 << 20


class Bench(PlainBench):
    """Its source cuts files as a real one does."""

    cutter: Cutter = FINE

    def read(self) -> States:
        return {path: self._cut(entry) if entry.kind is Kind.FILE else entry for path, entry in super().read().items()}

    def _cut(self, entry: Entry) -> Entry:
        data, at, refs = Path(os.fsdecode(entry.path)).read_bytes(), 0, list[ChunkRef]()
        for end in self.cutter.cut(data, final=True):
            refs.append(ChunkRef(chunk_id(data[at:end]), end - at))
            self.feeder.chunks[refs[-1].id] = data[at:end]
            at = end
        return replace(entry, chunks=tuple(refs))


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    made.source.mkdir()
    yield made
    made.close()


def noise(size_bytes: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size_bytes)


def sent_by(bench: Bench, *, full: bool = False) -> int:
    before = bench.feeder.given
    assert set(bench.run(full=full)) <= {"mirror-edited"}
    assert bench.differences() == []
    assert rsync_sees(bench.source, bench.target) == ""
    return bench.feeder.given - before


def test_of_a_changed_large_file_only_the_change_travels(bench: Bench) -> None:
    bench.feeder.part_bytes = 4 * MIB
    path = bench.source / "disk.img"
    path.write_bytes(noise(20 * MIB))
    sent_by(bench, full=True)
    with path.open("r+b") as file:
        file.seek(9 * MIB)
        file.write(os.urandom(4096))
    assert sent_by(bench) < 2 * FINE.most
    path.write_bytes(path.read_bytes()[: 3 * MIB] + b"put in between" + path.read_bytes()[3 * MIB :])
    assert sent_by(bench) < 3 * FINE.most
    path.rename(bench.source / "renamed.img")
    assert sent_by(bench) == 0


def test_a_file_that_somebody_made_equal_is_taken_as_it_is(bench: Bench) -> None:
    (bench.source / "edited").write_bytes(noise(100_000))
    (bench.source / "other").write_bytes(noise(100_000, 2))
    sent_by(bench, full=True)
    for side in (bench.source, bench.target):
        (side / "edited").write_bytes(noise(200_000, 3))
        (side / "new").write_bytes(noise(150_000, 4))
        (side / "other").unlink()
        (side / "other").write_bytes(noise(300_000, 5) + str(side).encode())
    found = {name: (bench.target / name).stat().st_ino for name in ("edited", "new")}
    before = bench.feeder.given
    assert bench.run() == ["mirror-edited"]
    assert bench.feeder.given - before < 2 * FINE.most
    assert bench.differences() == []
    assert {name: (bench.target / name).stat().st_ino for name in found} == found
    assert bench.removed() == ["other"]
    assert sent_by(bench, full=True) == 0


@pytest.mark.parametrize("cutter", [COARSE, FINE])
def test_a_folder_that_is_taken_over_is_read_once_and_only_differences_travel(bench: Bench, cutter: Cutter) -> None:
    bench.feeder.part_bytes, bench.cutter = 2 * MIB, cutter
    for number in range(20):
        (bench.source / f"{number}.txt").write_bytes(noise(40_000, number))
    (bench.source / "folder").mkdir()
    (bench.source / "folder" / "small").write_bytes(noise(90_000, 40))
    (bench.source / "folder" / "large.img").write_bytes(noise(6 * MIB, 41))
    (bench.source / "grown.img").write_bytes(noise(5 * MIB, 42))
    shutil.copytree(bench.source, bench.target, symlinks=True)
    os.utime(bench.target / "3.txt")
    (bench.source / "folder").rename(bench.source / "renamed")
    (bench.source / "5.txt").write_bytes(noise(30_000, 50))
    (bench.source / "grown.img").write_bytes(b"in front" + noise(5 * MIB, 42) + noise(50_000, 51))
    ends = [0, *cutter.cut((bench.source / "grown.img").read_bytes(), final=True)]
    kept = (bench.target / "4.txt").stat().st_ino
    bench.open(adopt=True)
    before = bench.feeder.given
    assert set(bench.run(full=True)) == {"mirror-edited"}
    assert bench.differences() == []
    assert bench.feeder.given - before == 30_000 + ends[1] + ends[-1] - ends[-2]
    assert (bench.target / "4.txt").stat().st_ino == kept
    assert sent_by(bench, full=True) == 0


def test_where_files_can_be_cloned_only_the_change_is_written(tmp_path: Path) -> None:
    with cloning_disk(tmp_path / "disk"):
        bench = Bench(tmp_path / "disk")
        bench.source.mkdir()
        bench.feeder.part_bytes, bench.keep_s = 4 * MIB, None
        path = bench.source / "disk.img"
        path.write_bytes(noise(60 * MIB))
        sent_by(bench, full=True)
        with path.open("r+b") as file:
            file.seek(9 * MIB)
            file.write(os.urandom(4096))
        state = bench.read()
        written = written_bytes()
        assert bench.mirror is not None
        bench.feeder.send(bench.mirror, bench.last, state)
        assert written_bytes() - written < 12 * MIB, "of it most are the records of 900 chunks"
        assert bench.differences() == []
        bench.close()


def written_bytes() -> int:
    """By this process so far, into files of whatever kind."""
    return int(Path("/proc/self/io").read_text().split("wchar: ")[1].split()[0])


@pytest.mark.parametrize("part_bytes", [100_000, 100 * MIB])
def test_clones_of_files_that_grow_shrink_and_have_holes(tmp_path: Path, part_bytes: int) -> None:
    with cloning_disk(tmp_path / "disk"):
        bench = Bench(tmp_path / "disk")
        bench.source.mkdir()
        bench.feeder.part_bytes, bench.feeder.continuous = part_bytes, True
        path, chance = bench.source / "file", random.Random(3)
        path.write_bytes(noise(900_000))
        sent_by(bench, full=True)
        for number in range(40):
            with path.open("r+b") as file:
                file.seek(chance.randrange(900_000))
                match number % 4:
                    case 0:
                        file.write(chance.randbytes(chance.choice((1, 5_000, 300_000))))
                    case 1:
                        file.write(bytes(400_000))
                    case 2:
                        file.truncate(chance.randrange(150_000, 1_200_000))
                    case _:
                        data = file.read()
                        file.seek(chance.randrange(900_000))
                        file.write(data)
            if number == 20:
                (bench.target / "file").write_bytes(noise(900_000))
                bench.run()
                continue
            sent_by(bench)
        bench.close()


@pytest.mark.big
def test_a_gibibyte_of_which_a_page_changed(bench: Bench) -> None:
    """Sent: below 5 MiB. The mirror copies the rest from what it has."""
    bench.feeder.part_bytes, bench.cutter = 4 * MIB, COARSE
    path = bench.source / "disk.img"
    with path.open("wb") as file:
        for number in range(64):
            file.write(noise(16 * MIB, number))
    sent_by(bench, full=True)
    with path.open("r+b") as file:
        file.seek(700 * MIB)
        file.write(os.urandom(4096))
    bench.feeder.chunks.clear()
    assert 0 < sent_by(bench) < 5 * MIB
