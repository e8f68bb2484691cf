"""Points over folders of this machine, for tests of mounts: an owner that can be away, and whose readers can break."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from holdfast.core.errors import NotReachable, UnknownName
from holdfast.core.ids import DatasetId, Epoch, PointId
from holdfast.model.entry import Entry
from holdfast.model.points import Point
from holdfast.model.reading import PointReader
from holdfast.testing.tree_source import TreeSource
from holdfast.testing.virtual_clock import VirtualClock

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def point(number: int, *, dataset: str = "files1/documents", time: datetime | None = None, seq: int | None = None) -> Point:
    return Point(
        id=PointId(f"{number:064x}"),
        dataset=dataset,
        dataset_id=DatasetId(f"id-of-{dataset.replace('/', '-')}"),
        operation="backup",
        repository="main",
        time=time or START + timedelta(hours=number),
        files=1,
        bytes=1,
        seq=number if seq is None else seq,
        epoch=Epoch("e"),
    )


class BreakingReader(TreeSource):
    """Breaks off when its owner says so, and counts what it is asked for."""

    def __init__(self, owner: TreeOwner, root: Path) -> None:
        super().__init__(root, chunk_bytes=1000)
        self._owner = owner
        self.refused = owner.refused
        self._generation = owner.generation
        self.closed = False
        self._named: set[bytes] = set()

    def children(self, folders: Sequence[bytes]) -> Iterator[Entry]:
        self._check()
        self._owner.asked.append(tuple(folders))
        for entry in super().children(folders):
            self._named |= {ref.id for ref in entry.chunks}
            yield entry

    def payloads(self, ids: Sequence[bytes]) -> Iterator:  # type: ignore[type-arg]
        self._check()
        assert set(ids) <= self._named, "chunks are asked for that no entry of this session named"
        self._owner.fetched.append(len(ids))
        return super().payloads(ids)

    def close(self) -> None:
        self.closed = True

    def _check(self) -> None:
        assert not self.closed
        if self._owner.away or self._generation != self._owner.generation:
            raise NotReachable("the owner is away")


class TreeOwner:
    """An `operations.mount.shelf.Owner`: each of its points is a folder as it was when it was first opened."""

    def __init__(self, trees: dict[Point, Path]) -> None:
        self.trees = trees
        self.readers: list[BreakingReader] = []
        self.away = False
        self.generation = 0
        self.refused: set[bytes] = set()
        self.asked: list[tuple[bytes, ...]] = []
        self.fetched: list[int] = []

    def restart(self) -> None:
        """Every session breaks, and a new one can be opened."""
        self.generation += 1

    def points(self) -> Sequence[Point]:
        return tuple(self.trees)

    def at(self, dataset: DatasetId, time: datetime) -> Point:
        found = [point for point in self.trees if point.dataset_id == dataset and point.time <= time]
        if not found:
            raise UnknownName("there was nothing then")
        return max(found, key=lambda point: point.time)

    def open(self, point: Point) -> PointReader:
        if self.away:
            raise NotReachable("the owner is away")
        if point not in self.trees:
            raise UnknownName("the point is gone")
        self.readers.append(BreakingReader(self, self.trees[point]))
        return self.readers[-1]


def clock_at(moment: datetime = START + timedelta(days=30)) -> VirtualClock:
    return VirtualClock(moment)
