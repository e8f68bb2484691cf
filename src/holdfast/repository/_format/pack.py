"""Packs: sealed blobs || sealed header || length of the sealed header (uint32, little endian).

A header entry is type (1) || length (4) || [plain length (4), compressed only] || id (32); types: 0 data, 1 tree, +2 with zstd.
Source: restic's design document, "Pack Format". Version 2 keeps tree and data blobs in separate packs.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from enum import IntEnum
from hashlib import sha256
from io import BytesIO
from typing import NamedTuple

from holdfast.core.errors import RepositoryDamaged
from holdfast.repository._format.frames import decompress
from holdfast.repository._format.seal import OVERHEAD, MasterKey, seal_into, unseal

TARGET_BYTES = 16 << 20
LARGEST_BLOB_BYTES = 1 << 30
_PLAIN_ENTRY = struct.Struct("<BI32s")
_ZSTD_ENTRY = struct.Struct("<BII32s")
_LENGTH = struct.Struct("<I")


class BlobType(IntEnum):
    DATA = 0
    TREE = 1


class Blob(NamedTuple):
    """A blob on its way into a pack. `payload` is a zstd frame of `raw_bytes` plain bytes, or the plain bytes when `raw_bytes` is 0."""

    id: bytes
    type: BlobType
    payload: bytes
    raw_bytes: int


class PackedBlob(NamedTuple):
    """A blob's place in a pack. `raw_bytes` is the plain length of a compressed blob, 0 for a plain one."""

    id: bytes
    type: BlobType
    offset: int
    length: int
    raw_bytes: int

    @property
    def plain_bytes(self) -> int:
        return self.raw_bytes or self.length - OVERHEAD


class BuiltPack(NamedTuple):
    id: bytes
    data: bytes
    blobs: tuple[PackedBlob, ...]


def pack_size(blobs: Sequence[PackedBlob]) -> int:
    """Bytes of the pack file that holds exactly these blobs."""
    entries = sum(_ZSTD_ENTRY.size if blob.raw_bytes else _PLAIN_ENTRY.size for blob in blobs)
    return sum(blob.length for blob in blobs) + entries + OVERHEAD + _LENGTH.size


def build_pack(key: MasterKey, blobs: Sequence[Blob], ivs: bytes) -> BuiltPack:
    """Seal and lay out one pack. `ivs` holds 16 random bytes for each blob and 16 more for the header."""
    placed: list[PackedBlob] = []
    header: list[bytes] = []
    offset = 0
    for id_, type_, payload, raw_bytes in blobs:
        length = len(payload) + OVERHEAD
        placed.append(PackedBlob(id_, type_, offset, length, raw_bytes))
        header.append(_ZSTD_ENTRY.pack(type_ + 2, length, raw_bytes, id_) if raw_bytes else _PLAIN_ENTRY.pack(type_, length, id_))
        offset += length
    entries = b"".join(header)
    # Sealed in its place, and given away without a copy: the pack is in memory once.
    content = BytesIO(bytes(offset + len(entries) + OVERHEAD + _LENGTH.size))
    with content.getbuffer() as view:
        seal_into(key, ivs, [*(blob.payload for blob in blobs), entries], view)
        view[-_LENGTH.size :] = _LENGTH.pack(len(entries) + OVERHEAD)
    data = content.getvalue()
    return BuiltPack(sha256(data).digest(), data, tuple(placed))


def read_pack_header(key: MasterKey, data: bytes) -> tuple[PackedBlob, ...]:
    """What the header of a whole pack file says; raises `RepositoryDamaged`."""
    return read_pack_tail(key, data, len(data))


def header_bytes(tail: bytes) -> int:
    """How much of a pack's end `read_pack_tail` needs, from its last four bytes; raises `RepositoryDamaged`."""
    if len(tail) < _LENGTH.size + OVERHEAD:
        raise RepositoryDamaged("a pack is too short")
    (size,) = _LENGTH.unpack(tail[-_LENGTH.size :])
    return int(size) + _LENGTH.size


def read_pack_tail(key: MasterKey, tail: bytes, pack_bytes: int) -> tuple[PackedBlob, ...]:
    """The same from the end of a pack file of `pack_bytes`."""
    size = header_bytes(tail) - _LENGTH.size
    end = len(tail) - _LENGTH.size
    if not OVERHEAD <= size <= end:
        raise RepositoryDamaged("a pack's header has an impossible length")
    return _parse_header(unseal(key, tail[end - size : end]), pack_bytes - _LENGTH.size - size)


def _parse_header(header: bytes, blobs_end: int) -> tuple[PackedBlob, ...]:
    found: list[PackedBlob] = []
    position = offset = 0
    try:
        while position < len(header):
            if header[position] & 2:
                kind, length, raw, blob_id = _ZSTD_ENTRY.unpack_from(header, position)
                position += _ZSTD_ENTRY.size
            else:
                kind, length, blob_id = _PLAIN_ENTRY.unpack_from(header, position)
                raw = 0
                position += _PLAIN_ENTRY.size
            found.append(PackedBlob(blob_id, BlobType(kind & ~2), offset, length, raw))
            offset += length
    except (struct.error, ValueError) as error:
        raise RepositoryDamaged(f"a pack's header cannot be read: {error}") from error
    if offset != blobs_end:
        raise RepositoryDamaged("a pack's header does not describe its blobs")
    return tuple(found)


def open_blob(key: MasterKey, sealed: bytes, raw_bytes: int) -> bytes:
    """The plain bytes of a blob, not yet compared with its id; raises `RepositoryDamaged`."""
    return plain_of(unseal(key, sealed), raw_bytes)


def plain_of(payload: bytes, raw_bytes: int) -> bytes:
    """What an unsealed blob holds, decompressed where `raw_bytes` says so; raises `RepositoryDamaged`."""
    if not raw_bytes:
        return payload
    if raw_bytes > LARGEST_BLOB_BYTES:
        raise RepositoryDamaged(f"a blob claims {raw_bytes} bytes")
    plain = decompress(payload, raw_bytes)
    if len(plain) != raw_bytes:
        raise RepositoryDamaged("a blob does not have the length its pack states")
    return plain
