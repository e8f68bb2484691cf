"""Reading one state of a dataset: from a repository here, or from one across the wire. Restore, mirrors and resync use only this."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from holdfast.model.change import Payload
from holdfast.model.entry import Entry


class PointReader(Protocol):
    """One state of one dataset.

    `entries`: at or below these paths (empty = all), in walk order, parents of a named path not included; raises `UnknownName` when a named
    path is not there. `payloads`: exactly one for each id, in any order; ids must come from entries already given; whoever decompresses
    one verifies it (SHA-256). Raises `RepositoryDamaged` naming the chunk when it cannot be had. After an error only `close` is of use;
    it may be repeated.
    """

    def entries(self, paths: Sequence[bytes] = ()) -> Iterator[Entry]: ...

    def payloads(self, ids: Sequence[bytes]) -> Iterator[Payload]: ...

    def close(self) -> None: ...
