"""A folder of this machine, backed up every minute while somebody works in it, or destroys it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import zstandard
from msgspec.structs import replace

from holdfast.core.clock import now
from holdfast.model.anomalies import Anomaly, AnomalyPlan
from holdfast.model.change import Commit, Segment
from holdfast.repository.repository import Repository
from holdfast.testing.feeding import PlainChunk
from holdfast.testing.repository_scene import DATASET, MarkingFeeder, RepositoryScene
from holdfast.testing.tree_source import TreeSource

MINUTE_S = 60.0
HOLD_S = 7 * 86_400.0
PLANS = {DATASET: AnomalyPlan(hold_s=HOLD_S)}


@dataclass
class CompressingFeeder(MarkingFeeder):
    """Chunks come compressed where that makes them smaller, as from a real source; commits are captured now."""

    scene: RepositoryScene | None = None
    compress: bool = True
    files: int = 0

    def commit(self) -> Commit:
        assert self.scene is not None
        return replace(super().commit(), captured_at=now(self.scene.clock), files=self.files)

    def _apply(self, action: object, segment: Segment, wanted: frozenset[bytes]) -> None:
        compress = zstandard.ZstdCompressor(level=3).compress
        given = {}
        for chunk in wanted:
            plain = self.chunks[chunk]
            frame = compress(plain) if self.compress else plain
            given[chunk] = PlainChunk(chunk, plain, frame if len(frame) < len(plain) else None)
        action.apply(segment, given, frozenset())  # type: ignore[attr-defined]


class WorkedOn:
    """`found` are the anomalies so far, in the order in which they were found; `files` those of the folder, by name."""

    def __init__(self, folder: Path, *, compress: bool = True) -> None:
        self.scene = RepositoryScene(folder)
        self.scene.create()
        self.tree = folder / "tree"
        self.tree.mkdir()
        self.repository: Repository = self.scene.open()
        self.feeder = CompressingFeeder(dataset=DATASET, roots=(os.fsencode(self.tree),), chunks={}, scene=self.scene, compress=compress)
        self.feeder.segment_changes = 500
        self.feeder.part_bytes = 1 << 40
        self.state: TreeSource | None = None
        self.found: list[Anomaly] = []

    @property
    def files(self) -> list[Path]:
        return sorted(path for path in self.tree.rglob("*") if path.is_file() and not path.is_symlink())

    def minute(self, work: Callable[[], object] = lambda: None, *, minutes: float = 1.0) -> list[Anomaly]:
        """Some work, then a point, then the owner's look. Gives what that found."""
        work()
        self.scene.clock.advance(minutes * MINUTE_S)
        source = TreeSource(self.tree)
        self.feeder.chunks.clear()
        self.feeder.chunks.update(source.chunks)
        self.feeder.files = sum(bool(entry.chunks) for entry in source.all.values())
        self.scene.store(self.repository, self.feeder, self.state.all if self.state is not None else None, source.all)
        self.state = source
        fresh = list(self.repository.care.anomalies.look(PLANS, self.repository.time.now()))
        self.found += fresh
        return fresh

    def reopen(self) -> None:
        self.repository.close()
        self.repository = self.scene.open()

    def close(self) -> None:
        self.repository.close()


def encrypt(path: Path) -> None:
    """In place, as those do who want money for the key."""
    content = path.read_bytes()
    pad = os.urandom(len(content))
    path.write_bytes(bytes(a ^ b for a, b in zip(content, pad, strict=True)))


def spread(items: list[Path], share: float) -> Iterator[Path]:
    """So many of them, from all over."""
    count = max(1, round(len(items) * share))
    yield from items[:: max(1, len(items) // count)][:count]
