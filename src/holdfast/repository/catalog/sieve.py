"""What says of most ids that they are not in a table, without asking it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

_BITS = 22


class Sieve:
    """Of ids that are hashes, so that their beginnings are spread evenly. Half a megabyte; with 100,000 ids in it 2 % of others pass."""

    def __init__(self) -> None:
        self._bits = bytearray(1 << (_BITS - 3))

    def add(self, ids: Iterable[bytes]) -> None:
        bits = self._bits
        for id_ in ids:
            start = int.from_bytes(id_[:3], "little")
            bits[start >> 5] |= 1 << (start >> 2 & 7)

    def passing(self, ids: Sequence[bytes]) -> list[bytes]:
        """Without those that were never added."""
        bits = self._bits
        found = []
        for id_ in ids:
            start = int.from_bytes(id_[:3], "little")
            if bits[start >> 5] >> (start >> 2 & 7) & 1:
                found.append(id_)
        return found
