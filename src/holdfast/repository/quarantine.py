"""What is known to be damaged, kept in the owner's home: copies of blobs that must not be relied on, and who has to send everything again.

A chunk whose only copy is damaged is asked for when a source offers it, as if it were not there; what comes is stored beside it. Sources
offer what changed, so a dataset that needs such a chunk is *owed*: its source is told once that nothing is here, and offers all.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from pathlib import Path

import msgspec

from holdfast.core.ids import DatasetId
from holdfast.core.private_files import write_private
from holdfast.model.decoding import UNREADABLE_FILE
from holdfast.repository.catalog.blob_table import BlobTable
from holdfast.repository.diagnosis import BadPack

_FILE = "damaged.json"


class _BadCopies(msgspec.Struct, frozen=True):
    """In hex."""

    pack: str
    blobs: tuple[str, ...]


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    repository: str
    copies: tuple[_BadCopies, ...] = ()
    owed: tuple[DatasetId, ...] = ()


class Quarantine:
    """Of the repository with this config id; another's record is as good as none. Thread-safe."""

    def __init__(self, home: Path, repository: str) -> None:
        self._path = home / _FILE
        self._guard = threading.Lock()
        self._kept = _load(self._path, repository)

    def apply(self, table: BlobTable) -> None:
        """Tell the catalog, whose numbers of packs may be new."""
        table.distrust({bytes.fromhex(bad.pack): map(bytes.fromhex, bad.blobs) for bad in self._now().copies})

    def healed(self, table: BlobTable) -> int:
        """How many of the damaged blobs have a whole copy by now."""
        blobs = {bytes.fromhex(blob) for bad in self._now().copies for blob in bad.blobs}
        return len(table.trusted(sorted(blobs)))

    def is_owed(self, dataset: DatasetId) -> bool:
        return dataset in self._now().owed

    def put(self, packs: Iterable[BadPack], owed: Iterable[DatasetId]) -> None:
        """What was found now is all there is. Raises `OSError` when it cannot be kept."""
        copies = tuple(_BadCopies(pack.id.hex(), tuple(sorted(key.id.hex() for key in pack.bad))) for pack in packs if pack.bad)
        self._write(copies, tuple(sorted(set(owed))))

    def add(self, packs: Iterable[BadPack], owed: Iterable[DatasetId]) -> None:
        """In addition to what was known."""
        kept = self._now()
        blobs = {bad.pack: set(bad.blobs) for bad in kept.copies}
        for pack in packs:
            blobs.setdefault(pack.id.hex(), set()).update(key.id.hex() for key in pack.bad)
        copies = tuple(_BadCopies(pack, tuple(sorted(names))) for pack, names in sorted(blobs.items()) if names)
        self._write(copies, tuple(sorted({*kept.owed, *owed})))

    def paid(self, dataset: DatasetId) -> None:
        """Its source has offered everything."""
        kept = self._now()
        if dataset in kept.owed:
            self._write(kept.copies, tuple(each for each in kept.owed if each != dataset))

    def _write(self, copies: tuple[_BadCopies, ...], owed: tuple[DatasetId, ...]) -> None:
        with self._guard:
            self._kept = _Kept(repository=self._kept.repository, copies=copies, owed=owed)
            write_private(self._path, msgspec.json.encode(self._kept) + b"\n")

    def _now(self) -> _Kept:
        with self._guard:
            return self._kept


def _load(path: Path, repository: str) -> _Kept:
    try:
        kept = msgspec.json.decode(path.read_bytes(), type=_Kept)
        if kept.repository == repository:
            return kept
    except (*UNREADABLE_FILE, ValueError):
        # The next check or scrub writes another.
        pass
    return _Kept(repository=repository)
