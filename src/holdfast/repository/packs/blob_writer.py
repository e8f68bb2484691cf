"""Writing blobs beside the commits: what a prune copies, what a repair has saved, and what is sealed after it was held."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from holdfast.backend.backend import FileType
from holdfast.repository._format.frames import LEVEL, TREE_LEVEL, compress
from holdfast.repository._format.index import MOST_BLOBS, IndexedPack, encode_index
from holdfast.repository._format.pack import TARGET_BYTES, Blob, BlobType
from holdfast.repository.catalog.blob_table import BlobTable
from holdfast.repository.packs.storage import Storage

_BLOBS_IN_PACK = 10_000


class PackWriter:
    """Blobs into packs. Packs durable, then the index that names them; `flush` when all is taken."""

    def __init__(self, storage: Storage, table: BlobTable) -> None:
        self._storage = storage
        self._table = table
        self._open: dict[BlobType, list[Blob]] = {kind: [] for kind in BlobType}
        self._open_bytes = dict.fromkeys(BlobType, 0)
        self._done: list[IndexedPack] = []

    def add(self, blob: Blob) -> None:
        self._open[blob.type].append(blob)
        self._open_bytes[blob.type] += len(blob.payload)
        if self._open_bytes[blob.type] >= TARGET_BYTES or len(self._open[blob.type]) >= _BLOBS_IN_PACK:
            self._close_pack(blob.type)
        if sum(len(pack.blobs) for pack in self._done) >= MOST_BLOBS - _BLOBS_IN_PACK:
            self._write_index()

    def flush(self) -> None:
        """All is durable and named by an index when this returns."""
        for kind in BlobType:
            self._close_pack(kind)
        self._write_index()

    def _close_pack(self, kind: BlobType) -> None:
        blobs, self._open[kind] = self._open[kind], []
        self._open_bytes[kind] = 0
        if blobs:
            built = self._storage.build_and_save_pack(blobs, self._storage.draw_ivs(len(blobs)))
            self._done.append(IndexedPack(built.id, built.blobs))

    def _write_index(self) -> None:
        packs, self._done = self._done, []
        if packs:
            self._storage.settle_packs([pack.id for pack in packs])
            add_index(self._storage, self._table, packs)


class BlobWriter(PackWriter):
    """Takes each blob once, whether the index names it already or not: the copy it names may be the damaged one."""

    def __init__(self, storage: Storage, table: BlobTable) -> None:
        super().__init__(storage, table)
        self._taken: set[tuple[BlobType, bytes]] = set()
        self.count = 0
        self.size_bytes = 0

    def add(self, blob: Blob) -> None:
        if (blob.type, blob.id) in self._taken:
            return
        self._taken.add((blob.type, blob.id))
        self.count += 1
        self.size_bytes += len(blob.payload)
        super().add(blob)

    def add_plain(self, kind: BlobType, blob_id: bytes, plain: bytes) -> None:
        """Compressed where that makes it smaller."""
        self.add(blob_of(kind, blob_id, plain))


class NewBlobs(PackWriter):
    """Takes each blob once, and none that the index names already."""

    def __init__(self, storage: Storage, table: BlobTable) -> None:
        super().__init__(storage, table)
        self._taken: set[tuple[BlobType, bytes]] = set()

    def add_plain(self, kind: BlobType, blob_id: bytes, plain: bytes) -> None:
        """Compressed where that makes it smaller."""
        if self._is_new(kind, blob_id):
            self.add(blob_of(kind, blob_id, plain))

    def add_trees(self, trees: Mapping[bytes, bytes]) -> None:
        """As `add_plain`, of many: what is known is asked for at once."""
        known = self._table.has_trees(sorted(trees))
        for tree, plain in trees.items():
            if tree not in known and (BlobType.TREE, tree) not in self._taken:
                self._taken.add((BlobType.TREE, tree))
                self.add(blob_of(BlobType.TREE, tree, plain))

    def lacking(self, chunk_ids: Sequence[bytes]) -> list[bytes]:
        """Of these chunks those that were not taken and that the index does not name; they count as taken, and are to be added."""
        known = self._table.known_chunks(chunk_ids, None)
        found = [chunk for chunk in dict.fromkeys(chunk_ids) if chunk not in known and (BlobType.DATA, chunk) not in self._taken]
        self._taken.update((BlobType.DATA, chunk) for chunk in found)
        return found

    def add_lacking(self, chunk_id: bytes, payload: bytes, plain_bytes: int, *, is_frame: bool) -> None:
        """One of these, as it came."""
        self.add(Blob(chunk_id, BlobType.DATA, payload, plain_bytes if is_frame else 0))

    def _is_new(self, kind: BlobType, blob_id: bytes) -> bool:
        if (kind, blob_id) in self._taken:
            return False
        self._taken.add((kind, blob_id))
        return not (self._table.has_trees((blob_id,)) if kind is BlobType.TREE else self._table.known_chunks((blob_id,), None))


def blob_of(kind: BlobType, blob_id: bytes, plain: bytes) -> Blob:
    """Compressed where that makes it smaller."""
    frame = compress(plain, TREE_LEVEL if kind is BlobType.TREE else LEVEL)
    smaller = len(frame) < len(plain)
    return Blob(blob_id, kind, frame if smaller else plain, len(plain) if smaller else 0)


def add_index(storage: Storage, table: BlobTable, packs: list[IndexedPack]) -> None:
    """One index file, durable and in the catalog as one step."""
    json = encode_index(packs)
    with table.transaction():
        table.add_index(storage.save_document(FileType.INDEX, json), packs)
