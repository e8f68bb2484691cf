"""What a repository has in a bucket beside the main line: killed owners, the copy at home, and stock restic at work between."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from holdfast.testing.faulty_gateway import FaultyGateway
from holdfast.testing.object_store import ObjectStore
from holdfast.testing.repository_scene import BucketScene, RepositoryScene
from holdfast.testing.tree_source import TreeSource


@pytest.fixture
def scene(tmp_path: Path, object_store: ObjectStore, shared_bucket: str) -> BucketScene:
    scene = BucketScene(tmp_path, object_store=object_store, bucket=shared_bucket, prefix=f"scenes/{tmp_path.name}")
    scene.create()
    return scene


_CHILD = """
import os, signal, sys
from pathlib import Path
from holdfast.testing.faulty_backend import FaultyBackend
from holdfast.testing.object_store import ObjectStore
from holdfast.testing.repository_scene import BucketScene
from holdfast.testing.tree_source import TreeSource

folder, tree, step, endpoint, bucket, prefix = sys.argv[1:]

class Store:
    def location(self, bucket, prefix):
        return f"s3://{bucket}/{prefix}?endpoint={endpoint}"

def plan(number, verb, kind):
    if number == int(step):
        os.kill(os.getpid(), signal.SIGKILL)

scene = BucketScene(Path(folder), object_store=Store(), bucket=bucket, prefix=prefix)
source = TreeSource(tree.encode())
repository = scene.open(lambda backend: FaultyBackend(backend, plan))
feeder = scene.feeder(source)
for _ in range(3):
    scene.store(repository, feeder, None, source.all)
    (Path(tree) / "top").write_bytes(str(feeder.seq).encode() * 5000)
    source = TreeSource(tree.encode())
    feeder.chunks.update(source.chunks)
"""


@pytest.mark.parametrize("step", [2, 3, 4, 5, 9])
def test_kill_9(scene: BucketScene, tree: Path, object_store: ObjectStore, step: int) -> None:
    words = (str(scene.folder), str(tree), str(step), object_store.endpoint, scene.bucket, scene.prefix)
    done = subprocess.run([sys.executable, "-c", _CHILD, *words], capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert len(object_store.objects(scene.bucket, f"{scene.prefix}/locks/")) == 1
    scene.restic.check()
    repository = scene.open()
    assert object_store.objects(scene.bucket, f"{scene.prefix}/locks/") == []
    before = len(repository.points())
    source = TreeSource(tree)
    feeder = scene.feeder(source)
    feeder.seq = 50
    scene.store(repository, feeder, None, source.all)
    assert len(repository.points()) == before + 1
    repository.close()
    scene.restic.run("check", "--read-data")


def _stored(scene: RepositoryScene, tree: Path) -> TreeSource:
    source = TreeSource(tree)
    repository = scene.open()
    scene.store(repository, scene.feeder(source), None, source.all)
    repository.close()
    return source


def test_a_check_sees_what_the_copy_at_home_would_hide(scene: BucketScene, tree: Path, object_store: ObjectStore) -> None:
    _stored(scene, tree)
    repository = scene.open()
    assert repository.check(read_data=True) == ()
    assert [path.parent.name for path in scene.home.glob("cache/*/*")].count("index") == 1
    for kind in ("index", "snapshots", "data"):
        keys = object_store.objects(scene.bucket, f"{scene.prefix}/{kind}/")
        contents = {key: object_store.admin.get_object(Bucket=scene.bucket, Key=key)["Body"].read() for key in keys}
        for key, content in contents.items():
            object_store.admin.put_object(Bucket=scene.bucket, Key=key, Body=content[:-1] + bytes([content[-1] ^ 1]))
        assert repository.check(read_data=True) != (), kind
        for key, content in contents.items():
            object_store.admin.put_object(Bucket=scene.bucket, Key=key, Body=content)
    assert repository.check(read_data=True) == ()
    repository.close()


def test_a_damaged_copy_harms_nothing(scene: BucketScene, tree: Path) -> None:
    source = _stored(scene, tree)
    scene.home.joinpath("catalog.db").unlink()
    repository = scene.open()
    for cached in scene.home.glob("cache/*/*"):
        cached.write_bytes(cached.read_bytes()[::-1])
    reader = repository.reader(repository.points()[0])
    assert len(list(reader.entries())) == len(source.all)
    reader.close()
    repository.close()
    scene.home.joinpath("catalog.db").unlink()
    for cached in scene.home.glob("cache/*/*"):
        cached.write_bytes(b"")
    repository = scene.open()
    assert len(repository.points()) == 1
    assert repository.problems == ()
    repository.close()


def test_trees_are_not_asked_for_twice(scene: BucketScene, tree: Path, object_store: ObjectStore) -> None:
    source = _stored(scene, tree)
    gateway = FaultyGateway(object_store.endpoint)
    scene.object_store = _Behind(object_store, gateway)
    repository = scene.open()
    for _ in range(3):
        reader = repository.reader(repository.points()[0])
        assert len(list(reader.entries())) == len(source.all)
        reader.close()
    repository.close()
    fetched = [request.path for request in gateway.seen if request.method == "GET" and "/data/" in request.path]
    assert len(fetched) <= 1
    gateway.close()


class _Behind(ObjectStore):
    """The same store by way of a gateway."""

    def __init__(self, store: ObjectStore, gateway: FaultyGateway) -> None:
        self.endpoint, self.admin, self.ceph = gateway.endpoint, store.admin, store.ceph


def test_stock_restic_writes_forgets_and_prunes_between_our_sessions(scene: BucketScene, tree: Path) -> None:
    source = _stored(scene, tree)
    scene.restic.run("backup", str(tree / "one"))
    repository = scene.open()
    assert len(repository.points()) == 2
    feeder = scene.feeder(source)
    feeder.seq = 1
    scene.store(repository, feeder, None, source.all)
    repository.close()
    scene.restic.run("forget", "--keep-last", "1", "--group-by", "paths", "--prune")
    repository = scene.open()
    assert {point.seq for point in repository.points() if point.dataset_id} >= {2}
    assert repository.check(read_data=True) == ()
    repository.close()
    scene.restic.run("check", "--read-data")
