"""Who is told of damage by whoever reads, at the moment it is met."""

from __future__ import annotations

from typing import Protocol

from holdfast.repository._format.pack import BlobType
from holdfast.repository.catalog.blob_table import Place


class DamageWatch(Protocol):
    """Never raises. May be told from several threads, and of one thing often."""

    def damaged(self, place: Place, reason: str) -> Place | None:
        """This copy of a blob cannot be read, or is not what its id says. Another place to try, if there is one."""
        ...

    def missing(self, kind: BlobType, blob_id: bytes, reason: str) -> None:
        """No index names this blob, and something needs it."""
        ...


class Unwatched:
    """Nobody is told, and no other copy is looked for: for checks, which look at all copies themselves."""

    def damaged(self, _place: Place, _reason: str) -> Place | None:
        return None

    def missing(self, _kind: BlobType, _blob_id: bytes, _reason: str) -> None:
        return
