"""Two points in a repository, ways to damage it, and what must hold whatever was damaged."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import zstandard

from holdfast.core.errors import RepositoryDamaged
from holdfast.model.change import Payload
from holdfast.repository.repository import Repository
from holdfast.testing.repository_scene import MarkingFeeder, RepositoryScene
from holdfast.testing.tree_source import TreeSource


class TwoPoints:
    """`open` gives the repository that holds them."""

    def __init__(self, scene: RepositoryScene, tree: Path) -> None:
        self.scene, self.tree = scene, tree
        self.first = TreeSource(tree)
        self.feeder: MarkingFeeder = scene.feeder(self.first)
        repository = scene.open()
        scene.store(repository, self.feeder, None, self.first.all)
        (tree / "one" / "file0").write_bytes(b"changed" * 900)
        (tree / "new").write_bytes(b"new " * 5_000)
        self.second = TreeSource(tree)
        self.feeder.chunks.update(self.second.chunks)
        scene.store(repository, self.feeder, self.first.all, self.second.all)
        repository.close()

    @property
    def states(self) -> tuple[TreeSource, TreeSource]:
        return self.first, self.second

    def assert_whole(self, repository: Repository) -> None:
        """Both points hold every byte they ever did."""
        points = [point for point in repository.points() if point.seq <= 2]
        for point, state in zip(points, self.states, strict=True):
            wanted = {path: _content_of(state, path) for path, entry in state.all.items() if entry.chunks}
            assert read_point(repository, point.id) == wanted

    def assert_never_wrong(self, repository: Repository) -> None:
        """What can be read is right; what cannot is refused, and named."""
        for point in repository.points():
            state = self.states[min(point.seq, 2) - 1]
            for path, content in read_point(repository, point.id).items():
                assert content is None or content == _content_of(state, path)


def _content_of(state: TreeSource, path: bytes) -> bytes:
    return b"".join(state.chunks[ref.id] for ref in state.all[path].chunks)


def read_point(repository: Repository, prefix: str) -> dict[bytes, bytes | None]:
    """Every file with content; None for what is refused as damaged. Without its listing nothing is found."""
    found: dict[bytes, bytes | None] = {}
    reader = repository.reader(repository.point(prefix))
    try:
        for entry in reader.entries():
            if entry.chunks:
                try:
                    plain = {payload.id: plain_of_payload(payload) for payload in reader.payloads([ref.id for ref in entry.chunks])}
                    found[entry.path] = b"".join(plain[ref.id] for ref in entry.chunks)
                except RepositoryDamaged:
                    found[entry.path] = None
    except RepositoryDamaged:
        # A listing that is lost: what is below it cannot even be named.
        return found
    finally:
        reader.close()
    return found


def plain_of_payload(payload: Payload) -> bytes:
    return zstandard.ZstdDecompressor().decompress(payload.data) if payload.compressed else payload.data


def _a_file(scene: RepositoryScene, pattern: str, draw: random.Random) -> Path:
    return draw.choice(sorted(scene.place.glob(pattern)))


def flip(path: Path, at: int, bit: int = 4) -> None:
    path.chmod(0o600)
    data = bytearray(path.read_bytes())
    data[at] ^= bit
    path.write_bytes(data)


def _flip(path: Path, draw: random.Random) -> None:
    flip(path, draw.randrange(path.stat().st_size), 1 << draw.randrange(8))


def _cut(path: Path, draw: random.Random) -> None:
    path.write_bytes(path.read_bytes()[: draw.randrange(path.stat().st_size)])


def _delete(path: Path, draw: random.Random) -> None:
    path.unlink()


def _catalog(scene: RepositoryScene, draw: random.Random) -> None:
    for path in scene.home.glob("catalog.db*"):
        path.unlink()


def _at(pattern: str, how: Callable[[Path, random.Random], None]) -> Callable[[RepositoryScene, random.Random], None]:
    return lambda scene, draw: how(_a_file(scene, pattern, draw), draw)


DAMAGES: dict[str, Callable[[RepositoryScene, random.Random], None]] = {
    "a flipped bit in a pack": _at("data/*/*", _flip),
    "a truncated pack": _at("data/*/*", _cut),
    "a missing pack": _at("data/*/*", _delete),
    "a flipped bit in an index file": _at("index/*", _flip),
    "a truncated index file": _at("index/*", _cut),
    "a missing index file": _at("index/*", _delete),
    "a flipped bit in a snapshot": _at("snapshots/*", _flip),
    "a truncated snapshot": _at("snapshots/*", _cut),
    "a deleted catalog": _catalog,
}
