"""Joining small index files: each sealing leaves one, and stock restic reads them all before it does anything.

New ones are durable before old ones go; broken off at any step, some packs are named twice, which harms nobody.
"""

from __future__ import annotations

from contextlib import suppress

from holdfast.backend.backend import FileType
from holdfast.core.errors import HoldfastError
from holdfast.repository._format.index import decode_index, decode_marks
from holdfast.repository.interior import Interior
from holdfast.repository.pruning.index_writer import IndexWriter
from holdfast.repository.pruning.marks import MarkWriter

SMALL_INDEX_PACKS = 20
MANY_INDEXES = 64
JOIN_EVERY_S = 3_600.0


class IndexJoining:
    """Of one open repository, each hour. For one thread."""

    def __init__(self, interior: Interior) -> None:
        self._interior = interior
        self._clock = interior.storage.clock
        self._joined_at_s = self._clock.monotonic_s()

    def tick(self) -> None:
        """Never raises: while another program is at work, or the store fails, they wait for another hour."""
        if self._clock.monotonic_s() - self._joined_at_s >= JOIN_EVERY_S:
            self._joined_at_s = self._clock.monotonic_s()
            with suppress(HoldfastError, OSError):
                join_indexes(self._interior)


def small_indexes(interior: Interior) -> list[bytes]:
    return [index_id for index_id, packs in interior.blobs.indexes() if 0 < len(packs) < SMALL_INDEX_PACKS]


def join_indexes(interior: Interior) -> int:
    """Gives how many index files went. Raises `RepositoryLocked` while another program is at work, and what the store raises."""
    if len(small_indexes(interior)) < MANY_INDEXES:
        return 0
    with interior.lock.session(), interior.lock.alone(), interior.catalog.transaction():
        interior.refresh()
        old = small_indexes(interior)
        marks, writer = MarkWriter(interior), IndexWriter(interior)
        for index_id in old:
            json = interior.storage.load_document(FileType.INDEX, index_id.hex())
            for pack in decode_index(json):
                writer.add(pack)
            for mark in decode_marks(json):
                marks.add(mark)
        marks.flush()
        writer.flush()
        for index_id in old:
            interior.storage.backend.remove(FileType.INDEX, index_id.hex())
        interior.blobs.drop_indexes(old)
    return len(old)
