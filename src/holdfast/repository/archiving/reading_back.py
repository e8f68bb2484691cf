"""Every byte read from the store and compared with its id: before anybody relies on it alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256

from holdfast.core.errors import RepositoryDamaged
from holdfast.repository._format.pack import BlobType, plain_of
from holdfast.repository.catalog.blob_table import BlobTable, Place
from holdfast.repository.packs.chunks import opened, runs_of
from holdfast.repository.packs.storage import Storage

# Ids looked up at once.
_BATCH = 2_000


def unreadable(storage: Storage, blobs: BlobTable, chunks: Iterable[bytes]) -> frozenset[bytes]:
    """Which of these chunks the store does not give back whole. No cache's word is taken."""
    bad: set[bytes] = set()
    storage, ids = storage.uncached(), list(dict.fromkeys(chunks))
    for start in range(0, len(ids), _BATCH):
        some = ids[start : start + _BATCH]
        places = blobs.places(some, BlobType.DATA)
        bad.update(chunk for chunk in some if chunk not in places)
        for run in runs_of(places.values()):
            bad.update(_bad_of(storage, run))
    return frozenset(bad)


def read_back_trees(storage: Storage, blobs: BlobTable, trees: Sequence[bytes]) -> None:
    """Raises `RepositoryDamaged` for one that the store does not give back whole."""
    storage = storage.uncached()
    for start in range(0, len(trees), _BATCH):
        some = trees[start : start + _BATCH]
        places = blobs.places(some, BlobType.TREE)
        for tree in some:
            if tree not in places:
                raise RepositoryDamaged(f"tree {tree.hex()}, which was just written, is in no index")
            storage.load_blob(places[tree])


def _bad_of(storage: Storage, run: Sequence[Place]) -> list[bytes]:
    try:
        for place, data in zip(run, opened(storage, run), strict=True):
            if sha256(plain_of(data, place.blob.raw_bytes)).digest() != place.blob.id:
                raise RepositoryDamaged(f"chunk {place.blob.id.hex()} has other content")
    except RepositoryDamaged:
        if len(run) == 1:
            return [run[0].blob.id]
        return [chunk for place in run for chunk in _bad_of(storage, [place])]
    return []
