"""Sources of the state machine: trees in memory with all that a tree can hold, edited by small steps, and their contents by number."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache

from hypothesis import strategies as st
from msgspec.structs import replace

from holdfast.core.ids import DatasetId, Epoch, NodeId, PointId
from holdfast.model.change import Commit, Mark
from holdfast.model.entry import ChunkRef, Entry, Hole, Kind, Xattr, walk_key
from holdfast.testing.feeding import Feeder

Tree = Mapping[bytes, Entry]
Edit = tuple[str, int, int]
NAMES = (b"a", b"b", b"a-b", b"note.txt", b"\xff")
_PLACES = [b"/" + name for name in NAMES]
_PLACES += [folder + b"/" + name for folder in (b"/a", b"/b") for name in NAMES[1:4]]
_PLACES += [b"/a/b/" + name for name in NAMES[:3]]
EDITS = ("file", "file", "file", "folder", "link", "symlink", "fifo", "device", "sparse", "xattr", "chmod", "remove", "rename", "clear")
CONTENTS = 16
CHUNK_BYTES = 4_096


@cache
def _block(number: int) -> bytes:
    return random.Random(number).randbytes(CHUNK_BYTES) if number % 3 else b"%d " % number * (CHUNK_BYTES // 4)


@cache
def content(number: int) -> bytes:
    """Nothing, a few bytes, a chunk, or ten: large ones have chunks in common with each other."""
    match number % 4:
        case 0:
            return b""
        case 1:
            return b"small %d\n" % number
        case 2:
            return _block(number)[:CHUNK_BYTES]
        case _:
            return b"".join(_block(100 + (number + place) % 13) for place in range(10))


def chunks_of(data: bytes) -> dict[bytes, bytes]:
    parts = [data[at : at + CHUNK_BYTES] for at in range(0, len(data), CHUNK_BYTES)]
    return {hashlib.sha256(part).digest(): part for part in parts}


def refs_of(data: bytes) -> tuple[ChunkRef, ...]:
    parts = [data[at : at + CHUNK_BYTES] for at in range(0, len(data), CHUNK_BYTES)]
    return tuple(ChunkRef(hashlib.sha256(part).digest(), len(part)) for part in parts)


_SPARSE = _block(1) + bytes(2 * CHUNK_BYTES) + _block(2)
CHUNKS = {chunk_id: part for number in range(CONTENTS) for chunk_id, part in chunks_of(content(number)).items()} | chunks_of(_SPARSE)
"""Every chunk that any source can ever have, by its id."""

edit_lists = st.lists(
    st.tuples(st.sampled_from(EDITS), st.integers(0, len(_PLACES) - 1), st.integers(0, CONTENTS - 1)), min_size=1, max_size=6
)


@dataclass(frozen=True)
class Pending:
    """A commit that was sent and not acknowledged: the source may send the same again."""

    seq: int
    tree: Tree
    marks: tuple[tuple[str, PointId], ...]
    at: datetime


@dataclass
class Source:
    """One dataset on its node. `number` makes its ids."""

    number: int
    seq: int = 0
    epochs: int = 1
    points: int = 0
    tree: dict[bytes, Entry] = field(default_factory=dict)
    pending: Pending | None = None
    _inodes: int = 0

    def __post_init__(self) -> None:
        self.tree = {path: Entry(path=path, kind=Kind.DIRECTORY, mode=0o755) for path in (b"/data", self.root)}

    @property
    def dataset(self) -> DatasetId:
        return DatasetId(f"{self.number:x}" * 32)

    @property
    def label(self) -> str:
        return f"files/set{self.number}"

    @property
    def root(self) -> bytes:
        return b"/data/set%d" % self.number

    @property
    def sender(self) -> NodeId:
        """The last dataset is another node's."""
        return NodeId(("b" if self.number == 3 else "a") * 32)

    @property
    def epoch(self) -> Epoch:
        return Epoch(f"{self.epochs:032x}")

    def new_epoch(self) -> None:
        """The node has lost its state: it counts from the beginning again."""
        self.epochs += 1
        self.seq, self.pending = 0, None

    def next_commit(self, operations: tuple[str, ...], at: datetime) -> Pending:
        self.seq += 1
        self.points += 1
        marks = tuple((name, PointId(f"{self.points:x}{self.number}{name.encode().hex()}".ljust(32, "0"))) for name in operations)
        return Pending(self.seq, dict(self.tree), marks, at)

    def feeder(self, pending: Pending) -> ModelFeeder:
        """Sends this commit next."""
        return ModelFeeder(
            dataset=self.dataset,
            roots=(self.root,),
            chunks=CHUNKS,
            epoch=self.epoch,
            segment_changes=2,
            part_bytes=10_000,
            seq=pending.seq - 1,
            marks=pending.marks,
            at=pending.at,
        )

    def copy_from(self, other: Source, number: int, at_ns: int) -> None:
        """One of the other's files, so that nothing of it has to be sent."""
        files = sorted(path for path, entry in other.tree.items() if entry.chunks and not entry.holes)
        if files:
            data = b"".join(CHUNKS[ref.id] for ref in other.tree[files[number % len(files)]].chunks)
            self._put(self.root + _PLACES[number % len(NAMES)], Kind.FILE, at_ns, data)
            self._tidy()

    def edit(self, edits: list[Edit], at_ns: int) -> None:
        for what, place, number in edits:
            self._edit(what, self.root + _PLACES[place], number, at_ns)
        self._tidy()

    def _edit(self, what: str, path: bytes, number: int, at_ns: int) -> None:
        old = self.tree.get(path)
        if what == "file":
            self._put(path, Kind.FILE, at_ns, content(number))
        elif what == "sparse":
            self._put(path, Kind.FILE, at_ns, _SPARSE, holes=(Hole(CHUNK_BYTES, 2 * CHUNK_BYTES),))
        elif what == "folder":
            self._put(path, Kind.DIRECTORY, at_ns)
        elif what == "symlink":
            self._put(path, Kind.SYMLINK, at_ns, link_target=b"to/%d" % number)
        elif what == "fifo":
            self._put(path, Kind.FIFO, at_ns)
        elif what == "device":
            self._put(path, Kind.CHARACTER_DEVICE, at_ns, device_number=256 + number)
        elif what == "link":
            self._link(path, number)
        elif what == "xattr" and old is not None:
            self.tree[path] = replace(old, xattrs=(Xattr(b"user.note", b"\x00%d" % number),))
        elif what == "chmod" and old is not None:
            self.tree[path] = replace(old, mode=0o600 + number, uid=number % 3, user=f"u{number % 3}", ctime_ns=at_ns)
        elif what == "remove":
            self.tree.pop(path, None)
        elif what == "rename":
            self._rename(path, self.root + _PLACES[number % len(_PLACES)])
        elif what == "clear":
            self.tree = {known: entry for known, entry in self.tree.items() if known in (b"/data", self.root)}

    def _put(self, path: bytes, kind: Kind, at_ns: int, data: bytes = b"", **more: object) -> None:
        self._inodes += 1
        entry = Entry(
            path=path,
            kind=kind,
            mode=0o755 if kind is Kind.DIRECTORY else 0o644,
            size_bytes=len(data),
            mtime_ns=at_ns,
            ctime_ns=at_ns,
            inode=self._inodes,
            device=7,
            chunks=refs_of(data),
        )
        if kind is not Kind.DIRECTORY or self.tree.get(path, entry).kind is not Kind.DIRECTORY:
            self.tree[path] = replace(entry, **more)

    def _link(self, path: bytes, number: int) -> None:
        files = sorted(known for known, entry in self.tree.items() if entry.kind is Kind.FILE)
        if files:
            self.tree[path] = replace(self.tree[files[number % len(files)]], path=path)

    def _rename(self, old: bytes, new: bytes) -> None:
        if old not in self.tree or new == old or new.startswith(old + b"/"):
            return
        moved = {new + known[len(old) :]: entry for known, entry in self.tree.items() if known == old or known.startswith(old + b"/")}
        self.tree = {
            known: entry
            for known, entry in self.tree.items()
            if not any(known == gone or known.startswith(gone + b"/") for gone in (old, new))
        }
        self.tree.update({path: replace(entry, path=path) for path, entry in moved.items()})

    def _tidy(self) -> None:
        """Below what is no folder there is nothing, and hard links know how many they are."""
        found: dict[bytes, Entry] = {}
        for path in sorted(self.tree, key=walk_key):
            above = path[: path.rfind(b"/")]
            if not above or (above in found and found[above].kind is Kind.DIRECTORY):
                found[path] = self.tree[path]
        names = [entry.inode for entry in found.values() if entry.kind is Kind.FILE]
        self.tree = {
            path: replace(entry, links=names.count(entry.inode)) if entry.kind is Kind.FILE else entry for path, entry in found.items()
        }


@dataclass
class ModelFeeder(Feeder):
    """Its commit bears these marks, and was captured then. `continuous`: one of a stream, which may be held."""

    marks: tuple[tuple[str, PointId], ...] = ()
    at: datetime = datetime.min
    continuous: bool = False

    def commit(self) -> Commit:
        marks = tuple(Mark(operation=name, kind=name, point=point) for name, point in self.marks)
        return Commit(
            dataset=self.dataset, epoch=self.epoch, seq=self.seq, captured_at=self.at, marks=marks, files=3, continuous=self.continuous
        )
