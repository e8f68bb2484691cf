"""An ability some backends have: what is read again and again lies nearby too."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from holdfast.backend.backend import Backend


@runtime_checkable
class CachedReads(Protocol):
    """Index, snapshots and packs of trees are kept near the owner. Every other read goes to the place itself."""

    def load_tree(self, name: str, offset: int, size: int) -> bytes:
        """A range of a pack of trees; such packs are kept whole. Errors as `Backend.load`."""
        ...

    def drop(self, name: str) -> None:
        """What is kept of this pack turned out to be bad: forget it, so that the next read brings it anew."""
        ...

    def uncached(self) -> Backend:
        """The place itself, for a check, which must not take the copy's word."""
        ...
