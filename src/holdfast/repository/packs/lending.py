"""Chunks that several commits bring at the same moment: the first stores them, the others borrow them until they are durable.

Each sender still sends the chunk, and so proves that it has it; only the second copy in the repository is saved.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping

from holdfast.core.errors import RepositoryLocked
from holdfast.repository.catalog.blob_table import BlobTable
from holdfast.repository.packs.packer import Packer

# What is borrowed is remembered in memory until it is settled.
_MOST_BORROWED = 20_000


class Packers:
    """Those of the commits that are open. Thread-safe."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._open: tuple[Packer, ...] = ()

    def add(self, packer: Packer) -> None:
        with self._guard:
            self._open = (*self._open, packer)

    def remove(self, packer: Packer) -> None:
        with self._guard:
            self._open = tuple(each for each in self._open if each is not packer)

    def others(self, packer: Packer) -> tuple[Packer, ...]:
        return tuple(each for each in self._open if each is not packer)


class Borrowed:
    """What one commit has borrowed. Used by its thread alone."""

    def __init__(self, packers: Packers, own: Packer, table: BlobTable, sender: int) -> None:
        self._packers = packers
        self._own = own
        self._table = table
        self._sender = sender
        self._sizes: dict[bytes, int] = {}
        self._lenders: dict[bytes, Packer] = {}

    @property
    def sizes(self) -> Mapping[bytes, int]:
        """Plain lengths of the chunks borrowed and not settled yet."""
        return self._sizes

    @property
    def additions(self) -> int:
        """To be kept when it is asked what of a segment is stored, and given to `take` when that comes."""
        return self._table.additions

    def may_have(self, additions: int) -> bool:
        """Whether `take` may find any: others store something, or have done so since."""
        return bool(self._packers.others(self._own)) or self._table.additions != additions

    def take(self, chunk: bytes, size_bytes: int, additions: int) -> bool:
        """True when another commit stores it, or has done so since `additions`, so that this one need not."""
        for lender in self._packers.others(self._own):
            if chunk in lender.pending and lender.lend(chunk):
                self._lenders[chunk] = lender
                break
        else:
            # What is pending no more was indexed before it left there, or lost.
            if self._table.additions == additions or not self._table.known_chunks((chunk,), None):
                return False
        self._sizes[chunk] = size_bytes
        return True

    def checkpoint(self) -> None:
        """Between segments."""
        if len(self._sizes) >= _MOST_BORROWED:
            self.settle()

    def settle(self) -> None:
        """All that was borrowed is durable, indexed and counts as this sender's when this returns. Raises `RepositoryLocked` when a lender
        could not store it. Not to be called with the catalog's guard held, nor a packer's."""
        if not self._sizes:
            return
        if missing := self._missing():
            for lender in dict.fromkeys(self._lenders[chunk] for chunk in missing if chunk in self._lenders):
                lender.hand_over()
            if missing := self._missing():
                raise RepositoryLocked(
                    f"{len(missing)} chunks that another delivery was storing were lost with it", hint="it is tried again by itself"
                )
        self._table.claim(self._sizes, self._sender)
        self._sizes.clear()
        self._lenders.clear()

    def _missing(self) -> list[bytes]:
        known = self._table.known_chunks(list(self._sizes), None)
        return [chunk for chunk in self._sizes if chunk not in known]
