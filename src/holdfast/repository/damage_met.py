"""Damage that a reader meets: recorded while it reads, so that the next run of the source brings what is lost, as after a check."""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.backend.backend import FileType
from holdfast.core.clock import now
from holdfast.core.errors import HoldfastError, RepositoryDamaged, RepositoryMissing, StoreError
from holdfast.core.ids import DatasetId
from holdfast.model.points import Point
from holdfast.repository._format.pack import BlobType
from holdfast.repository.catalog.blob_table import BlobTable, Place
from holdfast.repository.diagnosis import BlobKey
from holdfast.repository.packs.storage import Storage
from holdfast.repository.quarantine import Met, Quarantine

# A pack that is gone takes thousands of blobs, and each writing is of all that is known.
_KEPT_TOGETHER = 5_000
_PAUSE_S = 10.0


@dataclass(frozen=True)
class Read:
    """What is being read. `dataset` None = nobody's source has it."""

    dataset: DatasetId | None
    label: str


def read_of(point: Point) -> Read:
    return Read(None if point.foreign else point.dataset_id, point.dataset)


class DamageMet:
    """The `DamageWatch` of one read; `settle` when it is over. Nothing is believed at once: a copy is read once more, and where the whole
    place is away nothing in it is damaged."""

    def __init__(self, storage: Storage, blobs: BlobTable, quarantine: Quarantine, read: Read) -> None:
        self._storage = storage.uncached()
        self._blobs = blobs
        self._quarantine = quarantine
        self._read = read
        self._kept = 0
        self._settled_at_s: float | None = None

    def damaged(self, place: Place, reason: str) -> Place | None:
        key = BlobKey(place.blob.type, place.blob.id)
        if not self._quarantine.has(place.pack, key) and not self._is_damaged(place):
            return None
        other = self._blobs.distrust_copy(place)
        self._note(Met(self._read.label, reason, place.pack, key), lost=other is None)
        return other

    def missing(self, kind: BlobType, blob_id: bytes, reason: str) -> None:
        self._note(Met(self._read.label, reason, b"", BlobKey(kind, blob_id)), lost=True)

    def settle(self) -> None:
        """Kept over a restart, and told. Never raises: what is forgotten is met again."""
        if self._kept:
            self._kept = 0
            self._quarantine.settle(now(self._storage.clock))

    def settle_now_and_then(self) -> None:
        """For a read that may stay open for days: what it met is told within seconds, and damage without end is not written without end."""
        moment_s = self._storage.clock.monotonic_s()
        if self._kept and (self._settled_at_s is None or moment_s - self._settled_at_s >= _PAUSE_S):
            self._settled_at_s = moment_s
            self.settle()

    def _note(self, met: Met, *, lost: bool) -> None:
        owed = (self._read.dataset,) if lost and self._read.dataset is not None else ()
        if self._quarantine.note(met, owed):
            self._kept += 1
            if self._kept >= _KEPT_TOGETHER:
                self.settle()

    def _is_damaged(self, place: Place) -> bool:
        try:
            self._storage.load_blob(place)
        except RepositoryDamaged:
            return True
        except RepositoryMissing:
            return self._place_is_there()
        except StoreError as error:
            # A disk that fails at this sector, or a pack that ends too early; keys that are refused say nothing of the bytes.
            return type(error) is StoreError and self._place_is_there()
        except HoldfastError:
            return False
        return False

    def _place_is_there(self) -> bool:
        try:
            return bool(self._storage.backend.load(FileType.CONFIG, ""))
        except HoldfastError:
            return False
