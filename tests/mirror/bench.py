"""Drawn trees and a mirror of them, over its lives."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from msgspec.structs import replace

from holdfast.core.errors import StoreError
from holdfast.core.ids import ActionId, DatasetId, NodeId
from holdfast.mirror.mirror import Mirror, MirrorStore
from holdfast.model.change import Acknowledgement, Move
from holdfast.model.entry import ChunkRef, Entry, Kind
from holdfast.model.rules import MirrorAction, Receive
from holdfast.testing.feeding import Feeder, States, chunk_id
from holdfast.testing.tree_source import TreeSource

ROOT = b"/data/root"
DATASET = DatasetId("d" * 32)
# Each commit waits for the disk several times; memory is enough to be killed on.
SCRATCH = "/dev/shm" if os.path.isdir("/dev/shm") else None
ONE, TWO = b"1" * 4096, b"2" * 4096
CONTENTS = (b"", b"x", ONE + b"tail", ONE + TWO, TWO + ONE, bytes(4096) * 3, (ONE + TWO) * 2 + bytes(4096) + b"end", TWO * 5)
CHUNKS = {chunk_id(data[at : at + 4096]): data[at : at + 4096] for data in CONTENTS for at in range(0, len(data), 4096)}

Moved = Sequence[tuple[bytes, bytes]]
Spec = tuple[str, int, int]  # kind, content, hard link group (0 = none); of a folder its inode


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
        return Entry(path=path, kind=Kind.DIRECTORY, mode=0o700 + content, mtime_ns=content, inode=group)
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
    return replace(entry, links=groups[entry.inode]) if entry.kind is Kind.FILE else entry


def facts(entry: Entry) -> tuple[object, ...]:
    return (entry.kind, entry.mode, entry.size_bytes, entry.mtime_ns, entry.link_target, entry.chunks)


def groups_of(entries: dict[bytes, Entry]) -> set[frozenset[bytes]]:
    """Names of one file. A further one may be outside, where removals are kept."""
    found: dict[tuple[int, int], set[bytes]] = {}
    for path, entry in entries.items():
        if entry.kind is Kind.FILE and entry.links > 1:
            found.setdefault((entry.device, entry.inode), set()).add(path)
    return {frozenset(group) for group in found.values() if len(group) > 1}


class Bench:
    def __init__(self, place: Path, keep_s: float | None) -> None:
        self.place = place
        self.target = place / "copy"
        self.keep_s = keep_s
        self.feeder = Feeder(DATASET, (ROOT,), CHUNKS, part_bytes=9000)
        self.action: Mirror | None = None
        self.last: States | None = None
        self.looks = True
        """Whether commits are those of full runs, at which the mirror looks at all it has."""

    def open(self, *, adopt: bool = False) -> Mirror:
        if self.action is None:
            rule = MirrorAction(id=ActionId("a" * 32), targets=((os.fsdecode(ROOT), str(self.target)),), removed_keep_s=self.keep_s)
            receive = Receive(dataset=DATASET, label="x", sender=NodeId("n"), actions=(rule,))
            self.action = MirrorStore(self.place / "home").open_mirror(rule, receive, clock=StillClock(), adopt=adopt)
        return self.action

    def close(self) -> None:
        if self.action is not None:
            self.action.close()
            self.action = None

    def send(self, state: States, *, full: bool, moves: Moved = ()) -> None:
        """`moves`: (from, to) below the root, as the source tells them."""
        assert self.tell(state, full=full, moves=moves).findings == ()

    def tell(self, state: States, *, full: bool = False, moves: Moved = ()) -> Acknowledgement:
        """As `send`, where there may be findings."""
        mirror = self.open()
        self.feeder.continuous = bool(moves) or not self.looks
        hints = tuple(Move(ROOT + b"/" + old, ROOT + b"/" + new) for old, new in moves)
        answer = self.feeder.send(mirror, None if full or mirror.cursor() is None else self.last, state, moves=hints)
        self.last = state
        return answer

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

    def check(self, state: States, *, links: bool = True) -> None:
        expected = {path[len(ROOT) :]: entry for path, entry in state.items() if path.startswith(ROOT)}
        read = TreeSource(self.target)
        found = {path[len(read.root) :]: entry for path, entry in read.all.items() if path.startswith(read.root)}
        assert {path: facts(entry) for path, entry in found.items()} == {path: facts(entry) for path, entry in expected.items()}
        assert not links or groups_of(found) == groups_of(expected)


BEFORE: dict[bytes, Spec] = {
    b"a": ("dir", 1, 0), b"a/b": ("file", 6, 0), b"a/c": ("file", 3, 1), b"b": ("file", 3, 1), b"c": ("file", 2, 0), b"d": ("dir", 0, 0),
    b"d/e": ("file", 4, 0), b"d/f": ("link", 1, 0), b"g": ("file", 7, 0), b"k": ("fifo", 1, 0),
}  # fmt: skip
AFTER: dict[bytes, Spec] = {
    b"a": ("file", 6, 0), b"b": ("file", 3, 1), b"b2": ("file", 3, 1), b"c": ("dir", 2, 0), b"c/moved": ("file", 4, 0),
    b"d": ("link", 0, 0), b"g": ("file", 5, 0), b"h": ("file", 7, 2), b"i": ("file", 7, 2), b"k": ("link", 3, 0),
}  # fmt: skip
