"""Packs that are there already into new index files."""

from __future__ import annotations

from holdfast.backend.backend import FileType
from holdfast.repository._format.index import MOST_BLOBS, IndexedPack, encode_index
from holdfast.repository.interior import Interior


class IndexWriter:
    """Packs into index files, each pack once. To be used inside a transaction of the catalog."""

    def __init__(self, interior: Interior) -> None:
        self._interior = interior
        self._waiting: list[IndexedPack] = []
        self._blobs = 0
        self._seen: set[bytes] = set()

    def add(self, pack: IndexedPack) -> None:
        if pack.id in self._seen:
            return
        if self._blobs + len(pack.blobs) > MOST_BLOBS:
            self.flush()
        self._seen.add(pack.id)
        self._waiting.append(pack)
        self._blobs += len(pack.blobs)

    def flush(self) -> None:
        if self._waiting:
            index_id = self._interior.storage.save_document(FileType.INDEX, encode_index(self._waiting))
            self._interior.blobs.add_index(index_id, self._waiting)
            self._waiting, self._blobs = [], 0
