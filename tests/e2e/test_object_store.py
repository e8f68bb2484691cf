"""A repository in a bucket as an administrator has it: set up, back up, restore, read by stock restic; and when the store is away."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from holdfast.host.compare import compare_trees
from holdfast.testing.ceph import SECRET_KEY
from holdfast.testing.faulty_gateway import Fault, FaultyGateway, fine
from holdfast.testing.object_store import ObjectStore, write_store_keys
from tests.e2e.world import World, by_hand_only, eventually, world_in

pytestmark = pytest.mark.e2e

ON_A_BUCKET = """
environment: test
nodes: {{files1: {{}}, vault: {{}}, dr: {{}}}}
schedules: {{when: {{{when}}}}}
repositories:
  main: {{node: {owner}, location: "{location}"}}
policies:
  documents:
    classification: {{paths: [{folder}/data]}}
    operations: {{backup: {{schedule: when, keep: {{last: 10}}}}}}
flows:
  office:
    vertices: {{files: {{node: files1, policies: [documents]}}, store: {{repository: main}}}}
    movers: [{{from: files, to: store, carries: [documents/backup]}}]
"""


@pytest.fixture
def gateway(object_store: ObjectStore) -> Iterator[FaultyGateway]:
    gateway = FaultyGateway(object_store.endpoint)
    yield gateway
    gateway.close()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    data = tmp_path / "data"
    (data / "sub").mkdir(parents=True)
    for number in range(30):
        (data / "sub" / f"file {number}.bin").write_bytes(bytes([number]) * (1000 * number + 1))
    (data / "large").write_bytes(os.urandom(20 << 20))
    with world_in(tmp_path, "files1", "vault", "dr") as world:
        yield world


def _document(world: World, location: str, owner: str = "vault") -> str:
    return ON_A_BUCKET.format(folder=world.folder, when=by_hand_only(), location=location, owner=owner)


def _says(folder: Path, secret: str) -> list[Path]:
    """Files below that have the secret in them."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".s3")
    return [path for path in files if secret.encode() in path.read_bytes()]


def test_the_main_job_on_a_bucket(world: World, gateway: FaultyGateway, object_store: ObjectStore) -> None:
    bucket, folder, data = object_store.bucket(), world.folder, world.folder / "data"
    location = object_store.location(bucket, "office/main", endpoint=gateway.endpoint, connections="2")
    world.apply(_document(world, location), "office")
    # Without keys it says which file is missing; once that is there, all goes by itself.
    refused = world.run("trigger", "office", "--wait", expect=None)
    assert refused.returncode != 0
    assert "main.s3 is not there" in refused.stderr + refused.stdout
    write_store_keys(world.home("vault") / "keys" / "main.s3")
    assert world.json("trigger", "office", "--wait")["state"] == "succeeded"
    shutil.copytree(data, folder / "before", symlinks=True)
    (data / "sub" / "file 3.bin").write_text("changed")
    (data / "sub" / "file 4.bin").unlink()
    world.run("trigger", "office", "--wait")
    first, second = world.points("main")
    world.run("restore", first["id"], "--to", str(folder / "r1"), "--node", "files1")
    assert list(compare_trees(os.fsencode(folder / "before" / "sub"), os.fsencode(folder / "r1" / str(data)[1:] / "sub"))) == []
    world.run("restore", second["id"], "--to", str(folder / "r2"), "--node", "files1")
    assert list(compare_trees(os.fsencode(data), os.fsencode(folder / "r2" / str(data)[1:]))) == []
    world.run("repository", "check", "main", "--read-data")

    variables = world.json("repository", "env", "main", home="vault")
    assert variables["RESTIC_REPOSITORY"] == f"s3:{gateway.endpoint}/{bucket}/office/main"
    assert variables["AWS_SECRET_ACCESS_KEY"] == SECRET_KEY
    world.restic("main", "vault", "check", "--read-data")
    world.restic("main", "vault", "restore", "latest", "--target", str(folder / "r3"))
    assert list(compare_trees(os.fsencode(data), os.fsencode(folder / "r3" / str(data)[1:]))) == []

    # The network goes in the middle of a run: the run fails by name, and the next one goes on.
    (data / "more").write_bytes(os.urandom(18 << 20))
    gateway.plan = lambda request: Fault("cut") if request.method == "PUT" and "/data/" in request.path else None
    failed = world.run("trigger", "office", "--wait", expect=None)
    assert failed.returncode == 1
    assert "does not answer [not-reachable]" in failed.stdout + failed.stderr
    gateway.plan = fine
    assert world.json("trigger", "office", "--wait")["state"] == "succeeded"
    world.restic("main", "vault", "check", "--read-data")
    assert _says(folder, SECRET_KEY) == []


def test_what_is_locked_in_a_locked_bucket_survives_its_owners_own_keys(world: World, object_store: ObjectStore) -> None:
    """Somebody has the owner's machine, its password and its keys of the store, and deletes everything."""
    bucket, folder, data = object_store.bucket(locked=True), world.folder, world.folder / "data"
    write_store_keys(world.home("vault") / "keys" / "main.s3")
    text = _document(world, object_store.location(bucket)).replace("keep: {last: 10}", "keep: {last: 10}, lock: 30d")
    world.apply(text, "office")
    assert world.json("trigger", "office", "--wait")["state"] == "succeeded"
    (point,) = world.points("main")
    abilities = world.json("repository", "stats", "main")["store"]
    assert (abilities["object_lock"], abilities["versions"], abilities["default_retention"]) == (True, True, False)
    assert "object lock, keeps versions" in world.run("repository", "stats", "main").stdout
    (row,) = world.client.get("/repositories")["repositories"]
    assert row["store"]["object_lock"] is True

    # The store holds every file that the point needs until its lock ends, and lets nobody delete one.
    store, prefix = object_store.admin, "holdfast/"
    until = datetime.fromisoformat(point["locked_until"])
    versions = store.list_object_versions(Bucket=bucket, Prefix=prefix)["Versions"]
    kinds = {"config", "keys", "data", "index", "snapshots"}
    held = [version for version in versions if version["Key"].split("/")[1] in kinds]
    assert {version["Key"].split("/")[1] for version in held} == kinds
    for version in held:
        named = {"Bucket": bucket, "Key": version["Key"], "VersionId": version["VersionId"]}
        kept = store.get_object_retention(**named)["Retention"]
        assert kept["Mode"] == "COMPLIANCE"
        assert kept["RetainUntilDate"] >= until.replace(microsecond=0), version["Key"]
        with pytest.raises(ClientError, match="AccessDenied"):
            store.delete_object(**named, BypassGovernanceRetention=True)
        shorter = {"Mode": "COMPLIANCE", "RetainUntilDate": until - timedelta(days=29)}
        with pytest.raises(ClientError, match="AccessDenied"):
            store.put_object_retention(**named, Retention=shorter, BypassGovernanceRetention=True)

    # He hides all of it instead: stock restic forgets and prunes, and what is left he deletes or writes over.
    world.restic("main", "vault", "forget", point["snapshot"], "--prune")
    assert world.points("main") == []
    alarm = world.run("status", "--json", expect=3).stdout
    assert "locked-point-vanished" in alarm
    eventually(lambda: "locked-point-vanished" in world.run("logs", "--json").stdout, "the alarm is in the log, too")
    world.stop("vault")
    for key in object_store.objects(bucket, prefix):
        store.put_object(Bucket=bucket, Key=key, Body=b"nonsense")
        store.delete_object(Bucket=bucket, Key=key)
    assert object_store.objects(bucket, prefix) == []

    # The way back of docs/object-stores.md: what lies over the locked versions goes, and all is there again.
    locked = {(version["Key"], version["VersionId"]) for version in held}
    listed = store.list_object_versions(Bucket=bucket, Prefix=prefix)
    for over in (*listed.get("DeleteMarkers", ()), *listed["Versions"]):
        if (over["Key"], over["VersionId"]) not in locked:
            store.delete_object(Bucket=bucket, Key=over["Key"], VersionId=over["VersionId"])
    world.restart("vault")
    eventually(lambda: [found["id"] for found in world.points("main")] == [point["id"]], "the locked point is there again")
    assert "locked-point-vanished" not in world.run("status", "--json", expect=None).stdout
    world.run("restore", point["id"], "--to", str(folder / "back"), "--node", "files1")
    assert list(compare_trees(os.fsencode(data), os.fsencode(folder / "back" / str(data)[1:]))) == []
    world.restic("main", "vault", "check", "--read-data")


def test_a_second_owner_is_refused_until_the_first_has_let_go(world: World, object_store: ObjectStore) -> None:
    location = object_store.location(object_store.bucket())
    for node in ("vault", "dr"):
        write_store_keys(world.home(node) / "keys" / "main.s3")
    world.apply(_document(world, location), "office")
    assert world.json("trigger", "office", "--wait")["state"] == "succeeded"
    shutil.copy(world.home("vault") / "keys" / "main", world.home("dr") / "keys" / "main")
    # The old owner is away while another gets its repository, as after a mistake, or by another Master.
    world.stop("vault")
    world.apply(_document(world, location, owner="dr"))
    world.run("activate", "office", expect=3)
    refused = world.run("trigger", "office", "--wait", expect=None)
    assert refused.returncode == 1
    assert "belongs to another machine" in refused.stdout + refused.stderr
    # It comes back, learns that the repository has left its rules, and gives it up.
    world.restart("vault")
    eventually(lambda: world.run("trigger", "office", "--wait", expect=None).returncode == 0, "dr owns the repository")
    # An attempt that ended otherwise may have made its point, too.
    assert len(world.points_of("main", "dr")) >= 2
    world.restic("main", "dr", "check")
