"""Files whose changes no kernel tells: found by who holds them."""

from __future__ import annotations

import mmap
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from holdfast.core.clock import SystemClock
from holdfast.host.watch import OpenFiles
from holdfast.host.watch.territory import Territory
from holdfast.testing.virtual_clock import VirtualClock


def finder(root: Path, cut: Path | None = None) -> OpenFiles:
    return OpenFiles(Territory([os.fsencode(root)], [] if cut is None else [os.fsencode(cut)]), SystemClock(), budget_s=60)


def test_open_for_writing_and_mapped_writable(tmp_path: Path) -> None:
    names = {name: tmp_path / name for name in ("written", "appended", "read", "mapped", "private", "closed", "removed", "cut")}
    for path in names.values():
        path.write_bytes(b"x")
    odd = os.fsencode(tmp_path) + b"/odd\n\xff"
    with (
        names["written"].open("r+b"),
        names["appended"].open("ab"),
        names["read"].open("rb") as read,
        names["removed"].open("r+b"),
        names["cut"].open("r+b"),
        open(odd, "w+b") as odd_file,
    ):
        names["removed"].unlink()
        odd_file.write(b"x")
        odd_file.flush()
        with names["mapped"].open("r+b") as file:
            shared = mmap.mmap(file.fileno(), 1)
        with names["private"].open("r+b") as file:
            private = mmap.mmap(file.fileno(), 1, flags=mmap.MAP_PRIVATE)
        readable = mmap.mmap(read.fileno(), 1, prot=mmap.PROT_READ)
        with shared, private, readable, mmap.mmap(odd_file.fileno(), 1):
            found = finder(tmp_path, names["cut"]).suspects()
    assert found.complete
    # A mapping keeps a descriptor of its own in Python, so a mapped file is an open one too, except where it was mapped read-only.
    held = {os.fsencode(names[name]) for name in ("written", "appended")} | {odd}
    assert found.open_files >= held
    assert found.mapped_files == {os.fsencode(names["mapped"]), odd}
    for name in ("read", "closed", "removed", "cut"):
        assert os.fsencode(names[name]) not in found.open_files
    assert finder(tmp_path).suspects().open_files == frozenset()


_MAPPER = """
import mmap, sys
sys.stdin.readline()
with open(sys.argv[1], "r+b") as file:
    mapping = mmap.mmap(file.fileno(), 1)
mapping[0:1] = b"y"
print("mapped", flush=True)
sys.stdin.readline()
mapping.close()
print("given up", flush=True)
sys.stdin.readline()
"""


def test_a_process_that_slept_when_it_was_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x")
    open_files = finder(tmp_path)
    command = [sys.executable, "-c", _MAPPER, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        held: list[frozenset[bytes]] = [open_files.suspects().mapped_files]
        for said in ("mapped", "given up"):
            print(file=child.stdin, flush=True)
            assert child.stdout.readline().strip() == said
            held.append(open_files.suspects().mapped_files)
        assert held == [frozenset(), {os.fsencode(path)}, frozenset()]
        child.communicate("\n")
    assert not open_files.suspects().open_files


class _Hurried(VirtualClock):
    """A second passes with each look at it."""

    def monotonic_s(self) -> float:
        self.advance(1)
        return super().monotonic_s()


def test_a_file_deeper_than_a_path_can_name(tmp_path: Path) -> None:
    (tmp_path / "near").write_bytes(b"x")
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        for _ in range(20):
            os.mkdir("d" * 250, dir_fd=folder)
            above, folder = folder, os.open("d" * 250, os.O_RDONLY, dir_fd=folder)
            os.close(above)
        with (tmp_path / "near").open("ab"):
            assert finder(tmp_path).suspects().open_files == {os.fsencode(tmp_path / "near")}
    finally:
        os.close(folder)
        shutil.rmtree(tmp_path / ("d" * 250))


def test_a_small_budget_goes_round_in_steps(tmp_path: Path) -> None:
    open_files = OpenFiles(Territory([os.fsencode(tmp_path)]), _Hurried(datetime(2026, 1, 1, tzinfo=UTC)), budget_s=0.5)
    with (tmp_path / "file").open("wb"):
        seen: set[bytes] = set()
        rounds = 0
        complete = False
        while not complete:
            found = open_files.suspects()
            seen |= found.open_files
            complete = found.complete
            rounds += 1
        assert seen == {os.fsencode(tmp_path / "file")}
        assert rounds > 1
