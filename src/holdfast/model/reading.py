"""Reading one state of a dataset: from a repository here, or from one across the wire. Restore, mirrors and resync use only this."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

import msgspec

from holdfast.core.errors import RepositoryDamaged
from holdfast.model.change import Payload
from holdfast.model.entry import Entry, Kind, parent_of

_LISTED = 1_000


class LostFolder(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A folder whose listing cannot be had, so that nobody knows what was in it; and why. `/` is the root of all."""

    path: bytes
    reason: str


@dataclass(frozen=True)
class Listed:
    """Some entries. `places` says for each of their chunks, in order, where it lies: whoever asks for chunks by rising places lets the
    store be read from front to end. Empty where the reader knows no order. `lost`: folders of which nothing below is among the entries.
    `total_bytes`: what all files of the point hold together, where it is known (0 = it is not); then chunks of entries that were given may
    be asked for before the listing is over.
    """

    entries: Sequence[Entry]
    places: Sequence[int] = ()
    lost: Sequence[LostFolder] = ()
    total_bytes: int = 0


class Lost(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A chunk that cannot be had, and why."""

    id: bytes
    reason: str


@dataclass(frozen=True)
class Answer:
    """Chunks of one question; `last` closes it."""

    payloads: Sequence[Payload]
    lost: Sequence[Lost] = ()
    last: bool = False


class PointReader(Protocol):
    """One state of one dataset.

    `entries`: at or below these paths (empty = all), in walk order, parents of a named path not included; raises `UnknownName` when a named
    path is not there, and `RepositoryDamaged` where a folder's listing is lost. `listing` gives the same many at a time, and where their
    chunks lie; what is lost it names, and goes on. `children`: of each of these folders in turn (`/` = the root of all) those
    directly in it, in order; of another kind of file, itself. Raises as `entries` does.
    `payloads`: exactly one for each id, in any order; ids must come from entries already given; whoever decompresses one verifies it
    (SHA-256). Raises `RepositoryDamaged` naming the chunk when it cannot be had; after that, as after any other error, only `close` is of
    use; it may be repeated.
    `answers` is for who goes on without what is lost: each question is a run of different ids, and what is given and lost of it comes
    in one or more answers before those of the next. Questions are taken ahead of the answers.

    An implementation that inherits, and whose `payloads` may be asked again after `RepositoryDamaged`, has the other three for nothing.
    """

    def entries(self, paths: Sequence[bytes] = ()) -> Iterator[Entry]: ...

    def listing(self, paths: Sequence[bytes] = ()) -> Iterator[Listed]:
        entries = self.entries(paths)
        while some := list(islice(entries, _LISTED)):
            yield Listed(some)

    def children(self, folders: Sequence[bytes]) -> Iterator[Entry]:
        for folder in folders:
            for entry in self.entries((folder,) if folder != b"/" else ()):
                is_child = parent_of(entry.path) == folder and entry.path != b"/"
                if is_child or (entry.path == folder and entry.kind is not Kind.DIRECTORY):
                    yield entry

    def payloads(self, ids: Sequence[bytes]) -> Iterator[Payload]: ...

    def answers(self, questions: Iterable[Sequence[bytes]]) -> Iterator[Answer]:
        for ids in questions:
            got: list[Payload] = []
            lost: list[Lost] = []
            try:
                got.extend(self.payloads(ids))
            except RepositoryDamaged:
                got = []
                for chunk_id in ids:
                    try:
                        got.extend(self.payloads([chunk_id]))
                    except RepositoryDamaged as error:
                        lost.append(Lost(chunk_id, error.message))
            yield Answer(got, lost, last=True)

    def close(self) -> None: ...
