"""Lost blobs from other copies. Whatever a copy gives counts only after its SHA-256 was compared: a wrong byte never gets in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol

from holdfast.core.errors import HoldfastError
from holdfast.core.ids import DatasetId, PointId
from holdfast.repository._format.pack import BlobType
from holdfast.repository.diagnosis import BlobKey, Diagnosis
from holdfast.repository.facts import facts_of
from holdfast.repository.packs.blob_writer import BlobWriter


@dataclass(frozen=True)
class WantedAt:
    """A path at which a point needs a lost blob. `path` of a lost tree is its folder, `/` the root of all."""

    dataset: DatasetId
    point: PointId
    path: bytes


Wanted = Mapping[BlobKey, Sequence[WantedAt]]


class BlobCopy(Protocol):
    """Another place that may hold the same content: a second repository of this owner, one across the wire, ...

    `blobs`: of what is wanted, what it can give, plain, in any order; what it does not have is left out. It may give wrong bytes: the
    taker compares. Raises `HoldfastError` when it cannot be asked.
    """

    @property
    def title(self) -> str: ...

    def blobs(self, wanted: Wanted) -> Iterator[tuple[BlobKey, bytes]]: ...


@dataclass(frozen=True)
class Healed:
    """What one copy gave. `refused`: blobs that were not what their ids say. `problem`: why it could not be asked, or not to the end."""

    title: str
    keys: frozenset[BlobKey]
    size_bytes: int = 0
    refused: int = 0
    problem: str = ""


def wanted_of(diagnosis: Diagnosis) -> dict[BlobKey, list[WantedAt]]:
    """Every lost blob, with the paths of points where it is known to be needed."""
    wanted: dict[BlobKey, list[WantedAt]] = {key: [] for key in sorted(diagnosis.lost)}
    for key, places in wanted.items():
        for file in diagnosis.files.get(key, ()):
            facts = facts_of(diagnosis.snapshots[file.snapshot].snapshot)
            if facts is not None:
                places.append(WantedAt(facts.dataset, facts.point, file.path))
    return wanted


def heal_from(copy: BlobCopy, wanted: Wanted, writer: BlobWriter) -> Healed:
    """Take from one copy what it has; `writer` is flushed by the caller."""
    taken: set[BlobKey] = set()
    size_bytes = refused = 0
    problem = ""
    try:
        for key, plain in copy.blobs(wanted):
            if key not in wanted or key in taken:
                continue
            if sha256(plain).digest() != key.id:
                refused += 1
                continue
            writer.add_plain(key.type, key.id, plain)
            taken.add(key)
            size_bytes += len(plain)
    except HoldfastError as error:
        problem = error.message
    return Healed(copy.title, frozenset(taken), size_bytes, refused, problem)


def only_type(wanted: Wanted, kind: BlobType) -> dict[BlobKey, Sequence[WantedAt]]:
    return {key: places for key, places in wanted.items() if key.type is kind}
