"""Packs that a prune found needless stay for a while, marked with the time in index files that name nothing else.

The key is rustic's `packs_to_delete`; stock restic reads over it, and its own prune removes such packs at once. A mark says nothing while
an index names the pack: then somebody needs it again. Why this way: docs/decisions/0012-prune.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from holdfast.backend.backend import FileType
from holdfast.core.errors import NotReachable, Refused, RepositoryMissing, StoreError
from holdfast.repository._format.index import MOST_BLOBS, MarkedPack, decode_marks, encode_marks
from holdfast.repository._format.pack import pack_size
from holdfast.repository.interior import Interior


@dataclass
class Swept:
    """What a sweep removed, and what it left: because its time has not come, or because the store or a session holds on to it."""

    deleted: int = 0
    deleted_bytes: int = 0
    waiting: int = 0
    waiting_bytes: int = 0
    refused: list[str] = field(default_factory=list)


class MarkWriter:
    """Collects marks and writes them as index files. To be used inside a transaction of the catalog."""

    def __init__(self, interior: Interior) -> None:
        self._interior = interior
        self._waiting: list[MarkedPack] = []
        self._blobs = 0

    def add(self, mark: MarkedPack) -> None:
        self._waiting.append(mark)
        self._blobs += len(mark.blobs) + 1
        if self._blobs >= MOST_BLOBS:
            self.flush()

    def flush(self) -> None:
        if self._waiting:
            index_id = self._interior.storage.save_document(FileType.INDEX, encode_marks(self._waiting))
            self._interior.blobs.add_index(index_id, ())
            self._waiting, self._blobs = [], 0


def read_marks(interior: Interior) -> dict[bytes, tuple[MarkedPack, ...]]:
    """By the index file that holds them."""
    empty = [index_id for index_id, packs in interior.blobs.indexes() if not packs]
    found: dict[bytes, tuple[MarkedPack, ...]] = {}
    for index_id in empty:
        try:
            found[index_id] = decode_marks(interior.storage.load_document(FileType.INDEX, index_id.hex()))
        except RepositoryMissing:
            continue
    return found


def sweep(interior: Interior, now_ns: int, grace_s: float, *, dry_run: bool) -> Swept:
    """Delete the packs whose time has come, then the index files whose marks say nothing any more. Under the session lock."""
    swept = Swept()
    backend = interior.storage.backend
    present = {bytes.fromhex(name) for name in backend.names(FileType.DATA)}
    for index_id, marks in read_marks(interior).items():
        left = [
            mark for mark in marks if mark.id in present and not _sweep_one(interior, mark, now_ns - int(grace_s * 1e9), swept, dry_run)
        ]
        if not left and not dry_run:
            with interior.catalog.transaction():
                backend.remove(FileType.INDEX, index_id.hex())
                interior.blobs.drop_empty_indexes((index_id,))
    return swept


def _sweep_one(interior: Interior, mark: MarkedPack, before_ns: int, swept: Swept, dry_run: bool) -> bool:
    """True when the mark says nothing any more: the pack is deleted, or named by an index again."""
    backend, in_use = interior.storage.backend, interior.blobs.in_use
    # Held until the pack is gone, so that no session is told of it in between.
    with interior.catalog.hold():
        if interior.blobs.is_pack(mark.id):
            return True
        size_bytes = pack_size(mark.blobs) if mark.blobs else _size_bytes(interior, mark.id)
        # Who reads may have looked up places before the mark. And a pack that no index named when it was marked may be one that a commit
        # has written and is about to name.
        if mark.time_ns > before_ns or in_use.trees() or (not mark.blobs and in_use.has_commits()):
            swept.waiting += 1
            swept.waiting_bytes += size_bytes
            return False
        if not dry_run:
            try:
                backend.remove(FileType.DATA, mark.id.hex())
            except (Refused, StoreError, NotReachable) as error:
                swept.refused.append(f"data/{mark.id.hex()}: {error.message}")
                return False
        swept.deleted += 1
        swept.deleted_bytes += size_bytes
        return True


def _size_bytes(interior: Interior, pack: bytes) -> int:
    try:
        return interior.storage.backend.size(FileType.DATA, pack.hex())
    except RepositoryMissing:
        return 0
