"""One owner at a time, what a bucket can do, and files that the store itself will not delete."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from botocore.exceptions import ClientError

from holdfast.backend.backend import FileType
from holdfast.backend.capabilities import load_capabilities
from holdfast.backend.object_lock import ObjectLock
from holdfast.backend.s3 import S3Backend
from holdfast.core.clock import SystemClock, now
from holdfast.core.errors import Conflict, HoldfastError, Refused, RepositoryLocked, RepositoryMissing
from holdfast.model.object_location import parse_object_location
from holdfast.testing.backend_suite import name_of
from holdfast.testing.faulty_gateway import Fault, FaultyGateway
from holdfast.testing.object_store import ObjectStore, make_owner

DATA, NAME = b"content", name_of(b"content")
Opener = Callable[..., S3Backend]


@pytest.fixture
def opener(object_store: ObjectStore, tmp_path: Path) -> Opener:
    def opened(bucket: str, node: str = "vault", **more: Any) -> S3Backend:
        home = tmp_path / node / "main"
        home.mkdir(parents=True, exist_ok=True)
        return S3Backend(parse_object_location(object_store.location(bucket, **more)), make_owner(home, node=node))

    return opened


@pytest.mark.parametrize("versioned", [False, True])
def test_a_second_owner_is_refused_until_the_first_gives_up(object_store: ObjectStore, opener: Opener, versioned: bool) -> None:
    bucket = object_store.bucket(versioned=versioned)
    first, second = opener(bucket), opener(bucket, "dr")
    first.create()
    first.save(FileType.CONFIG, "", b"config")
    first.take()
    with pytest.raises(RepositoryLocked, match=r"belongs to another machine: node vault on vault\.example\.net, since 20") as caught:
        second.take()
    assert "delete the object .holdfast-holdfast/owner" in caught.value.hint
    opener(bucket).take()
    second.give_up()
    with pytest.raises(RepositoryLocked):
        second.take()
    first.give_up()
    second.take()
    with pytest.raises(RepositoryLocked, match="node dr"):
        first.take()


def test_who_lost_the_place_starts_no_session_and_commits_nothing(object_store: ObjectStore, opener: Opener) -> None:
    bucket = object_store.bucket()
    first, second = opener(bucket), opener(bucket, "dr")
    first.create()
    first.save(FileType.LOCK, NAME, DATA)
    # What the hint says when a machine is gone for good; here it is not.
    object_store.admin.delete_object(Bucket=bucket, Key=".holdfast-holdfast/owner")
    second.take()
    for kind in (FileType.LOCK, FileType.SNAPSHOT):
        with pytest.raises(RepositoryLocked, match="node dr"):
            first.save(kind, NAME, DATA)
    second.save(FileType.SNAPSHOT, NAME, DATA)
    second.give_up()
    first.save(FileType.SNAPSHOT, NAME, DATA)
    with pytest.raises(RepositoryLocked, match="node vault"):
        second.take()


def test_of_many_that_come_at_one_moment_one_wins(object_store: ObjectStore, opener: Opener) -> None:
    for _ in range(5):
        bucket = object_store.bucket()
        start = Barrier(6)

        def attempt(number: int, bucket: str = bucket, start: Barrier = start) -> str:
            backend = opener(bucket, f"node{number}")
            start.wait()
            try:
                backend.take()
            except RepositoryLocked:
                return ""
            return f"node{number}"

        with ThreadPoolExecutor(6) as pool:
            won = [node for node in pool.map(attempt, range(6)) if node]
        assert len(won) == 1


def test_a_note_that_is_not_ours_is_respected(object_store: ObjectStore, opener: Opener) -> None:
    for content in (b"", b"{", b'{"node": 7}', b"[" * 5000, b'"' + b"x" * 100_000):
        bucket = object_store.bucket()
        object_store.admin.put_object(Bucket=bucket, Key=".holdfast-holdfast/owner", Body=content)
        with pytest.raises(RepositoryLocked, match="a note we do not know"):
            opener(bucket).take()


def test_the_note_and_the_probes_are_beside_the_repository(object_store: ObjectStore, opener: Opener) -> None:
    bucket = object_store.bucket()
    opener(bucket).create()
    opener(bucket, prefix="deep/er/main").create()
    assert object_store.objects(bucket) == [".holdfast-holdfast/owner", "deep/er/.holdfast-main/owner"]
    bucket = object_store.bucket()
    backend = opener(bucket, prefix="")
    backend.create()
    assert object_store.objects(bucket) == [".holdfast/owner"]
    backend.save(FileType.CONFIG, "", b"config")
    assert list(backend.names(FileType.CONFIG)) == [""]
    backend.save(FileType.DATA, NAME, DATA)
    assert list(backend.names(FileType.DATA)) == [NAME]
    with pytest.raises(Conflict, match="config"):
        opener(bucket, prefix="").create()


@pytest.mark.parametrize("kind", ["plain", "versioned", "locked"])
def test_capabilities_are_probed_and_kept_in_the_home(object_store: ObjectStore, opener: Opener, tmp_path: Path, kind: str) -> None:
    bucket = object_store.bucket(versioned=kind == "versioned", locked=kind == "locked")
    backend = opener(bucket)
    backend.create()
    backend.take()
    kept = load_capabilities(tmp_path / "vault" / "main" / "store.json")
    assert kept is not None
    assert kept == backend.capabilities
    # On this store the condition does not hold where versions are kept.
    assert (kept.conditional_put, kept.versioned, kept.object_lock) == (kind == "plain", kind != "plain", kind == "locked")
    assert kept.lease_is_atomic is (kind == "plain")
    again = opener(bucket)
    again.take()
    assert again.capabilities == kept
    assert (tmp_path / "vault" / "main" / "store.json").stat().st_mode & 0o777 == 0o600


def test_a_store_without_conditions_is_used_all_the_same(object_store: ObjectStore, opener: Opener) -> None:
    gateway = FaultyGateway(object_store.endpoint)
    gateway.plan = lambda request: Fault("answer", 501, "NotImplemented") if "if-none-match" in request.headers else None
    bucket = object_store.bucket()
    backend = opener(bucket, endpoint=gateway.endpoint)
    backend.create()
    assert backend.capabilities is not None
    assert not backend.capabilities.conditional_put
    backend.save(FileType.CONFIG, "", b"config")
    with pytest.raises(Conflict):
        backend.save(FileType.CONFIG, "", b"other")
    with pytest.raises(RepositoryLocked):
        opener(bucket, "dr", endpoint=gateway.endpoint).take()
    assert gateway.fired
    gateway.close()


def _in(seconds: int) -> datetime:
    return now(SystemClock()) + timedelta(seconds=seconds)


def _retained(store: ObjectStore, bucket: str, key: str) -> datetime:
    found: datetime = store.admin.get_object_retention(Bucket=bucket, Key=key)["Retention"]["RetainUntilDate"]
    return found.astimezone(UTC)


def test_retention_is_set_extended_and_never_shortened(object_store: ObjectStore, opener: Opener) -> None:
    bucket = object_store.bucket(locked=True)
    backend = opener(bucket)
    assert isinstance(backend, ObjectLock)
    backend.create()
    assert backend.locks_files()
    contents = [b"pack %d" % number for number in range(12)]
    files = [(FileType.DATA, name_of(data)) for data in contents]
    for (kind, name), data in zip(files, contents, strict=True):
        backend.save(kind, name, data)
    keys = [f"holdfast/data/{name[:2]}/{name}" for _, name in files]
    soon, later = _in(60), _in(120)
    backend.extend_retention(files, soon)
    assert all(soon <= _retained(object_store, bucket, key) < soon + timedelta(seconds=1) for key in keys)
    backend.extend_retention(files[:3], later)
    backend.extend_retention(files, soon)
    assert [_retained(object_store, bucket, key) >= later for key in keys] == [True] * 3 + [False] * 9
    # Another process, which remembers nothing, does not shorten either.
    opener(bucket).extend_retention(files, soon)
    assert [_retained(object_store, bucket, key) >= later for key in keys] == [True] * 3 + [False] * 9


def test_extending_again_asks_the_store_nothing(object_store: ObjectStore, opener: Opener) -> None:
    gateway = FaultyGateway(object_store.endpoint)
    backend = opener(object_store.bucket(locked=True), endpoint=gateway.endpoint)
    backend.create()
    backend.save(FileType.INDEX, NAME, DATA)
    until = _in(60)
    backend.extend_retention([(FileType.INDEX, NAME)], until)
    asked = len(gateway.seen)
    backend.extend_retention([(FileType.INDEX, NAME)], until)
    assert len(gateway.seen) == asked
    gateway.close()


def test_what_is_retained_cannot_be_destroyed_and_comes_back(object_store: ObjectStore, opener: Opener) -> None:
    """A thief with our keys deletes and writes over: the store keeps the old versions, whatever he asks for."""
    bucket = object_store.bucket(locked=True)
    backend = opener(bucket)
    backend.create()
    backend.save(FileType.SNAPSHOT, NAME, DATA)
    backend.extend_retention([(FileType.SNAPSHOT, NAME)], _in(3600))
    key = f"holdfast/snapshots/{NAME}"
    (version,) = object_store.admin.list_object_versions(Bucket=bucket, Prefix=key)["Versions"]
    for bypass in (False, True):
        with pytest.raises(ClientError, match="AccessDenied"):
            object_store.admin.delete_object(Bucket=bucket, Key=key, VersionId=version["VersionId"], BypassGovernanceRetention=bypass)
    backend.remove(FileType.SNAPSHOT, NAME)
    object_store.admin.put_object(Bucket=bucket, Key=key, Body=b"nonsense")
    object_store.admin.delete_object(Bucket=bucket, Key=key)
    with pytest.raises(RepositoryMissing):
        backend.load(FileType.SNAPSHOT, NAME)
    # The way back of docs/object-stores.md: delete what lies over it, by version.
    listed = object_store.admin.list_object_versions(Bucket=bucket, Prefix=key)
    for over in (*listed["DeleteMarkers"], *listed["Versions"]):
        if over["VersionId"] != version["VersionId"]:
            object_store.admin.delete_object(Bucket=bucket, Key=key, VersionId=over["VersionId"])
    assert backend.load(FileType.SNAPSHOT, NAME) == DATA


def test_without_object_lock_it_is_refused_by_name(object_store: ObjectStore, opener: Opener) -> None:
    backend = opener(object_store.bucket())
    backend.create()
    assert not backend.locks_files()
    backend.save(FileType.DATA, NAME, DATA)
    with pytest.raises(Refused, match="has no object lock"):
        backend.extend_retention([(FileType.DATA, NAME)], _in(60))


def test_all_are_tried_before_the_first_error_is_raised(object_store: ObjectStore, opener: Opener) -> None:
    bucket = object_store.bucket(locked=True)
    backend = opener(bucket)
    backend.create()
    backend.save(FileType.INDEX, NAME, DATA)
    until = _in(60)
    with pytest.raises(HoldfastError) as caught:
        backend.extend_retention([(FileType.INDEX, name_of(b"absent")), (FileType.INDEX, NAME)], until)
    assert isinstance(caught.value, RepositoryMissing)
    assert _retained(object_store, bucket, f"holdfast/index/{NAME}") >= until
