"""What is known to be damaged, kept in the owner's home: copies of blobs that must not be relied on, and who has to send everything again.

A chunk whose only copy is damaged is asked for when a source offers it, as if it were not there; what comes is stored beside it. Sources
offer what changed, so a dataset that needs such a chunk is *owed*: its source is told once that nothing is here, and offers all.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec

from holdfast.core.ids import DatasetId
from holdfast.host.home_records import load_record, save_record
from holdfast.repository.catalog.blob_table import BlobTable
from holdfast.repository.diagnosis import BadPack, BlobKey

_FILE = "damaged.json"


@dataclass(frozen=True)
class Met:
    """A blob that a reader could not have. `label`: what it read. `pack` empty = no index names the blob."""

    label: str
    reason: str
    pack: bytes
    key: BlobKey


class _BadCopies(msgspec.Struct, frozen=True):
    """In hex; `pack` empty = in no index."""

    pack: str
    blobs: tuple[str, ...]


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    """`met_at`: when a reader last met what no check had found. `told`: by blob, the datasets that were owed because of it."""

    repository: str
    copies: tuple[_BadCopies, ...] = ()
    owed: tuple[DatasetId, ...] = ()
    met_at: datetime | None = None
    told: dict[str, tuple[DatasetId, ...]] = {}


def silence(_met: tuple[Met, ...]) -> None:
    """Nobody hears of it."""


class Quarantine:
    """Of the repository with this config id; another's record is as good as none. Thread-safe. `tell` hears what readers have met."""

    def __init__(self, home: Path, repository: str) -> None:
        self._path = home / _FILE
        self._guard = threading.RLock()
        self.tell: Callable[[tuple[Met, ...]], None] = silence
        self._met: list[Met] = []
        kept = _load(self._path, repository)
        self._repository = repository
        self._copies = {bad.pack: set(bad.blobs) for bad in kept.copies}
        self._owed = set(kept.owed)
        self._told = {blob: set(datasets) for blob, datasets in kept.told.items()}
        self._met_at = kept.met_at

    @property
    def met_at(self) -> datetime | None:
        """When a reader met damage that no check has looked at since."""
        return self._met_at

    def apply(self, table: BlobTable) -> None:
        """Tell the catalog, whose numbers of packs may be new."""
        with self._guard:
            copies = {bytes.fromhex(pack): [bytes.fromhex(blob) for blob in blobs] for pack, blobs in self._copies.items() if pack}
        table.distrust(copies)

    def healed(self, table: BlobTable) -> int:
        """How many of the damaged blobs have a whole copy by now."""
        return len(table.trusted(sorted(self._blobs())))

    def lost(self, table: BlobTable) -> frozenset[bytes]:
        """The ids of those that have none."""
        blobs = self._blobs()
        return frozenset(blobs - table.trusted(sorted(blobs)))

    def is_owed(self, dataset: DatasetId) -> bool:
        with self._guard:
            return dataset in self._owed

    def has(self, pack: bytes, key: BlobKey) -> bool:
        with self._guard:
            return key.id.hex() in self._copies.get(pack.hex(), ())

    def packs(self) -> frozenset[bytes]:
        """The ids of those that hold damaged copies."""
        with self._guard:
            return frozenset(bytes.fromhex(pack) for pack in self._copies if pack)

    def put(self, packs: Iterable[BadPack], owed: Iterable[DatasetId], missing: Iterable[bytes] = ()) -> None:
        """What was found now is all there is; `missing` are blobs in no index. Raises `OSError` when it cannot be kept."""
        with self._guard:
            self._copies, self._told, self._met_at = {}, {}, None
            self._owed = set()
            self.add(packs, owed, missing)

    def add(self, packs: Iterable[BadPack], owed: Iterable[DatasetId], missing: Iterable[bytes] = ()) -> None:
        """In addition to what was known."""
        with self._guard:
            if names := {blob.hex() for blob in missing}:
                self._copies.setdefault("", set()).update(names)
            for pack in packs:
                if pack.bad:
                    self._copies.setdefault(pack.id.hex(), set()).update(key.id.hex() for key in pack.bad)
            self._owed.update(owed)
            self._write()

    def note(self, met: Met, owed: Iterable[DatasetId]) -> bool:
        """What a reader met; kept over a restart by `settle`. False when it was known and nobody more is owed: so that who has given all
        it still had is not asked again each time somebody reads."""
        blob = met.key.id.hex()
        with self._guard:
            blobs = self._copies.setdefault(met.pack.hex(), set())
            told = self._told.setdefault(blob, set())
            new = set(owed) - told
            if blob in blobs and not new:
                return False
            blobs.add(blob)
            told |= new
            self._owed |= new
            self._met.append(met)
            return True

    def settle(self, at: datetime) -> None:
        """End of a read that met something. Never raises: what cannot be kept is met again."""
        with self._guard:
            met, self._met = tuple(self._met), []
            if met:
                self._met_at = at
                with suppress(OSError):
                    self._write()
        if met:
            self.tell(met)

    def needing(self, key: BlobKey) -> tuple[DatasetId, ...]:
        """Datasets that may need it, as far as somebody knows."""
        with self._guard:
            return tuple(sorted(self._told.get(key.id.hex()) or self._owed))

    def forgive(self) -> None:
        """Nothing is lost any more, whoever gave it."""
        with self._guard:
            self._owed = set()
            self._write()

    def paid(self, dataset: DatasetId) -> None:
        """Its source has offered everything."""
        with self._guard:
            if dataset in self._owed:
                self._owed.discard(dataset)
                self._write()

    def _blobs(self) -> set[bytes]:
        with self._guard:
            return {bytes.fromhex(blob) for blobs in self._copies.values() for blob in blobs}

    def _write(self) -> None:
        kept = _Kept(
            repository=self._repository,
            copies=tuple(_BadCopies(pack, tuple(sorted(blobs))) for pack, blobs in sorted(self._copies.items()) if blobs),
            owed=tuple(sorted(self._owed)),
            met_at=self._met_at,
            told={blob: tuple(sorted(datasets)) for blob, datasets in sorted(self._told.items())},
        )
        save_record(self._path, kept)


def _load(path: Path, repository: str) -> _Kept:
    kept = load_record(path, _Kept)
    # Where there is none, the next check or scrub writes another.
    return kept if kept is not None and kept.repository == repository else _Kept(repository=repository)
