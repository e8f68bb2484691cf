"""S3Backend on a real gateway: the conformance suite, and what only a bucket can do."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.backend.backend import Backend, FileType
from holdfast.backend.s3 import S3Backend
from holdfast.model.object_location import parse_object_location
from holdfast.testing.backend_suite import GroupedSavesSuite, name_of
from holdfast.testing.object_store import ObjectStore, make_owner


def opened(store: ObjectStore, place: Path, bucket: str, prefix: str = "holdfast", **more: str) -> S3Backend:
    return S3Backend(parse_object_location(store.location(bucket, prefix, **more)), make_owner(place))


class TestS3Backend(GroupedSavesSuite):
    @pytest.fixture(autouse=True)
    def _give_store(self, object_store: ObjectStore) -> None:
        self.store = object_store
        self.bucket = object_store.bucket()

    def make_backend(self, place: Path) -> S3Backend:
        return opened(self.store, place, self.bucket, f"some/{place.name}")

    def make_absent(self, place: Path) -> Backend:
        return opened(self.store, place, "no-such-bucket")


def test_the_layout_is_restics(object_store: ObjectStore, tmp_path: Path) -> None:
    bucket = object_store.bucket()
    backend = opened(object_store, tmp_path / "place", bucket)
    backend.create()
    name = name_of(b"x")
    backend.save(FileType.DATA, name, b"x")
    backend.save(FileType.KEY, name, b"x")
    backend.save(FileType.CONFIG, "", b"x")
    assert object_store.objects(bucket, "holdfast/") == ["holdfast/config", f"holdfast/data/{name[:2]}/{name}", f"holdfast/keys/{name}"]
    assert backend.location == f"s3:{object_store.endpoint}/{bucket}/holdfast"
