"""A repository of this owner as a copy to heal another one from: here on this machine, or for another owner that asks across the wire."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from holdfast.core.errors import StoreError
from holdfast.core.ids import NodeId
from holdfast.repository._format.pack import BlobType
from holdfast.repository.care.healing import Wanted
from holdfast.repository.diagnosis import BlobKey, blob_key
from holdfast.repository.interior import Interior

_BATCH = 500


class OwnCopy:
    """An open repository of this owner: asked by id, for chunks and trees alike. With `senders` it gives only those chunks that one of
    these nodes has stored here: who may ask for one dataset learns nothing of another."""

    def __init__(self, interior: Interior, senders: Sequence[NodeId] | None = None) -> None:
        self._interior = interior
        self._senders = senders

    @property
    def title(self) -> str:
        return f"repository {self._interior.name} on this machine"

    def blobs(self, wanted: Wanted) -> Iterator[tuple[BlobKey, bytes]]:
        self._interior.enter()
        try:
            for kind in BlobType:
                ids = [key.id for key in wanted if key.type is kind]
                for start in range(0, len(ids), _BATCH):
                    yield from self._some(ids[start : start + _BATCH], kind)
        finally:
            self._interior.leave()

    def give(self, ids: Sequence[bytes], trees: bool) -> Iterator[tuple[bytes, bytes]]:
        """For the asker across the wire: a `delivery.copies.GiveBlobs`."""
        for key, plain in self.blobs({blob_key(blob_id, is_tree=trees): () for blob_id in ids}):
            yield key.id, plain

    def _some(self, ids: Sequence[bytes], kind: BlobType) -> Iterator[tuple[BlobKey, bytes]]:
        places = self._interior.blobs.places(self._permitted(ids, kind), kind)
        for place in sorted(places.values(), key=lambda place: (place.pack, place.blob.offset)):
            try:
                yield BlobKey(kind, place.blob.id), self._interior.storage.load_blob(place)
            except StoreError:
                # Damaged here too: another copy may have it.
                continue

    def _permitted(self, ids: Sequence[bytes], kind: BlobType) -> Sequence[bytes]:
        """A tree says nothing that its id does not already prove to be known."""
        if self._senders is None or kind is BlobType.TREE:
            return ids
        found: set[bytes] = set()
        for sender in self._senders:
            number = self._interior.catalog.number_of("nodes", sender)
            found |= {chunk for chunk, known in self._interior.blobs.known_chunks(ids, number).items() if known.claimed}
        return sorted(found)
