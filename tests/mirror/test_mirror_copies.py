"""A mirror as a copy to heal from: chunks that are really there, and never a byte that is not what its id says."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.core.errors import StoreError
from holdfast.core.ids import ActionId
from holdfast.mirror.copies import MirrorCopy
from holdfast.model.rules import MirrorAction
from tests.mirror.test_mirror import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    made.source.mkdir()
    for number in range(5):
        (made.source / f"file{number}").write_bytes(os.urandom(9_000))
    made.run()
    yield made
    made.close()


def copy_of(bench: Bench) -> MirrorCopy:
    return MirrorCopy(MirrorAction(id=ActionId("a" * 32), targets=((str(bench.source), str(bench.target)),)))


def wanted(bench: Bench) -> dict[bytes, bytes]:
    return {ref.id: bench.feeder.chunks[ref.id] for entry in bench.read().values() for ref in entry.chunks}


def test_every_chunk_is_had_also_while_a_session_is_open(bench: Bench) -> None:
    ids = sorted(wanted(bench))
    assert len(ids) == 15
    assert dict(copy_of(bench).give([*ids, bytes(32)], False)) == wanted(bench)
    assert list(copy_of(bench).give(ids, True)) == []
    bench.close()
    assert dict(copy_of(bench).give(ids[:1], False)) == {ids[0]: wanted(bench)[ids[0]]}


def test_what_was_changed_under_the_same_size_and_time_is_not_given(bench: Bench) -> None:
    before = wanted(bench)
    path = bench.target / "file2"
    found = path.stat()
    with path.open("r+b") as file:
        first = file.read(1)
        file.seek(0)
        file.write(bytes([first[0] ^ 1]))
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
    (bench.target / "file3").unlink()
    (bench.target / "file4").unlink()
    (bench.target / "file4").symlink_to("/etc/passwd")
    given = dict(copy_of(bench).give(sorted(before), False))
    assert len(given) == len(before) - 1 - 6
    assert all(before[chunk] == plain for chunk, plain in given.items())


def test_a_file_that_was_put_back_with_another_time_still_serves(bench: Bench) -> None:
    before = wanted(bench)
    path = bench.target / "file1"
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content)
    os.utime(path, (1, 1))
    assert dict(copy_of(bench).give(sorted(before), False)) == before


def test_where_no_mirror_is_nothing_is_made(bench: Bench, tmp_path: Path) -> None:
    elsewhere = MirrorCopy(MirrorAction(id=ActionId("a" * 32), targets=(("/data", str(tmp_path / "elsewhere")),)))
    assert list(elsewhere.give(sorted(wanted(bench)), False)) == []
    assert not (tmp_path / ".holdfast-elsewhere").exists()


def test_records_that_are_no_database_are_an_error_of_ours(bench: Bench) -> None:
    ids = sorted(wanted(bench))
    bench.close()
    for path in bench.side.glob("mirror.db*"):
        path.unlink()
    (bench.side / "mirror.db").write_bytes(b"no database" * 500)
    with pytest.raises(StoreError):
        list(copy_of(bench).give(ids, False))
