"""Index files: which blobs lie where in which packs. JSON as in restic's design document, "Indexing"."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

import msgspec

from holdfast.core.errors import RepositoryDamaged
from holdfast.model.decoding import UNREADABLE
from holdfast.repository._format.pack import BlobType, PackedBlob
from holdfast.repository._format.seal import OVERHEAD
from holdfast.repository._format.text import time_ns, time_text

# restic starts a new index file here; the file stays far below 8 MiB.
MOST_BLOBS = 50_000
_TYPES = {"data": BlobType.DATA, "tree": BlobType.TREE}
_NAMES: dict[BlobType, Literal["data", "tree"]] = {BlobType.DATA: "data", BlobType.TREE: "tree"}
_UINT32 = 1 << 32


class IndexedPack(NamedTuple):
    id: bytes
    blobs: tuple[PackedBlob, ...]


class _Blob(msgspec.Struct, omit_defaults=True, gc=False):
    id: str
    type: Literal["data", "tree"]
    offset: int
    length: int
    uncompressed_length: int = 0


class _Pack(msgspec.Struct, gc=False):
    id: str
    blobs: list[_Blob]


class _Index(msgspec.Struct):
    packs: list[_Pack] | None = None


class _MarkedPack(msgspec.Struct, gc=False):
    id: str
    blobs: list[_Blob]
    time: str


class _Marks(msgspec.Struct):
    packs: list[_Pack]
    packs_to_delete: list[_MarkedPack] = []


class MarkedPack(NamedTuple):
    """A pack that a prune found needless at `time_ns`; `blobs` are known where an index still named it."""

    id: bytes
    time_ns: int
    blobs: tuple[PackedBlob, ...]


def hash_from(text: str) -> bytes:
    """32 bytes from 64 hex digits; raises `RepositoryDamaged`."""
    try:
        value = bytes.fromhex(text)
    except ValueError:
        value = b""
    if len(value) != 32 or len(text) != 64:
        raise RepositoryDamaged(f"not an id: {text[:80]!r}")
    return value


def encode_index(packs: Iterable[IndexedPack]) -> bytes:
    return msgspec.json.encode(_Index([_Pack(pack.id.hex(), _blobs(pack.blobs)) for pack in packs]))


def encode_marks(marks: Iterable[MarkedPack]) -> bytes:
    """An index file that names no packs but those to delete, in the key that rustic uses for it. restic reads over it."""
    packs = [_MarkedPack(mark.id.hex(), _blobs(mark.blobs), time_text(mark.time_ns)) for mark in marks]
    return msgspec.json.encode(_Marks([], packs))


def decode_marks(json: bytes) -> tuple[MarkedPack, ...]:
    """The packs to delete of an index file, by whichever program; raises `RepositoryDamaged`."""
    try:
        marks = msgspec.json.decode(json, type=_Marks)
    except UNREADABLE as error:
        raise RepositoryDamaged(f"an index file cannot be read: {error}") from error
    return tuple(MarkedPack(hash_from(pack.id), time_ns(pack.time), _placed(pack.blobs)) for pack in marks.packs_to_delete)


def _blobs(blobs: Iterable[PackedBlob]) -> list[_Blob]:
    return [_Blob(b.id.hex(), _NAMES[b.type], b.offset, b.length, b.raw_bytes) for b in blobs]


def decode_index(json: bytes) -> tuple[IndexedPack, ...]:
    """Raises `RepositoryDamaged`."""
    try:
        index = msgspec.json.decode(json, type=_Index)
    except UNREADABLE as error:
        raise RepositoryDamaged(f"an index file cannot be read: {error}") from error
    return tuple(IndexedPack(hash_from(pack.id), _placed(pack.blobs)) for pack in index.packs or ())


def _placed(blobs: Sequence[_Blob]) -> tuple[PackedBlob, ...]:
    placed = []
    for blob in blobs:
        in_bounds = blob.offset >= 0 and blob.length >= OVERHEAD and blob.offset + blob.length <= _UINT32
        if not in_bounds or not 0 <= blob.uncompressed_length < _UINT32:
            raise RepositoryDamaged(f"an index file places blob {blob.id[:16]} outside of its pack")
        placed.append(PackedBlob(hash_from(blob.id), _TYPES[blob.type], blob.offset, blob.length, blob.uncompressed_length))
    return tuple(placed)
