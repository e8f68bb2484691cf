"""Blobs out of packs: neighbours in one read. Chunks leave as they are stored: decrypted, not decompressed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from holdfast.backend.backend import FileType
from holdfast.core.errors import RepositoryDamaged, RepositoryMissing, StoreError
from holdfast.model.change import Payload
from holdfast.model.reading import Answer, Lost
from holdfast.repository._format.frames import has_content_size
from holdfast.repository._format.pack import BlobType, plain_of
from holdfast.repository._format.seal import unseal_each
from holdfast.repository.catalog.blob_table import Place
from holdfast.repository.packs.damage_watch import DamageWatch, Unwatched
from holdfast.repository.packs.storage import Storage

# One read may span this much, with gaps no larger than that: fewer reads, memory bounded.
_RUN_BYTES = 4 << 20
_GAP_BYTES = 128 << 10
_CHECK = "run `holdfast repository check NAME`"


class Places(Protocol):
    """Where blobs lie: the index, or what is known of it (`known_places`)."""

    def places(self, blob_ids: Sequence[bytes], kind: BlobType) -> dict[bytes, Place]: ...


class Chunks:
    """Of a chunk that is damaged in one pack the copy in another is taken, where the watch knows of one."""

    def __init__(self, storage: Storage, blobs: Places, watch: DamageWatch | None = None) -> None:
        self._storage = storage
        self._blobs = blobs
        self._watch = watch or Unwatched()

    def payloads(self, ids: Sequence[bytes]) -> Iterator[Payload]:
        """One for each distinct id, in pack order. Raises `RepositoryDamaged` naming the chunk. Content is for the taker to verify."""
        wanted = list(dict.fromkeys(ids))
        places = self._blobs.places(wanted, BlobType.DATA)
        for chunk in wanted:
            if chunk not in places:
                raise RepositoryDamaged(self._missing(chunk), hint=_CHECK)
        for run in runs_of(places.values()):
            payloads, lost = self._given(run)
            yield from payloads
            if lost:
                raise RepositoryDamaged(lost[0].reason, hint=_CHECK)

    def answers(self, questions: Iterable[Sequence[bytes]]) -> Iterator[Answer]:
        """As `PointReader.answers`: one for each run of neighbours in a pack."""
        for ids in questions:
            places = self._blobs.places(ids, BlobType.DATA)
            missing = [Lost(chunk, self._missing(chunk)) for chunk in ids if chunk not in places] if len(places) < len(ids) else []
            waiting = Answer((), missing)
            for run in runs_of(places.values()):
                if waiting.payloads or waiting.lost:
                    yield waiting
                waiting = Answer(*self._given(run))
            yield Answer(waiting.payloads, waiting.lost, last=True)

    def _given(self, run: Sequence[Place]) -> tuple[list[Payload], list[Lost]]:
        """What can be had of a run: all at once, else one by one."""
        try:
            return [_payload(place, data) for place, data in zip(run, opened(self._storage, run), strict=True)], []
        except RepositoryDamaged as error:
            if len(run) == 1:
                other = self._watch.damaged(run[0], error.message)
                return self._given([other]) if other is not None else ([], [Lost(run[0].blob.id, error.message)])
        parts = [self._given([place]) for place in run]
        return [payload for given, _ in parts for payload in given], [lost for _, some in parts for lost in some]

    def _missing(self, chunk: bytes) -> str:
        reason = f"chunk {chunk.hex()} is in no index"
        self._watch.missing(BlobType.DATA, chunk, reason)
        return reason


def opened(storage: Storage, run: Sequence[Place]) -> Iterator[bytes]:
    """What each blob of a run holds, decrypted. Raises `RepositoryDamaged` naming the blob."""
    start = run[0].blob.offset
    end = run[-1].blob.offset + run[-1].blob.length
    try:
        data = storage.backend.load(FileType.DATA, run[0].pack.hex(), start, end - start)
    except (RepositoryMissing, StoreError) as error:
        raise _damaged(run[0], error) from error
    view = memoryview(data)
    pieces = [view[place.blob.offset - start : place.blob.offset - start + place.blob.length] for place in run]
    count = 0
    try:
        for plain in unseal_each(storage.key, pieces):
            count += 1
            yield plain
    except RepositoryDamaged as error:
        raise _damaged(run[count], error) from error


def runs_of(places: Iterable[Place]) -> Iterator[list[Place]]:
    """In pack order; neighbours in one pack that one read may bring are together."""
    run: list[Place] = []
    start = end = 0
    for place in sorted(places, key=_position):
        offset = place.blob.offset
        if run and (place.pack != run[0].pack or offset - end > _GAP_BYTES or offset + place.blob.length - start > _RUN_BYTES):
            yield run
            run = []
        if not run:
            start = offset
        run.append(place)
        end = offset + place.blob.length
    if run:
        yield run


def _position(place: Place) -> tuple[bytes, int]:
    return place.pack, place.blob.offset


def _payload(place: Place, data: bytes) -> Payload:
    blob = place.blob
    if blob.raw_bytes and not has_content_size(data):
        # Not made by us: our wire wants the size in the frame, so it travels plain.
        try:
            return Payload(blob.id, blob.raw_bytes, False, plain_of(data, blob.raw_bytes))
        except RepositoryDamaged as error:
            raise _damaged(place, error) from error
    return Payload(blob.id, blob.plain_bytes, bool(blob.raw_bytes), data)


def _damaged(place: Place, error: StoreError) -> RepositoryDamaged:
    what = "chunk" if place.blob.type is BlobType.DATA else "tree"
    return RepositoryDamaged(f"{what} {place.blob.id.hex()} in pack {place.pack.hex()}: {error.message}", hint=_CHECK)
