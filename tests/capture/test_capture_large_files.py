"""Large files: parts, windows, holes, and files that change under the reader."""

from __future__ import annotations

import errno
import os
import random

import pytest

from holdfast.capture import reader as reader_module
from holdfast.capture.chunking import COARSE, FINE
from holdfast.capture.reader import Captured, Job, Reader
from holdfast.capture.segments import MAX_BYTES
from holdfast.host.metadata import Names


def _noise(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


def test_a_large_file_travels_in_parts(machine):
    content = _noise(30 << 20)
    path = machine.source / "big"
    path.write_bytes(content)
    (machine.source / "after").write_bytes(b"small")
    docs = machine.dataset()
    result = machine.run(docs)
    assert docs.content(os.fsencode(path)) == content
    assert result.counters.read_bytes == (30 << 20) + 5


def test_windows_cut_as_one_piece_would(machine):
    content = _noise(20 << 20, 2)
    path = machine.source / "big"
    path.write_bytes(content)
    for granularity, cutter in (("auto", COARSE), ("fine", FINE)):
        docs = machine.dataset(granularity, granularity=granularity)
        machine.run(docs)
        sizes = [ref.size_bytes for ref in docs.tree[os.fsencode(path)].chunks]
        ends = cutter.cut(content, final=True)
        assert sizes == [end - start for start, end in zip([0, *ends], ends, strict=False)]
        machine.state.forget(docs.dataset)


def test_an_edit_in_a_large_file_sends_little(machine):
    content = bytearray(_noise(40 << 20, 3))
    path = machine.source / "big"
    path.write_bytes(content)
    docs = machine.dataset()
    machine.run(docs)
    before = docs.received_bytes
    content[30 << 20 : (30 << 20) + 10] = b"0123456789"
    path.write_bytes(content)
    machine.run(docs)
    assert docs.content(os.fsencode(path)) == content
    assert docs.received_bytes - before <= 16 << 20


def test_a_large_file_only_touched_sends_nothing(machine):
    path = machine.source / "big"
    path.write_bytes(_noise(20 << 20, 4))
    docs = machine.dataset()
    machine.run(docs)
    before = docs.received_bytes
    os.utime(path, ns=(5, 5))
    result = machine.run(docs)
    assert docs.received_bytes == before
    assert machine.puts(docs) == 1
    assert result.counters.read_bytes == 20 << 20
    assert machine.below(docs) == machine.facts()


def test_truncated_at_a_chunk_boundary(machine):
    path = machine.source / "big"
    content = _noise(30 << 20, 5)
    path.write_bytes(content)
    docs = machine.dataset()
    machine.run(docs)
    size = sum(ref.size_bytes for ref in docs.tree[os.fsencode(path)].chunks[:-2])
    os.truncate(path, size)
    machine.run(docs)
    assert docs.content(os.fsencode(path)) == content[:size]


def test_huge_holes_cost_nothing(machine):
    path = machine.source / "sparse"
    with path.open("wb") as file:
        file.write(b"begin")
        file.seek(2 << 30)
        file.write(b"end")
    docs = machine.dataset()
    result = machine.run(docs)
    entry = docs.tree[os.fsencode(path)]
    assert entry.size_bytes == (2 << 30) + 3
    assert sum(ref.size_bytes for ref in entry.chunks) == entry.size_bytes
    assert result.counters.read_bytes < 1 << 20
    # Distinct chunks are few: begin, zeros, end.
    assert len({ref.id for ref in entry.chunks}) < 5


def test_hard_links_of_a_large_file_are_read_once(machine):
    path = machine.source / "a"
    path.write_bytes(_noise(12 << 20, 6))
    os.link(path, machine.source / "b")
    os.link(path, machine.source / "c")
    docs = machine.dataset()
    result = machine.run(docs)
    assert result.counters.read_bytes == 12 << 20
    assert machine.below(docs) == machine.facts()


class _WritingClock:
    """Grows the file at every look at the time: it changes in each of the reader's tries."""

    def __init__(self, path, times):
        self._path, self._times = path, times

    def now_ns(self) -> int:
        return 1 << 62

    def monotonic_s(self) -> float:
        return 0.0

    def grow(self, _count):
        if self._times:
            self._times -= 1
            with open(self._path, "ab") as file:
                file.write(b"more")


def test_a_file_that_changes_while_read_is_tried_again(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(b"start")
    clock = _WritingClock(path, times=2)
    got = Reader(clock, Names(), clock.grow).capture(Job(os.fsencode(path), "auto", file=True))
    assert isinstance(got, Captured)
    assert not got.entry.unstable
    assert got.entry.size_bytes == len(b"startmoremore")


def test_a_file_that_never_rests_is_kept_as_read_and_marked(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(b"start")
    clock = _WritingClock(path, times=99)
    got = Reader(clock, Names(), clock.grow).capture(Job(os.fsencode(path), "auto", file=True))
    assert isinstance(got, Captured)
    assert got.entry.unstable
    assert got.flags
    assert [finding.code for finding in got.findings] == ["changed-while-read"]
    assert got.entry.size_bytes == sum(ref.size_bytes for ref in got.entry.chunks)


def test_a_large_file_that_shrinks_while_read(tmp_path):
    path = tmp_path / "big"
    path.write_bytes(_noise(20 << 20, 7))
    reader = Reader(_WritingClock(path, 0), Names(), lambda count: os.truncate(path, 9 << 20))
    stream = reader.open(Job(os.fsencode(path), "auto"))
    total = 0
    while chunks := stream.window():
        total += sum(chunk.size_bytes for chunk in chunks)
    got = stream.finish()
    stream.close()
    assert got.entry.unstable
    assert got.entry.size_bytes == total == 9 << 20


def test_granularity_sticks_to_the_file(machine):
    path = machine.source / "file"
    content = bytearray(_noise(2 << 20, 8))
    path.write_bytes(content)
    docs = machine.dataset(granularity="fine")
    machine.run(docs)
    machine.dataset("docs", granularity="auto")
    content[:4] = b"edit"
    path.write_bytes(content)
    before = docs.received_bytes
    machine.run(docs)
    assert docs.received_bytes - before <= FINE.most


def test_the_whole_file_limit_fits_a_segment():
    assert reader_module.WHOLE_BYTES <= MAX_BYTES


def _fail_beyond(monkeypatch, offset: int) -> None:
    """Reads behind `offset` fail as those of a bad disk do."""
    real = os.preadv

    def preadv(descriptor: int, buffers: list[memoryview], position: int) -> int:
        if position >= offset:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(descriptor, buffers, position)

    monkeypatch.setattr(reader_module.os, "preadv", preadv)


@pytest.mark.parametrize("before", [1 << 20, 20 << 20], ids=["small before", "large before"])
def test_a_large_file_that_cannot_be_read_to_its_end(machine, monkeypatch, before):
    path = machine.source / "big"
    path.write_bytes(_noise(before, 6))
    (machine.source / "after").write_bytes(b"after")
    docs = machine.dataset()
    machine.run(docs)
    old = docs.content(os.fsencode(path))
    path.write_bytes(_noise(40 << 20, 7))
    behind = machine.dataset()
    with monkeypatch.context() as patched:
        _fail_beyond(patched, 24 << 20)
        result = machine.run(docs, behind)
    assert [finding.code for finding in result.findings] == ["unreadable"]
    assert docs.content(os.fsencode(path)) == old
    assert os.fsencode(path) not in behind.tree
    assert behind.content(os.fsencode(machine.source / "after")) == b"after"
    machine.run(docs, behind)
    for receiver in (docs, behind):
        assert receiver.content(os.fsencode(path)) == _noise(40 << 20, 7)
