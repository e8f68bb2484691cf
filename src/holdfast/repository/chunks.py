"""Chunks out of packs as they are stored: decrypted, not decompressed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from holdfast.backend.backend import FileType
from holdfast.core.errors import RepositoryDamaged, RepositoryMissing, StoreError
from holdfast.model.change import Payload
from holdfast.repository._format.frames import has_content_size
from holdfast.repository._format.pack import BlobType, PackedBlob, plain_of
from holdfast.repository._format.seal import unseal_each
from holdfast.repository.blob_table import BlobTable, Place
from holdfast.repository.storage import Storage

# One read may span this much, with gaps no larger than that: fewer reads, memory bounded.
_RUN_BYTES = 4 << 20
_GAP_BYTES = 128 << 10


class Chunks:
    def __init__(self, storage: Storage, blobs: BlobTable) -> None:
        self._storage = storage
        self._blobs = blobs

    def payloads(self, ids: Sequence[bytes]) -> Iterator[Payload]:
        """One for each distinct id, in pack order. Raises `RepositoryDamaged` naming the chunk. Content is for the taker to verify."""
        wanted = list(dict.fromkeys(ids))
        places = self._blobs.places(wanted, BlobType.DATA)
        for chunk in wanted:
            if chunk not in places:
                raise RepositoryDamaged(f"chunk {chunk.hex()} is in no index", hint="run `holdfast repository check NAME`")
        for run in _runs(sorted(places.values(), key=lambda place: (place.pack, place.blob.offset))):
            yield from self._read(run)

    def _read(self, run: Sequence[Place]) -> Iterator[Payload]:
        start = run[0].blob.offset
        end = run[-1].blob.offset + run[-1].blob.length
        try:
            data = self._storage.backend.load(FileType.DATA, run[0].pack.hex(), start, end - start)
        except (RepositoryMissing, StoreError) as error:
            raise RepositoryDamaged(
                f"chunk {run[0].blob.id.hex()} in pack {run[0].pack.hex()}: {error.message}", hint="run `holdfast repository check NAME`"
            ) from error
        view = memoryview(data)
        spans = [(place.blob.offset - start, place.blob.offset - start + place.blob.length) for place in run]
        opened = unseal_each(self._storage.key, (view[first:end] for first, end in spans))
        for place in run:
            blob = place.blob
            try:
                yield _payload(blob, next(opened))
            except RepositoryDamaged as error:
                raise RepositoryDamaged(f"chunk {blob.id.hex()} in pack {place.pack.hex()}: {error.message}", hint=error.hint) from error


def _payload(blob: PackedBlob, data: bytes) -> Payload:
    if blob.raw_bytes and not has_content_size(data):
        # Not made by us: our wire wants the size in the frame, so it travels plain.
        return Payload(blob.id, blob.raw_bytes, False, plain_of(data, blob.raw_bytes))
    return Payload(blob.id, blob.plain_bytes, bool(blob.raw_bytes), data)


def _runs(places: Sequence[Place]) -> Iterator[list[Place]]:
    """Neighbours in one pack that one read may bring."""
    run: list[Place] = []
    for place in places:
        if run:
            last = run[-1]
            end = last.blob.offset + last.blob.length
            far = place.pack != last.pack or place.blob.offset - end > _GAP_BYTES
            if far or place.blob.offset + place.blob.length - run[0].blob.offset > _RUN_BYTES:
                yield run
                run = []
        run.append(place)
    if run:
        yield run
