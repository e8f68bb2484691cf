"""Lost blobs from other copies. Whatever a copy gives counts only after its SHA-256 was compared: a wrong byte never gets in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol

from holdfast.core.errors import HoldfastError
from holdfast.core.ids import DatasetId, PointId
from holdfast.model.maintenance import Step
from holdfast.repository._format.pack import BlobType
from holdfast.repository.diagnosis import BlobKey, Diagnosis
from holdfast.repository.facts import facts_of


@dataclass(frozen=True)
class WantedAt:
    """A path at which a point needs a lost blob. `path` of a lost tree is its folder, `/` the root of all. Point and path are empty where
    only the dataset is known."""

    dataset: DatasetId
    point: PointId
    path: bytes


Wanted = Mapping[BlobKey, Sequence[WantedAt]]


Take = Callable[[BlobType, bytes, bytes], None]
"""Type, id and plain bytes of a blob that is what its id says."""


class BlobCopy(Protocol):
    """Another place that may hold the same content: a second repository of this owner, one across the wire, a mirror.

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


def heal_from(copy: BlobCopy, wanted: Wanted, take: Take) -> Healed:
    """Take from one copy what it has, each compared with its id."""
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
            take(key.type, key.id, plain)
            taken.add(key)
            size_bytes += len(plain)
    except HoldfastError as error:
        problem = error.message
    return Healed(copy.title, frozenset(taken), size_bytes, refused, problem)


def ask_copies(copies: Sequence[BlobCopy], wanted: Wanted, take: Take) -> Iterator[Healed]:
    """What each copy gave of what those before it had not."""
    for copy in copies:
        if not wanted:
            return
        healed = heal_from(copy, wanted, take)
        wanted = {key: places for key, places in wanted.items() if key not in healed.keys}
        yield healed


def try_only(_kind: BlobType, _blob_id: bytes, _plain: bytes) -> None:
    """For a plan: what is given counts, and is not kept."""


def healed_steps(healed: Healed, *, is_plan: bool = False) -> list[Step]:
    """What one copy gave or would give, for people."""
    steps = []
    if healed.keys:
        verb = "get lost blobs back from" if is_plan else "got lost blobs back from"
        message = f"{verb} {healed.title}, each compared with its id"
        steps.append(Step(code="blobs-healed", message=message, count=len(healed.keys), size_bytes=healed.size_bytes))
    if healed.refused:
        message = f"{healed.title} gave {healed.refused} blobs that are not what their ids say; none of them was taken"
        steps.append(Step(code="blobs-refused", message=message, count=healed.refused))
    if healed.problem:
        steps.append(Step(code="copy-not-asked", message=f"{healed.title}: {healed.problem}"))
    return steps
