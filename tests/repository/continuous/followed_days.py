"""Hours and days of followed datasets under a virtual clock, every second of which may be asked for afterwards."""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from holdfast.core.clock import now
from holdfast.core.ids import DatasetId
from holdfast.model.entry import Entry
from holdfast.repository.repository import Repository
from holdfast.testing.repository_scene import RepositoryScene
from tests.repository.followed import FollowedSource, read_all

HOUR_S = 3_600


@contextmanager
def place() -> Iterator[RepositoryScene]:
    fast = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="holdfast-day-", dir=fast if fast.is_dir() else None))
    try:
        scene = RepositoryScene(folder)
        scene.create()
        yield scene
    finally:
        shutil.rmtree(folder)


@dataclass
class Day:
    """`every_s`: by dataset, how often something changes."""

    scene: RepositoryScene
    repository: Repository
    every_s: list[int]
    random: random.Random = field(default_factory=lambda: random.Random(4))
    kept: list[tuple[DatasetId, datetime, dict[bytes, Entry]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.sources = [FollowedSource(self.scene, dataset=DatasetId(f"{number:032x}")) for number in range(1, len(self.every_s) + 1)]
        for source in self.sources:
            for name in range(8):
                source.write(b"/data/file%d" % name, b"first %d" % name)
            source.send(self.repository, "backup")

    def live(self, seconds: int, keep: float) -> None:
        """A part `keep` of all states is remembered."""
        for second in range(1, seconds + 1):
            self.scene.clock.advance(1)
            for every_s, source in zip(self.every_s, self.sources, strict=True):
                if second % every_s == 0:
                    self._change(source, second)
                    if self.random.random() < keep:
                        self.kept.append((source.dataset, now(self.scene.clock), dict(source.tree)))
            self.repository.tick()

    def _change(self, source: FollowedSource, second: int) -> None:
        name = b"/data/file%d" % self.random.randrange(10)
        if self.random.random() < 0.1 and name in source.tree:
            source.remove(name)
        else:
            source.write(name, b"%d at %d" % (source.feeder.seq, second))
        source.chunks = source.feeder.chunks
        source.send(self.repository)

    def verify(self, since: datetime) -> int:
        count = 0
        for dataset, at, tree in self.kept:
            if at >= since:
                point = self.repository.point_at(dataset, at + timedelta(microseconds=self.random.randrange(1_000_000)))
                assert point.time == at
                assert read_all(self.repository.reader(point)) == tree, (dataset, at)
                count += 1
        return count

    def end(self) -> None:
        for source in self.sources:
            source.leave()


def snapshots(scene: RepositoryScene) -> int:
    return len(list((scene.place / "snapshots").iterdir()))
