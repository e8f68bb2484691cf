"""A dataset in memory: the simplest thing that keeps the contract of `delivery.ports.Action`, and a source to feed it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence

import zstandard

from holdfast.core.errors import RepositoryDamaged, UnknownName
from holdfast.core.ids import ActionId
from holdfast.delivery.ports import VerifiedChunk
from holdfast.model.change import Acknowledgement, Begin, Commit, Cursor, Durability, Payload, Put, Segment
from holdfast.model.entry import ChunkRef, Entry, Kind, is_below, walk_key
from holdfast.model.reading import PointReader
from holdfast.model.stream import Compression, Withdrawn


class MemoryAction:
    """Keeps `entries` by path and `chunks` by id; what is not committed is invisible. Counts what it was given.

    `fail_at` names a step ("begin", "wanted", "apply", "commit") at which it raises `failure`.
    """

    def __init__(self, action_id: str = "action", *, fail_at: str = "", failure: Exception | None = None) -> None:
        self._id = ActionId(action_id)
        self.entries: dict[bytes, Entry] = {}
        self.chunks: dict[bytes, bytes] = {}
        self.position: Cursor | None = None
        self.commits: list[Commit] = []
        self.received_bytes = 0
        self.aborted = self.closed = 0
        self.fail_at, self.failure = fail_at, failure
        self._draft: dict[bytes, Entry] | None = None
        self._fresh: dict[bytes, bytes] = {}
        self._asked: set[bytes] = set()

    @property
    def id(self) -> ActionId:
        return self._id

    @property
    def reads_plain(self) -> bool:
        return True

    def cursor(self) -> Cursor | None:
        self._maybe_fail("cursor")
        return self.position

    def begin(self, begin: Begin) -> None:
        self._maybe_fail("begin")
        self._draft = {} if begin.base is None else dict(self.entries)
        self._fresh, self._asked = {}, set()

    def recorded(self, path: bytes) -> tuple[ChunkRef, ...]:
        known = self.entries.get(path)
        return () if known is None else known.chunks

    def wanted(self, segment: Segment) -> frozenset[bytes]:
        self._maybe_fail("wanted")
        lacking = {ref.id for ref in segment.offered if ref.id not in self.chunks and ref.id not in self._asked}
        self._asked |= lacking
        return frozenset(lacking)

    def apply(self, segment: Segment, chunks: Mapping[bytes, VerifiedChunk], withdrawn: frozenset[bytes]) -> None:
        self._maybe_fail("apply")
        if self._draft is None:
            raise AssertionError("apply outside a commit")
        self._asked -= withdrawn
        for chunk_id, chunk in chunks.items():
            self._fresh[chunk_id] = chunk.plain
            self.received_bytes += chunk.size_bytes
        for change in segment.changes:
            if isinstance(change, Put):
                self._put(self._draft, change.entry)
            else:
                _remove(self._draft, change.path)

    def commit(self, commit: Commit) -> Acknowledgement:
        self._maybe_fail("commit")
        if self._draft is None:
            raise AssertionError("commit without begin")
        self.entries, self._draft = self._draft, None
        self.chunks |= self._fresh
        self.position = Cursor(commit.epoch, commit.seq)
        self.commits.append(commit)
        return Acknowledgement(
            action=self._id,
            durability=Durability.SEALED,
            cursor=self.position,
            points=tuple(mark.point for mark in commit.marks),
            stored_bytes=sum(map(len, self._fresh.values())),
        )

    def abort(self) -> None:
        self.aborted += 1
        self._draft, self._fresh, self._asked = None, {}, set()

    def close(self) -> None:
        self.closed += 1

    def content(self, path: bytes) -> bytes:
        """The bytes of a committed file."""
        return b"".join(self.chunks[ref.id] for ref in self.entries[path].chunks)

    def _put(self, draft: dict[bytes, Entry], entry: Entry) -> None:
        if any(ref.id not in self.chunks and ref.id not in self._fresh for ref in entry.chunks):
            return
        before = draft.get(entry.path)
        if before is not None and before.kind is Kind.DIRECTORY and entry.kind is not Kind.DIRECTORY:
            _remove(draft, entry.path)
        draft[entry.path] = entry

    def _maybe_fail(self, step: str) -> None:
        if step == self.fail_at and self.failure is not None:
            raise self.failure


def _remove(draft: dict[bytes, Entry], path: bytes) -> None:
    for below in [known for known in draft if is_below(known, path)]:
        del draft[below]


class MemoryChunks:
    """A `model.stream.ChunkSource` over a dict; the ids in `withdrawn` it cannot give any more. Counts what it was asked."""

    def __init__(self, plain: Mapping[bytes, bytes], withdrawn: frozenset[bytes] = frozenset()) -> None:
        self._plain = plain
        self._withdrawn = withdrawn
        self.asked: list[bytes] = []

    def payloads(self, ids: Sequence[bytes], compression: Compression) -> Iterator[Payload | Withdrawn]:
        for chunk_id in ids:
            self.asked.append(chunk_id)
            if chunk_id in self._withdrawn:
                yield Withdrawn(chunk_id)
            else:
                yield payload_of(self._plain[chunk_id], compressed=compression != "off")


class MemoryReader(PointReader):
    """A `model.reading.PointReader` over a `MemoryAction`."""

    def __init__(self, action: MemoryAction) -> None:
        self._action = action
        self.closed = 0

    def entries(self, paths: Sequence[bytes] = ()) -> Iterator[Entry]:
        for path in paths:
            if path not in self._action.entries:
                raise UnknownName(f"{path!r} is not there")
        for path in sorted(self._action.entries, key=walk_key):
            if not paths or any(is_below(path, wanted) for wanted in paths):
                yield self._action.entries[path]

    def payloads(self, ids: Sequence[bytes]) -> Iterator[Payload]:
        for chunk_id in dict.fromkeys(ids):
            if chunk_id not in self._action.chunks:
                raise RepositoryDamaged(f"chunk {chunk_id.hex()} cannot be had", hint="a test took it away")
            yield payload_of(self._action.chunks[chunk_id], compressed=True)

    def close(self) -> None:
        self.closed += 1


def payload_of(plain: bytes, *, compressed: bool = False) -> Payload:
    """An honest payload of these bytes."""
    data = zstandard.ZstdCompressor(level=1).compress(plain) if compressed else plain
    return Payload(hashlib.sha256(plain).digest(), len(plain), compressed, data)
