"""Copying what is needed out of packs into new ones: each blob is verified on its way and stays sealed under the same id."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256

from holdfast.backend.backend import FileType
from holdfast.core.errors import RepositoryDamaged
from holdfast.repository._format.pack import Blob, PackedBlob, plain_of
from holdfast.repository._format.seal import unseal
from holdfast.repository.catalog.blob_table import BlobTable
from holdfast.repository.packs.blob_writer import PackWriter
from holdfast.repository.packs.storage import Storage

_RUN_BYTES = 8 << 20
_GAP_BYTES = 256 << 10


class Repacker:
    """Order as always: packs durable, then the index that names them. `flush` when all is taken."""

    def __init__(self, storage: Storage, table: BlobTable) -> None:
        self._storage = storage
        self._writer = PackWriter(storage, table)

    def take(self, pack: bytes, blobs: Sequence[PackedBlob]) -> None:
        """Raises `RepositoryDamaged` when one is not what its id says; nothing of this pack is taken then."""
        for blob in [self._verified(pack, blob, sealed) for blob, sealed in self._load(pack, blobs)]:
            self._writer.add(blob)

    def flush(self) -> None:
        """All is durable and named by an index when this returns."""
        self._writer.flush()

    def _load(self, pack: bytes, blobs: Sequence[PackedBlob]) -> Iterator[tuple[PackedBlob, bytes]]:
        for run in _runs(blobs):
            start, end = run[0].offset, run[-1].offset + run[-1].length
            data = self._storage.backend.load(FileType.DATA, pack.hex(), start, end - start)
            for blob in run:
                yield blob, data[blob.offset - start : blob.offset - start + blob.length]

    def _verified(self, pack: bytes, blob: PackedBlob, sealed: bytes) -> Blob:
        try:
            payload = unseal(self._storage.key, sealed)
            whole = sha256(plain_of(payload, blob.raw_bytes)).digest() == blob.id
        except RepositoryDamaged as error:
            raise RepositoryDamaged(f"blob {blob.id.hex()} in pack {pack.hex()}: {error.message}", hint=error.hint) from error
        if not whole:
            raise RepositoryDamaged(f"blob {blob.id.hex()} in pack {pack.hex()} has other content")
        return Blob(blob.id, blob.type, payload, blob.raw_bytes)


def _runs(blobs: Sequence[PackedBlob]) -> Iterator[list[PackedBlob]]:
    """Neighbours that one read may bring, in the order of their places."""
    run: list[PackedBlob] = []
    for blob in blobs:
        if run and (blob.offset - (run[-1].offset + run[-1].length) > _GAP_BYTES or blob.offset + blob.length - run[0].offset > _RUN_BYTES):
            yield run
            run = []
        run.append(blob)
    if run:
        yield run
