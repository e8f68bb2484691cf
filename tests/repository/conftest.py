"""A fresh repository, and a small source tree."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.testing.object_store import ObjectStore
from holdfast.testing.repository_scene import BucketScene, RepositoryScene


@pytest.fixture(scope="session")
def shared_bucket(object_store: ObjectStore) -> str:
    return object_store.bucket()


@pytest.fixture
def scene(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[RepositoryScene]:
    """In a folder, or where `everywhere` says."""
    scene = RepositoryScene(tmp_path)
    if getattr(request, "param", "local") == "s3":
        store, bucket = request.getfixturevalue("object_store"), request.getfixturevalue("shared_bucket")
        scene = BucketScene(tmp_path, object_store=store, bucket=bucket, prefix=f"scenes/{tmp_path.name}")
    scene.create()
    yield scene
    scene.end()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Two folders, six files, one of 20 kB in several chunks."""
    root = tmp_path / "tree"
    for folder in ("one", "two"):
        (root / folder).mkdir(parents=True)
        for number in range(2):
            (root / folder / f"file{number}").write_bytes(f"{folder} {number}\n".encode() * 50)
    (root / "large").write_bytes(bytes(range(256)) * 80)
    (root / "top").write_bytes(b"top")
    return root
