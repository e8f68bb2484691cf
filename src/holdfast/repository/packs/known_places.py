"""Where the chunks that a listing named lie, known until they are asked for: to ask the index twice was a twentieth of a restore."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from holdfast.repository._format.pack import BlobType, PackedBlob
from holdfast.repository.catalog.blob_table import BlobTable, Place, PlacedRow

# Two hundred bytes each. Of a larger point nothing is known: its restore takes the most memory as it is.
_MOST = 100_000
# Pack number, offset, length, plain length.
_PLACED = struct.Struct("<IIII")


class KnownPlaces:
    """Of data blobs, for one thread. What is known goes when it is asked for, and all of it when anything in the index may have gone."""

    def __init__(self, blobs: BlobTable) -> None:
        self._blobs = blobs
        self._standing = blobs.standing
        self._known: dict[bytes, bytes] = {}
        self._has_room = True
        self._packs: dict[int, bytes] = {}

    def rows(self, blob_ids: Sequence[bytes]) -> list[PlacedRow]:
        """What the index says of these, which is known from now on; all is forgotten, and nothing learned, where there is no room."""
        self._settle()
        found = self._blobs.rows(blob_ids, BlobType.DATA)
        # Where some copies are damaged, the table says which of several is to be taken.
        if self._has_room and not self._blobs.has_bad_copies:
            self._known.update([(blob, _PLACED.pack(*row)) for blob, *row in found])
            if len(self._known) > _MOST:
                self._has_room = False
                self._known.clear()
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
