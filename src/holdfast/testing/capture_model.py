"""A receiver in memory for tests of capture: takes segments as a real one does, and can say what tree it holds."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256

import zstandard

from holdfast.core.ids import DatasetId
from holdfast.model.change import Part, Put, Remove
from holdfast.model.entry import Entry, walk_key
from holdfast.model.stream import Compression, Outgoing, Withdrawn, narrow


class ModelReceiver:
    """Holds one dataset. `seq` is its cursor, None = nothing. `begin`, `take` every round of a run, then `commit`.

    It checks the contract of the stream as it goes and raises `AssertionError` where it is broken.
    """

    def __init__(self, dataset: DatasetId, compression: Compression = "auto") -> None:
        self.dataset = dataset
        self.seq: int | None = None
        self.tree: dict[bytes, Entry] = {}
        self.chunks: dict[bytes, bytes] = {}
        self.removed: dict[bytes, Remove] = {}
        self.received_bytes = 0
        self.withdrawn: set[bytes] = set()
        self.puts: list[bytes] = []
        self._compression: Compression = compression

    def begin(self, base: int | None) -> None:
        """`base` None = full commit: what is not put does not exist."""
        self._base = base
        self._fresh: dict[bytes, Entry] = {} if base is None else dict(self.tree)
        self._carried: set[bytes] = set()
        self._parts: dict[bytes, list[Part]] = {}
        self._offered: set[bytes] = set()
        self._last_key = b""
        self._number = 0
        self.removed = {}
        self.puts = []

    def take(self, round_: Mapping[DatasetId, Outgoing]) -> None:
        outgoing = round_.get(self.dataset)
        if outgoing is None:
            return
        segment = narrow(outgoing, self._base, self._carried)
        assert segment.number == self._number, "segments are numbered without gaps"
        self._number += 1
        assert sum(ref.size_bytes for ref in outgoing.segment.offered) <= 8 * 1024 * 1024
        assert len(outgoing.segment.changes) <= 2_000
        wanted = [ref.id for ref in segment.offered if ref.id not in self.chunks]
        for payload in outgoing.chunks.payloads(wanted, self._compression):
            if isinstance(payload, Withdrawn):
                self.withdrawn.add(payload.id)
                continue
            self.received_bytes += payload.size_bytes
            plain = zstandard.ZstdDecompressor().decompress(payload.data) if payload.compressed else payload.data
            assert sha256(plain).digest() == payload.id
            assert len(plain) == payload.size_bytes
            self.chunks[payload.id] = plain
        for part in segment.parts:
            if part.offset == 0:
                self._parts[part.path] = []
            self._parts.setdefault(part.path, []).append(part)
        self._offered = {ref.id for ref in segment.offered}
        for change in segment.changes:
            self._apply(change)

    def _apply(self, change: Put | Remove) -> None:
        path = change.entry.path if isinstance(change, Put) else change.path
        key = walk_key(path)
        assert key > self._last_key or (key == b"" and self._last_key == b""), f"walk order is broken at {path!r}"
        self._last_key = key
        if isinstance(change, Remove):
            self._fresh.pop(path, None)
            self.removed[path] = change
            return
        entry = change.entry
        self.puts.append(entry.path)
        self._check_parts(entry)
        if any(ref.id in self.withdrawn and ref.id not in self.chunks for ref in entry.chunks):
            return
        assert all(ref.id in self.chunks for ref in entry.chunks), f"chunks of {path!r} were not offered"
        self._fresh[path] = entry

    def _check_parts(self, entry: Entry) -> None:
        parts = self._parts.pop(entry.path, None)
        if parts is None:
            return
        offset = 0
        for part in parts:
            assert part.offset == offset
            offset += sum(ref.size_bytes for ref in part.chunks)
        if tuple(ref for part in parts for ref in part.chunks) != entry.chunks:
            # The file could not be read to its end: the parts are void, and an earlier version is put, which offers its own chunks.
            assert {ref.id for ref in entry.chunks} <= self._offered

    def commit(self, seq: int) -> None:
        self.tree = self._fresh
        self.seq = seq

    def content(self, path: bytes) -> bytes:
        return b"".join(self.chunks[ref.id] for ref in self.tree[path].chunks)
