"""A large restore is written by several processes: the same result, the same findings, and never outside the target."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pytest

from holdfast.core.clock import SystemClock
from holdfast.core.errors import Cancelled, StoreError
from holdfast.host.compare import compare_trees
from holdfast.model.orders import RestoreRequest
from holdfast.model.reading import Answer
from holdfast.operations import restore_batches, restore_crew
from holdfast.operations.restore import RestoreResult, restore
from holdfast.testing.odd_tree import build_odd_tree
from holdfast.testing.tree_source import TreeSource
from holdfast.wire.arena import Arena, Region

LARGE = 20 << 20


def allow(path: bytes) -> None:
    del path


def run(source: TreeSource, target: Path, *, writers: int = 2) -> RestoreResult:
    return restore(source, RestoreRequest(target=str(target)), (), clock=SystemClock(), check_write=allow, writers=writers)


def differences(source: TreeSource, target: Path) -> list[str]:
    return [str(difference) for difference in compare_trees(source.root, os.fsencode(target) + source.root)]


def writer_processes() -> list[int]:
    children = Path(f"/proc/{os.getpid()}/task/{threading.get_native_id()}/children").read_text().split()
    return [int(pid) for pid in children if b"restore_writer" in Path(f"/proc/{pid}/cmdline").read_bytes()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Odd files, two large ones (one with a hole), and many small ones."""
    root = tmp_path / "source"
    build_odd_tree(root)
    (root / "large").write_bytes(os.urandom(LARGE))
    with (root / "large sparse").open("wb") as file:
        file.write(os.urandom(6 << 20))
        file.seek(30 << 20)
        file.write(os.urandom(6 << 20))
        file.truncate(50 << 20)
    for number in range(1_200):
        place = root / "many" / f"folder{number // 40:02}"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"file{number:04}").write_bytes(b"%d" % number * (number % 50))
    return root


def test_all_of_it_comes_back(tmp_path: Path, folder: Path) -> None:
    source = TreeSource(folder, chunk_bytes=1 << 20)
    result = run(source, tmp_path / "out")
    assert (result.findings, result.failed) == ((), 0)
    assert (result.files, result.bytes) == (result.plan.files, result.plan.bytes)
    assert differences(source, tmp_path / "out") == []
    sparse = Path(os.fsdecode(os.fsencode(tmp_path / "out") + source.root)) / "large sparse"
    assert sparse.stat().st_blocks * 512 <= 13 << 20


@pytest.mark.parametrize("arena_bytes", [4 << 10, 64 << 10, 3 << 20])
def test_all_of_it_comes_back_also_where_shared_memory_has_no_room(
    tmp_path: Path, folder: Path, arena_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restore_crew, "_ARENA_BYTES", arena_bytes)
    placed: list[bool] = []
    place = Arena.place

    def noted(arena: Arena, pieces: Sequence[bytes], size_bytes: int) -> Region | None:
        region = place(arena, pieces, size_bytes)
        placed.append(region is not None)
        return region

    monkeypatch.setattr(Arena, "place", noted)
    monkeypatch.setattr(restore_batches, "BATCH_FILES", 10)
    source = TreeSource(folder, chunk_bytes=1 << 20)
    result = run(source, tmp_path / "out")
    assert (result.findings, result.failed) == ((), 0)
    assert True in placed
    assert differences(source, tmp_path / "out") == []


def test_a_restore_leaves_no_descriptor_open(tmp_path: Path, folder: Path) -> None:
    source = TreeSource(folder, chunk_bytes=1 << 20)
    run(source, tmp_path / "first")
    before = sorted(os.listdir("/proc/self/fd"))
    run(source, tmp_path / "second")
    assert sorted(os.listdir("/proc/self/fd")) == before


def test_what_is_damaged_is_left_out_and_all_else_is_there(tmp_path: Path, folder: Path) -> None:
    source = TreeSource(folder, chunk_bytes=1 << 20)
    os.link(folder / "large", folder / "large too")
    source = TreeSource(folder, chunk_bytes=1 << 20)
    large, small = source.all[source.root + b"/large"], source.all[source.root + b"/many/folder10/file0401"]
    source.refused.add(large.chunks[7].id)
    source.chunks[small.chunks[0].id] = bytes(small.size_bytes)
    result = run(source, tmp_path / "out")
    named = sorted({os.path.basename(finding.path) for finding in result.findings})
    assert named == ["file0401", "large", "large too"]
    assert result.failed == 3
    place = tmp_path / "out" / os.fsdecode(source.root[1:])
    assert not any((place / name).exists() for name in ("large", "large too", "many/folder10/file0401"))
    assert len(differences(source, tmp_path / "out")) >= 3
    assert not list(place.rglob(".holdfast-tmp-*"))


def test_a_writer_that_dies_ends_the_restore_and_the_next_one_goes_on(tmp_path: Path, folder: Path) -> None:
    class Deadly(TreeSource):
        given = 0

        def answers(self, questions: Iterable[Sequence[bytes]]) -> Iterator[Answer]:
            for answer in super().answers(questions):
                self.given += 1
                if self.given == 4:
                    os.kill(writer_processes()[0], signal.SIGKILL)
                yield answer

    source = Deadly(folder, chunk_bytes=1 << 20)
    with pytest.raises(StoreError, match="has died"):
        run(source, tmp_path / "out")
    result = run(TreeSource(folder, chunk_bytes=1 << 20), tmp_path / "out")
    assert (result.failed, result.findings) == (0, ())
    assert differences(source, tmp_path / "out") == []
    assert not list((tmp_path / "out").rglob(".holdfast-tmp-*"))


def test_cancelling_leaves_nothing_running_and_only_whole_files(tmp_path: Path, folder: Path) -> None:
    source = TreeSource(folder, chunk_bytes=1 << 20)
    asked = 0

    def cancelled() -> bool:
        nonlocal asked
        asked += 1
        return asked > 60

    request = RestoreRequest(target=str(tmp_path / "out"))
    with pytest.raises(Cancelled):
        restore(source, request, (), clock=SystemClock(), check_write=allow, writers=2, cancelled=cancelled)
    assert writer_processes() == []
    assert not list((tmp_path / "out").rglob(".holdfast-tmp-*"))
    for found in (tmp_path / "out" / os.fsdecode(source.root[1:])).rglob("file*"):
        assert found.read_bytes() == (folder / found.relative_to(tmp_path / "out" / os.fsdecode(source.root[1:]))).read_bytes()


@pytest.mark.parametrize("writers", [0, 2])
def test_links_planted_while_it_runs_lead_nowhere(tmp_path: Path, folder: Path, writers: int) -> None:
    """Somebody who may write in the target puts links in the place of folders, as fast as they can, for the whole restore."""
    source = TreeSource(folder, chunk_bytes=1 << 20)
    outside = tmp_path / "outside"
    outside.mkdir()
    place = tmp_path / "out" / os.fsdecode(source.root[1:]) / "many"
    over, planted = threading.Event(), 0

    def plant() -> None:
        nonlocal planted
        while not over.is_set():
            for number in range(30):
                victim, aside = place / f"folder{number:02}", place / f"aside{number:02}"
                try:
                    if victim.is_symlink():
                        victim.unlink()
                        aside.rename(victim)
                    else:
                        victim.rename(aside)
                        victim.symlink_to(outside)
                        planted += 1
                except OSError:
                    continue

    attacker = threading.Thread(target=plant)
    attacker.start()
    try:
        for _ in range(3):
            result = run(source, tmp_path / "out", writers=writers)
    finally:
        over.set()
        attacker.join()
    assert planted > 0
    assert os.listdir(outside) == []
    assert {finding.code for finding in result.findings} <= {"conflict", "store", "not-a-folder"}


def test_a_file_put_in_the_place_of_one_being_written_is_not_written_to(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "large").write_bytes(os.urandom(LARGE))
    secret = tmp_path / "secret"
    secret.write_bytes(b"not to be touched")
    place = tmp_path / "out" / str(tmp_path / "source")[1:]

    class Attacked(TreeSource):
        def answers(self, questions: Iterable[Sequence[bytes]]) -> Iterator[Answer]:
            for answer in super().answers(questions):
                for draft in place.glob(".holdfast-tmp-*"):
                    draft.unlink()
                    os.link(secret, draft)
                yield answer

    result = run(Attacked(tmp_path / "source", chunk_bytes=1 << 20), tmp_path / "out")
    assert secret.read_bytes() == b"not to be touched"
    assert [finding.code for finding in result.findings] == ["conflict"]
    assert not (place / "large").exists()


_KILLED = """
import os, sys
from pathlib import Path
from holdfast.core.clock import SystemClock
from holdfast.model.orders import RestoreRequest
from holdfast.operations.restore import restore
from holdfast.testing.tree_source import TreeSource
from holdfast.wire.arena import Arena, Region

class Slow(TreeSource):
    def answers(self, questions):
        for answer in super().answers(questions):
            print("answer", flush=True)
            sys.stdin.readline()
            yield answer

source = Slow(Path(sys.argv[1]), chunk_bytes=1 << 20)
restore(source, RestoreRequest(target=sys.argv[2]), (), clock=SystemClock(), check_write=lambda path: None, writers=int(sys.argv[3]))
print("over", flush=True)
"""


@pytest.mark.parametrize(("writers", "after"), [(0, 2), (2, 1), (2, 5), (2, 9)])
def test_a_restore_killed_anywhere_goes_on_and_ends_the_same(tmp_path: Path, folder: Path, writers: int, after: int) -> None:
    command = [sys.executable, "-c", _KILLED, str(folder), str(tmp_path / "out"), str(writers)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for _ in range(after):
            assert process.stdout.readline() == "answer\n"
            process.stdin.write("\n")
            process.stdin.flush()
        process.kill()
    source = TreeSource(folder, chunk_bytes=1 << 20)
    result = run(source, tmp_path / "out", writers=writers)
    assert (result.failed, result.findings) == (0, ())
    assert result.kept + result.files == TreeSource(folder).all.__len__() - result.plan.folders
    assert differences(source, tmp_path / "out") == []
    again = run(source, tmp_path / "out", writers=writers)
    assert again.bytes == 0
