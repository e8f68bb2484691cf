"""Where the chunks that a listing named lie, known until they are asked for: to ask the index twice was a twentieth of a restore."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from holdfast.repository._format.pack import BlobType, PackedBlob
from holdfast.repository.catalog.blob_table import BlobTable, Place, PlacedRow

# A hundred and fifty bytes each.
_MOST = 100_000
# Pack number, offset, length, plain length.
_PLACED = struct.Struct("<IIII")


class KnownPlaces:
    """Of data blobs, for one thread. What is known goes when it is asked for, and all of it when anything in the index may have gone."""

    def __init__(self, blobs: BlobTable) -> None:
        self._blobs = blobs
        self._standing = blobs.standing
        self._known: dict[bytes, bytes] = {}
        self._packs: dict[int, bytes] = {}

    def rows(self, blob_ids: Sequence[bytes]) -> list[PlacedRow]:
        """What the index says of these; so much of it as there is room for is known from now on."""
        self._settle()
        found = self._blobs.rows(blob_ids, BlobType.DATA)
        # Where some copies are damaged, the table says which of several is to be taken.
        if not self._blobs.has_bad_copies and len(self._known) + len(found) <= _MOST:
            self._known.update([(blob, _PLACED.pack(*row)) for blob, *row in found])
        return found

    def places(self, blob_ids: Sequence[bytes], kind: BlobType = BlobType.DATA) -> dict[bytes, Place]:
        """As `BlobTable.places`."""
        self._settle()
        found: dict[bytes, Place] = {}
        packs, take, unpack = self._packs, self._known.pop, _PLACED.unpack
        for blob in blob_ids:
            if (placed := take(blob, None)) is not None:
                pack, offset, length, raw = unpack(placed)
                if pack not in packs:
                    packs.update(self._blobs.pack_ids((pack,)))
                if pack in packs:
                    found[blob] = Place(packs[pack], PackedBlob(blob, kind, offset, length, raw))
        if len(found) < len(blob_ids):
            found.update(self._blobs.places([blob for blob in blob_ids if blob not in found], kind))
        return found

    def _settle(self) -> None:
        if self._standing != (standing := self._blobs.standing):
            self._standing = standing
            self._known.clear()
            self._packs.clear()
