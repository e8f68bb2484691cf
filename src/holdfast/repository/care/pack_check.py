"""One pack, looked at whole: what in it is as the index says, and what is not. Safe in several threads; hashing releases the GIL."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256

from holdfast.backend.backend import FileType
from holdfast.core.errors import RepositoryDamaged, RepositoryMissing, StoreError
from holdfast.repository._format.pack import PackedBlob, header_bytes, pack_size, plain_of, read_pack_header, read_pack_tail
from holdfast.repository._format.seal import unseal, unseal_each
from holdfast.repository.diagnosis import BadPack, BlobKey
from holdfast.repository.packs.storage import Storage

# The headers of most packs; a longer one is read in a second try.
_HEADER_GUESS_BYTES = 64 << 10


def verify_pack(storage: Storage, pack: bytes, blobs: tuple[PackedBlob, ...]) -> BadPack | None:
    """None when every byte is as it should be."""
    try:
        data = storage.backend.load(FileType.DATA, pack.hex())
    except RepositoryMissing:
        return gone(pack, blobs)
    except StoreError as error:
        return BadPack(pack, "pack-unreadable", error.message, blobs, _keys(_unreadable(storage, pack, blobs)))
    size, bad = pack_size(blobs), _bad_blobs(storage, data, blobs)
    if len(data) != size:
        return BadPack(pack, "pack-size", f"the pack has {len(data)} bytes, the index says {size}", blobs, _keys(bad))
    problem = _header_problem(storage, data, blobs)
    if sha256(data).digest() != pack:
        message = "the pack's content does not fit its name" + (f", and {problem}" if problem else "")
        return BadPack(pack, "pack-damaged", message, blobs, _keys(bad))
    if problem:
        return BadPack(pack, "pack-header", problem, blobs, _keys(bad))
    # What its owner sealed so is no damage of the disk, and cannot be used all the same.
    return BadPack(pack, "pack-damaged", "blobs in the pack are not what their ids say", blobs, _keys(bad)) if bad else None


def read_header(storage: Storage, pack: bytes) -> tuple[PackedBlob, ...]:
    """What the pack itself says it holds, from its end alone. Raises `StoreError`."""
    size = storage.backend.size(FileType.DATA, pack.hex())
    tail = storage.backend.load(FileType.DATA, pack.hex(), max(0, size - _HEADER_GUESS_BYTES))
    needed = header_bytes(tail)
    if needed > len(tail) and needed <= size:
        tail = storage.backend.load(FileType.DATA, pack.hex(), size - needed)
    return read_pack_tail(storage.key, tail, size)


def gone(pack: bytes, blobs: tuple[PackedBlob, ...]) -> BadPack:
    return BadPack(pack, "pack-missing", "the pack is not there", blobs, _keys(blobs))


def _keys(blobs: Iterable[PackedBlob]) -> frozenset[BlobKey]:
    return frozenset(BlobKey(blob.type, blob.id) for blob in blobs)


def _header_problem(storage: Storage, data: bytes, blobs: Sequence[PackedBlob]) -> str:
    try:
        header = read_pack_header(storage.key, data)
    except RepositoryDamaged as error:
        return error.message
    return "" if sorted(header) == sorted(blobs) else "the pack's header and the index disagree"


def _bad_blobs(storage: Storage, data: bytes, blobs: Sequence[PackedBlob]) -> list[PackedBlob]:
    view = memoryview(data)
    pieces = [view[blob.offset : blob.offset + blob.length] for blob in blobs]
    opened = unseal_each(storage.key, pieces)
    bad: list[PackedBlob] = []
    is_sound = True
    for blob, piece in zip(blobs, pieces, strict=True):
        try:
            # A generator that has raised is over. From there on each is opened alone: to begin anew behind each damaged one would cost
            # minutes where all of many are.
            plain = next(opened) if is_sound else unseal(storage.key, bytes(piece))
            if sha256(plain_of(plain, blob.raw_bytes)).digest() != blob.id:
                bad.append(blob)
        except RepositoryDamaged:
            bad.append(blob)
            is_sound = False
    return bad


def _unreadable(storage: Storage, pack: bytes, blobs: Sequence[PackedBlob]) -> list[PackedBlob]:
    """A disk that fails at one sector gives the rest."""
    bad = []
    for blob in blobs:
        try:
            sealed = storage.backend.load(FileType.DATA, pack.hex(), blob.offset, blob.length)
            if sha256(plain_of(unseal(storage.key, sealed), blob.raw_bytes)).digest() != blob.id:
                bad.append(blob)
        except StoreError:
            bad.append(blob)
    return bad
