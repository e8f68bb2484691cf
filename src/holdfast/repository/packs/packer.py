"""Writing blobs: collected into packs, sealed by a small pool, made durable together, named by an index file.

Order, always: packs durable, then the index that names them, then (by the caller) the snapshot that reaches them.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Executor, Future

from holdfast.backend.backend import FileType
from holdfast.core.errors import HoldfastError, NoSpace
from holdfast.repository._format.index import MOST_BLOBS, IndexedPack, encode_index
from holdfast.repository._format.pack import TARGET_BYTES, Blob, BlobType, BuiltPack, pack_size
from holdfast.repository.catalog.blob_table import BlobTable
from holdfast.repository.packs.blob_writer import blob_of
from holdfast.repository.packs.storage import Storage

_BLOBS_IN_PACK = 10_000
# Of what came before an abort so much is worth a pack of its own: on a slow line it took some seconds.
WORTH_KEEPING_BYTES = 1 << 20
# One is sealed while the next gathers; more would only hold memory, since sealing is much faster than what brings the chunks.
_PACKS_IN_FLIGHT = 1
# A killed first backup goes on from its last index, so one is written at least this often.
_INDEX_EVERY_S = 600.0
# An index may name more, but what waits for it and the index itself are in memory: twenty megabytes more at twice as many.
_INDEX_BLOBS = 10_000


class _OpenPack:
    """Blobs of one type waiting to become a pack."""

    def __init__(self) -> None:
        self.blobs: list[Blob] = []
        self.size_bytes = 0


class Packer:
    """The blobs of one commit. Fed by one thread; the sealing is done by `pool`. `owner` = catalog number of the sending node.

    Other commits may borrow what this one has taken (`lend`), and have it made durable before their own end (`hand_over`).
    """

    def __init__(self, storage: Storage, table: BlobTable, pool: Executor, owner: int) -> None:
        self._storage = storage
        self._table = table
        self._pool = pool
        self._owner = owner
        self._open = {kind: _OpenPack() for kind in BlobType}
        self._sealing: deque[Future[BuiltPack]] = deque()
        self._done: list[IndexedPack] = []
        self._chunks: dict[bytes, int] = {}
        self._trees: set[bytes] = set()
        self._indexed_at_s = storage.clock.monotonic_s()
        self._is_full = False
        # Held while anything but `pending` is looked at: who hands over is another thread. Taken before the catalog's guard, never within.
        self._guard = threading.RLock()
        self._is_lent = False
        self._broken: BaseException | None = None
        self.stored_bytes = 0
        self.blob_counts = dict.fromkeys(BlobType, 0)
        self.raw_bytes = 0

    @property
    def pending(self) -> Mapping[bytes, int]:
        """Plain lengths of the chunks taken and not yet in the catalog."""
        return self._chunks

    def add_chunk(self, chunk: bytes, payload: bytes, size_bytes: int, *, compressed: bool) -> None:
        """Take a chunk the repository does not hold."""
        with self._guard:
            if chunk not in self._chunks:
                self._chunks[chunk] = size_bytes
                self._add(Blob(chunk, BlobType.DATA, payload, size_bytes if compressed else 0), size_bytes)

    def add_tree(self, tree: bytes, plain: bytes) -> None:
        """Take a tree unless it is there already."""
        if tree in self._trees or self._table.has_trees((tree,)):
            return
        blob = blob_of(BlobType.TREE, tree, plain)
        with self._guard:
            self._trees.add(tree)
            self._add(blob, len(plain))

    def checkpoint(self) -> None:
        """Between segments: write an index when enough has gathered. What it names survives an abort and is not sent again."""
        with self._guard:
            waiting = len(self._chunks) + len(self._trees)
            if waiting >= _INDEX_BLOBS or (self._done and self._storage.clock.monotonic_s() - self._indexed_at_s > _INDEX_EVERY_S):
                self._index_finished()

    def flush(self) -> None:
        """All taken blobs are durable and indexed when this returns."""
        with self._guard:
            for kind in BlobType:
                self._submit(kind)
            self._index_finished()

    def lend(self, chunk: bytes) -> bool:
        """Whether this commit stores the chunk, so that another one need not: an abort leaves out nothing from now on."""
        with self._guard:
            if self._broken is None and chunk in self._chunks:
                self._is_lent = True
                return True
            return False

    def hand_over(self) -> None:
        """By the thread of another commit: what it has borrowed is made durable. Never raises; what failed ends this commit, too, for its
        blobs are gone."""
        with self._guard:
            if self._broken is None:
                try:
                    self.flush()
                except Exception as error:  # noqa: BLE001 told to this commit's own thread when it goes on
                    self._broken = error

    def abort(self) -> None:
        """Keep finished packs, and an open one that is worth it, for the next try where that works; drop the rest. Never raises.

        A settled pack is never deleted here: its index may be written, whatever the error said.
        """
        with self._guard:
            self._abort()

    def _abort(self) -> None:
        if self._is_full:
            self._forget_sealing()
        try:
            if (self._is_lent or self._open[BlobType.DATA].size_bytes >= WORTH_KEEPING_BYTES) and not self._is_full:
                self._submit(BlobType.DATA)
            self._index_finished()
        except Exception:  # noqa: BLE001 the commit has failed already, and its own error is the one that counts
            self._forget_sealing()
            self._storage.forget_packs([pack.id for pack in self._done])
        self._done.clear()
        self._chunks.clear()
        self._trees.clear()

    def _add(self, blob: Blob, plain_bytes: int) -> None:
        pack = self._open[blob.type]
        pack.blobs.append(blob)
        pack.size_bytes += len(blob.payload)
        self.blob_counts[blob.type] += 1
        self.raw_bytes += plain_bytes
        if pack.size_bytes >= TARGET_BYTES or len(pack.blobs) >= _BLOBS_IN_PACK:
            self._submit(blob.type)

    def _submit(self, kind: BlobType) -> None:
        self._refuse_broken()
        pack = self._open[kind]
        if not pack.blobs:
            return
        self._open[kind] = _OpenPack()
        while len(self._sealing) >= _PACKS_IN_FLIGHT:
            self._collect()
        ivs = self._storage.draw_ivs(len(pack.blobs))
        self._sealing.append(self._pool.submit(self._storage.build_and_save_pack, pack.blobs, ivs))

    def _refuse_broken(self) -> None:
        """A commit of which another thread has lost blobs must not be sealed."""
        if self._broken is not None:
            if isinstance(self._broken, HoldfastError):
                raise type(self._broken)(self._broken.message, hint=self._broken.hint)
            raise self._broken

    def _forget_sealing(self) -> None:
        while self._sealing:
            future = self._sealing.popleft()
            if future.exception() is None:
                self._storage.forget_packs((future.result().id,))

    def _collect(self) -> None:
        try:
            built = self._sealing.popleft().result()
        except NoSpace:
            # Smaller packs that came behind may have found room, the last there was: a smaller commit, or another dataset's, needs it.
            self._is_full = True
            raise
        self.stored_bytes += pack_size(built.blobs)
        self._done.append(IndexedPack(built.id, built.blobs))

    def _index_finished(self) -> None:
        self._refuse_broken()
        while self._sealing:
            self._collect()
        if self._done:
            try:
                self._storage.settle_packs([pack.id for pack in self._done])
            except BaseException:
                # What could not be made durable was dropped, so no index may ever name it, not even one that `abort` writes.
                self._done.clear()
                raise
            for group in _index_groups(self._done):
                self._write_index(group)
            self._done.clear()
        self._chunks = {blob.id: blob.raw_bytes or len(blob.payload) for blob in self._open[BlobType.DATA].blobs}
        self._trees = {blob.id for blob in self._open[BlobType.TREE].blobs}
        self._indexed_at_s = self._storage.clock.monotonic_s()

    def _write_index(self, packs: Collection[IndexedPack]) -> None:
        json = encode_index(packs)
        with self._table.transaction():
            index_id = self._storage.save_document(FileType.INDEX, json)
            self._table.add_index(index_id, packs, self._owner)


def _index_groups(packs: Sequence[IndexedPack]) -> list[list[IndexedPack]]:
    """Divide packs so that no index file names more than about `MOST_BLOBS`."""
    groups: list[list[IndexedPack]] = [[]]
    size = 0
    for pack in packs:
        if groups[-1] and size + len(pack.blobs) > MOST_BLOBS:
            groups.append([])
            size = 0
        groups[-1].append(pack)
        size += len(pack.blobs)
    return groups
