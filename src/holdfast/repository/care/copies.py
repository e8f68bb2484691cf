"""Other places that may hold what a repository has lost: another repository of this owner, or one across the wire."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from holdfast.core.errors import StoreError
from holdfast.repository._format.pack import BlobType
from holdfast.repository.care.healing import Wanted
from holdfast.repository.diagnosis import BlobKey
from holdfast.repository.interior import Interior

_BATCH = 500


class OwnCopy:
    """Another open repository of this owner: asked by id, for chunks and trees alike."""

    def __init__(self, interior: Interior) -> None:
        self._interior = interior

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

    def _some(self, ids: Sequence[bytes], kind: BlobType) -> Iterator[tuple[BlobKey, bytes]]:
        places = self._interior.blobs.places(ids, kind)
        for place in sorted(places.values(), key=lambda place: (place.pack, place.blob.offset)):
            try:
                yield BlobKey(kind, place.blob.id), self._interior.storage.load_blob(place)
            except StoreError:
                # Damaged here too: another copy may have it.
                continue
