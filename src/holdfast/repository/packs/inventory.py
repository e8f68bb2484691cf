"""What the index files name, kept small enough for a repository of any size: 8 bytes for each chunk, 48 for each tree.

A check reads the repository itself, so it cannot ask the catalog. A false "is there" would need two chunks whose SHA-256 agree in 72 bits.
"""

from __future__ import annotations

import struct
from array import array
from bisect import bisect_left
from collections.abc import Iterable

from holdfast.repository._format.index import IndexedPack
from holdfast.repository._format.pack import BlobType, PackedBlob
from holdfast.repository.catalog.blob_table import Place

_BUCKETS = 256
_PLACE = struct.Struct("<32sIIII")


class ChunkIds:
    """A set of chunk ids. Add all, `freeze`, then ask."""

    def __init__(self) -> None:
        self._buckets = [array("Q") for _ in range(_BUCKETS)]

    def add(self, chunk: bytes) -> None:
        self._buckets[chunk[0]].append(int.from_bytes(chunk[1:9], "big"))

    def freeze(self) -> None:
        # One bucket at a time: sorting makes an object of each number.
        for number, bucket in enumerate(self._buckets):
            self._buckets[number] = array("Q", sorted(bucket))

    def __contains__(self, chunk: bytes) -> bool:
        bucket = self._buckets[chunk[0]]
        value = int.from_bytes(chunk[1:9], "big")
        at = bisect_left(bucket, value)
        return at < len(bucket) and bucket[at] == value


class TreePlaces:
    """Where each tree lies, and one mark of a byte for each. Add all, `freeze`, then ask. Packs are numbered by the caller."""

    def __init__(self) -> None:
        self._buckets = [bytearray() for _ in range(_BUCKETS)]
        self._first: list[int] = []
        self.marks = bytearray()

    def add(self, blob: PackedBlob, pack_no: int) -> None:
        self._buckets[blob.id[0]] += _PLACE.pack(blob.id, pack_no, blob.offset, blob.length, blob.raw_bytes)

    def freeze(self) -> None:
        total = 0
        for number, bucket in enumerate(self._buckets):
            records = sorted(bytes(bucket[at : at + _PLACE.size]) for at in range(0, len(bucket), _PLACE.size))
            self._buckets[number] = bytearray(b"".join(records))
            self._first.append(total)
            total += len(records)
        self.marks = bytearray(total)

    def number_of(self, tree: bytes) -> int | None:
        """The first record of this tree: its place in `marks`. None when no index names it."""
        bucket = self._buckets[tree[0]]
        count = len(bucket) // _PLACE.size
        at = bisect_left(range(count), tree, key=lambda i: bytes(bucket[i * _PLACE.size : i * _PLACE.size + 32]))
        if at == count or bucket[at * _PLACE.size : at * _PLACE.size + 32] != tree:
            return None
        return self._first[tree[0]] + at

    def places(self, tree: bytes, packs: list[bytes]) -> list[Place]:
        """Every copy of it. `packs`: the id of each pack number."""
        number = self.number_of(tree)
        found: list[Place] = []
        if number is None:
            return found
        bucket = self._buckets[tree[0]]
        start = (number - self._first[tree[0]]) * _PLACE.size
        for at in range(start, len(bucket), _PLACE.size):
            blob_id, pack_no, offset, length, raw = _PLACE.unpack_from(bucket, at)
            if blob_id != tree:
                break
            found.append(Place(packs[pack_no], PackedBlob(tree, BlobType.TREE, offset, length, raw)))
        return found


class Inventory:
    """All packs, trees and chunks that the index files name."""

    def __init__(self) -> None:
        self.packs: dict[bytes, int] = {}
        self.pack_ids: list[bytes] = []
        self.sizes = array("Q")
        self.chunks = ChunkIds()
        self.trees = TreePlaces()
        self.tree_bytes = 0

    def add(self, packs: Iterable[IndexedPack], size_of: dict[bytes, int]) -> None:
        """`size_of`: bytes of each of these packs. One that an earlier index file has named is passed over."""
        for pack in packs:
            if pack.id in self.packs:
                continue
            number = self.packs[pack.id] = len(self.pack_ids)
            self.pack_ids.append(pack.id)
            self.sizes.append(size_of[pack.id])
            for blob in pack.blobs:
                if blob.type is BlobType.TREE:
                    self.trees.add(blob, number)
                    self.tree_bytes += blob.length
                else:
                    self.chunks.add(blob.id)

    def freeze(self) -> None:
        self.chunks.freeze()
        self.trees.freeze()
