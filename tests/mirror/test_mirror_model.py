"""Any sequence of states, full or step by step, withdrawn chunks, sessions cut off and processes killed: the mirror ends equal."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.core.errors import StoreError
from holdfast.core.ids import ActionId, DatasetId, NodeId
from holdfast.mirror.mirror import Mirror, MirrorStore
from holdfast.model.entry import ChunkRef, Entry, Kind
from holdfast.model.rules import MirrorAction, Receive
from holdfast.testing.child import run_until_killed
from holdfast.testing.feeding import Feeder, States, chunk_id
from holdfast.testing.tree_source import TreeSource

ROOT = b"/data/root"
DATASET = DatasetId("d" * 32)
# Each commit waits for the disk several times; memory is enough to be killed on.
SCRATCH = "/dev/shm" if os.path.isdir("/dev/shm") else None
ONE, TWO = b"1" * 4096, b"2" * 4096
CONTENTS = (b"", b"x", ONE + b"tail", ONE + TWO, TWO + ONE, bytes(4096) * 3, (ONE + TWO) * 2 + bytes(4096) + b"end", TWO * 5)
CHUNKS = {chunk_id(data[at : at + 4096]): data[at : at + 4096] for data in CONTENTS for at in range(0, len(data), 4096)}

Spec = tuple[str, int, int]  # kind, content, hard link group (0 = none)
specs = st.tuples(
    st.sampled_from(["dir", "dir", "file", "file", "file", "link", "fifo"]), st.integers(0, len(CONTENTS) - 1), st.integers(0, 2)
)
names = st.sampled_from([b"a", b"b", b"a-b"])
trees = st.dictionaries(st.lists(names, min_size=1, max_size=3).map(b"/".join), specs, max_size=9)


class StillClock:
    def now_ns(self) -> int:
        return 1_800_000_000 * 10**9

    def monotonic_s(self) -> float:
        return 0.0


def state_of(tree: dict[bytes, Spec]) -> States:
    """Entries of a drawn tree; what lies below something that is no folder is left out."""
    entries = {
        b"/data": Entry(path=b"/data", kind=Kind.DIRECTORY, mode=0o755),
        ROOT: Entry(path=ROOT, kind=Kind.DIRECTORY, mode=0o755, mtime_ns=9),
    }
    contents = {spec[2]: spec[1] for spec in tree.values() if spec[0] == "file" and spec[2]}
    for name in sorted(tree):
        path = ROOT + b"/" + name
        parent = entries.get(path.rpartition(b"/")[0])
        if parent is not None and parent.kind is Kind.DIRECTORY:
            entries[path] = _entry(path, tree[name], contents)
    groups: dict[int, int] = {}
    for entry in entries.values():
        if entry.kind is Kind.FILE:
            groups[entry.inode] = groups.get(entry.inode, 0) + 1
    return {path: _with_links(entry, groups) for path, entry in entries.items()}


def _entry(path: bytes, spec: Spec, contents: dict[int, int]) -> Entry:
    kind, content, group = spec
    if kind == "dir":
        return Entry(path=path, kind=Kind.DIRECTORY, mode=0o700 + content, mtime_ns=content)
    if kind == "link":
        return Entry(path=path, kind=Kind.SYMLINK, mode=0o777, link_target=b"to-%d" % content, mtime_ns=content)
    if kind == "fifo":
        return Entry(path=path, kind=Kind.FIFO, mode=0o600 + content, mtime_ns=content)
    data = CONTENTS[contents.get(group, content)]
    refs = tuple(ChunkRef(chunk_id(data[at : at + 4096]), len(data[at : at + 4096])) for at in range(0, len(data), 4096))
    inode = group or int.from_bytes(chunk_id(path)[:4], "big") + 10
    mtime = contents.get(group, content) + 100
    return Entry(path=path, kind=Kind.FILE, mode=0o640, size_bytes=len(data), mtime_ns=mtime, inode=inode, device=1, chunks=refs)


def _with_links(entry: Entry, groups: dict[int, int]) -> Entry:
    from msgspec.structs import replace

    return replace(entry, links=groups[entry.inode]) if entry.kind is Kind.FILE else entry


def facts(entry: Entry) -> tuple[object, ...]:
    return (entry.kind, entry.mode, entry.size_bytes, entry.mtime_ns, entry.link_target, entry.chunks)


def groups_of(entries: dict[bytes, Entry]) -> set[frozenset[bytes]]:
    found: dict[tuple[int, int], set[bytes]] = {}
    for path, entry in entries.items():
        if entry.kind is Kind.FILE and entry.links > 1:
            found.setdefault((entry.device, entry.inode), set()).add(path)
    return {frozenset(group) for group in found.values()}


class Bench:
    def __init__(self, place: Path, keep_s: float | None) -> None:
        self.place = place
        self.target = place / "copy"
        self.keep_s = keep_s
        self.feeder = Feeder(DATASET, (ROOT,), CHUNKS, part_bytes=9000)
        self.action: Mirror | None = None
        self.last: States | None = None

    def open(self) -> Mirror:
        if self.action is None:
            rule = MirrorAction(id=ActionId("a" * 32), targets=((os.fsdecode(ROOT), str(self.target)),), removed_keep_s=self.keep_s)
            receive = Receive(dataset=DATASET, label="x", sender=NodeId("n"), actions=(rule,))
            self.action = MirrorStore(self.place / "home").open_mirror(rule, receive, clock=StillClock())
        return self.action

    def close(self) -> None:
        if self.action is not None:
            self.action.close()
            self.action = None

    def send(self, state: States, *, full: bool) -> None:
        mirror = self.open()
        answer = self.feeder.send(mirror, None if full or mirror.cursor() is None else self.last, state)
        assert [finding for finding in answer.findings if finding.code != "x"] == []
        self.last = state

    def cut_off(self, state: States, *, after: int, full: bool, reopen: bool) -> None:
        """A session that ends in the middle; then the mirror is what it was."""

        def stop(number: int) -> None:
            if number >= after:
                raise StoreError("cut off")

        mirror = self.open()
        self.feeder.on_segment = stop
        try:
            self.feeder.send(mirror, None if full or self.last is None else self.last, state)
            self.last = state
        except StoreError:
            mirror.abort()
        finally:
            self.feeder.on_segment = None
        if reopen:
            self.close()
        if self.last is not None:
            self.check(self.last)

    def check(self, state: States) -> None:
        expected = {path[len(ROOT) :]: entry for path, entry in state.items() if path.startswith(ROOT)}
        read = TreeSource(self.target)
        found = {path[len(read.root) :]: entry for path, entry in read.all.items() if path.startswith(read.root)}
        assert {path: facts(entry) for path, entry in found.items()} == {path: facts(entry) for path, entry in expected.items()}
        assert groups_of(found) == groups_of(expected)


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
                    bench.send(state, full=after % 2 == 0)
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


BEFORE: dict[bytes, Spec] = {
    b"a": ("dir", 1, 0), b"a/b": ("file", 6, 0), b"a/c": ("file", 3, 1), b"b": ("file", 3, 1), b"c": ("file", 2, 0), b"d": ("dir", 0, 0),
    b"d/e": ("file", 4, 0), b"d/f": ("link", 1, 0), b"g": ("file", 7, 0), b"k": ("fifo", 1, 0),
}  # fmt: skip
AFTER: dict[bytes, Spec] = {
    b"a": ("file", 6, 0), b"b": ("file", 3, 1), b"b2": ("file", 3, 1), b"c": ("dir", 2, 0), b"c/moved": ("file", 4, 0),
    b"d": ("link", 0, 0), b"g": ("file", 5, 0), b"h": ("file", 7, 2), b"i": ("file", 7, 2), b"k": ("link", 3, 0),
}  # fmt: skip
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


@pytest.mark.parametrize("keep_s", [None, 60.0])
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
