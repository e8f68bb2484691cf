"""A bucket over a bad network, with wrong keys, without room: tried again and well, or refused by name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from holdfast.backend.backend import FileType
from holdfast.backend.retrying import RetryPolicy
from holdfast.backend.s3 import S3Backend
from holdfast.backend.s3_client import Timeouts
from holdfast.core.errors import Conflict, NoSpace, NotReachable, RepositoryMissing, StoreDenied, StoreError
from holdfast.model.object_location import parse_object_location
from holdfast.testing.backend_suite import name_of
from holdfast.testing.faulty_gateway import Fault, FaultyGateway, Request
from holdfast.testing.object_store import ObjectStore, make_owner, write_store_keys

DATA = bytes(range(256)) * 40
NAME = name_of(DATA)


class Line:
    """A backend behind a gateway that breaks; the waits it asked for."""

    def __init__(self, store: ObjectStore, place: Path, timeout_s: float = 20) -> None:
        self.gateway = FaultyGateway(store.endpoint)
        self.waits: list[float] = []
        self.bucket = store.bucket()
        location = parse_object_location(store.location(self.bucket, endpoint=self.gateway.endpoint))
        owner = make_owner(place, wait=self.waits.append)
        self.backend = S3Backend(location, owner, timeouts=Timeouts(quick_s=timeout_s, bulk_s=timeout_s))
        self.backend.create()
        self.gateway.seen.clear()

    def breaks(self, fault: Fault, *, times: int, method: str = "") -> None:
        left = times

        def plan(request: Request) -> Fault | None:
            nonlocal left
            if left and method in ("", request.method):
                left -= 1
                return fault
            return None

        self.gateway.plan, self.gateway.fired = plan, 0


@pytest.fixture
def line(object_store: ObjectStore, tmp_path: Path) -> Iterator[Line]:
    line = Line(object_store, tmp_path / "main")
    yield line
    line.gateway.close()


@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("kind", ["cut", "lost", "half", "answer"])
def test_everything_is_tried_again(line: Line, kind: str, times: int) -> None:
    backend, fault = line.backend, Fault(kind)  # type: ignore[arg-type]
    line.breaks(fault, times=times)
    backend.save(FileType.DATA, NAME, DATA)
    # Half of an answer without a body is all of it.
    assert line.gateway.fired == (1 if kind == "half" else times)
    line.breaks(fault, times=times)
    assert backend.load(FileType.DATA, NAME) == DATA
    assert line.gateway.fired == times
    line.breaks(fault, times=times)
    assert backend.load(FileType.DATA, NAME, 5, 100) == DATA[5:105]
    line.breaks(fault, times=times)
    assert list(backend.names(FileType.DATA)) == [NAME]
    line.breaks(fault, times=times)
    backend.remove(FileType.DATA, NAME)
    line.breaks(fault, times=times)
    assert list(backend.names(FileType.DATA)) == []
    assert line.waits
    assert max(line.waits) <= 1


def test_a_store_that_hangs_is_given_up_and_tried_again(object_store: ObjectStore, tmp_path: Path) -> None:
    line = Line(object_store, tmp_path / "main", timeout_s=1)
    line.breaks(Fault("hang"), times=1)
    line.backend.save(FileType.DATA, NAME, DATA)
    line.breaks(Fault("hang"), times=1)
    assert line.backend.load(FileType.DATA, NAME) == DATA
    assert line.gateway.fired == 1
    line.gateway.close()


def test_saving_whose_answer_was_lost_makes_no_second_version(line: Line, object_store: ObjectStore, tmp_path: Path) -> None:
    object_store.admin.put_bucket_versioning(Bucket=line.bucket, VersioningConfiguration={"Status": "Enabled"})
    line.breaks(Fault("lost"), times=1, method="PUT")
    line.backend.save(FileType.DATA, NAME, DATA)
    line.breaks(Fault("lost"), times=1, method="PUT")
    line.backend.save(FileType.CONFIG, "", b"config")
    versions = object_store.admin.list_object_versions(Bucket=line.bucket, Prefix="holdfast/")["Versions"]
    assert sorted(version["Key"] for version in versions) == ["holdfast/config", f"holdfast/data/{NAME[:2]}/{NAME}"]


def test_a_store_that_stays_away_is_not_reachable(line: Line) -> None:
    line.breaks(Fault("cut"), times=1000)
    with pytest.raises(NotReachable) as caught:
        line.backend.save(FileType.DATA, NAME, DATA)
    assert caught.value.retryable
    assert caught.value.hint
    policy = RetryPolicy()
    assert len(line.waits) == policy.attempts - 1
    assert all(policy.wait_s(n, 1) <= waited <= policy.wait_s(n, 0) for n, waited in enumerate(line.waits, 1))
    line.backend.save_later(FileType.DATA, NAME, DATA)
    with pytest.raises(NotReachable):
        line.backend.settle(FileType.DATA, (NAME,))
    line.breaks(Fault("answer"), times=1000)
    with pytest.raises(NotReachable, match="503 SlowDown"):
        line.backend.load(FileType.DATA, NAME)


def test_what_never_answered_is_given_up_soon(object_store: ObjectStore, tmp_path: Path) -> None:
    waits: list[float] = []
    for endpoint, reason in (("http://127.0.0.1:9", "does not answer"), ("http://nobody.invalid", "a name that nobody knows")):
        waits.clear()
        location = parse_object_location(object_store.location("bucket", endpoint=endpoint))
        with pytest.raises(NotReachable, match=reason):
            S3Backend(location, make_owner(tmp_path / "main", wait=waits.append)).size(FileType.CONFIG, "")
        assert len(waits) == 1
    location = parse_object_location(object_store.location("bucket", endpoint=object_store.endpoint.replace("http:", "https:")))
    with pytest.raises(NotReachable, match="TLS"):
        S3Backend(location, make_owner(tmp_path / "main")).size(FileType.CONFIG, "")


def test_settling_fails_when_one_of_many_does_and_leaves_nothing(line: Line, object_store: ObjectStore) -> None:
    contents = [bytes([number]) * 5000 for number in range(8)]
    bad = name_of(contents[3])
    line.gateway.plan = lambda request: Fault("answer", 403, "QuotaExceeded") if request.method == "PUT" and bad in request.path else None

    def save_all() -> None:
        for data in contents:
            line.backend.save_later(FileType.DATA, name_of(data), data)
        line.backend.settle(FileType.DATA, tuple(map(name_of, contents)))

    with pytest.raises(NoSpace):
        save_all()
    line.backend.close()
    assert object_store.objects(line.bucket, "holdfast/") == []


def test_wrong_keys_are_refused_by_name(object_store: ObjectStore, tmp_path: Path) -> None:
    location = parse_object_location(object_store.location(object_store.bucket()))
    for keys, code in ((("nobody", "x"), "InvalidAccessKeyId"), ((None, "wrong secret"), "SignatureDoesNotMatch")):
        access_key, secret = keys
        path = tmp_path / code
        write_store_keys(path, secret_key=secret) if access_key is None else write_store_keys(path, access_key, secret)
        backend = S3Backend(location, make_owner(tmp_path / "main", [path]))
        with pytest.raises(StoreDenied, match=code) as caught:
            backend.size(FileType.CONFIG, "")
        assert "HOME/keys" in caught.value.hint
        for attempt in (
            backend.create,
            lambda b=backend: b.save(FileType.DATA, NAME, DATA),
            lambda b=backend: list(b.names(FileType.DATA)),
        ):
            with pytest.raises(StoreDenied, match=code):
                attempt()
        assert secret not in str(caught.value)


def test_keys_that_are_changed_are_taken_up(object_store: ObjectStore, tmp_path: Path) -> None:
    location = parse_object_location(object_store.location(object_store.bucket()))
    path = write_store_keys(tmp_path / "keys", secret_key="old")
    backend = S3Backend(location, make_owner(tmp_path / "main", [path]))
    with pytest.raises(StoreDenied):
        backend.create()
    write_store_keys(path)
    backend.create()


def test_keys_for_another_service_are_not_used(object_store: ObjectStore, tmp_path: Path) -> None:
    location = parse_object_location(object_store.location(object_store.bucket()))
    path = write_store_keys(tmp_path / "keys")
    path.write_text(path.read_text() + "endpoint=https://s3.example.net\n")
    with pytest.raises(StoreDenied, match="not for"):
        S3Backend(location, make_owner(tmp_path / "main", [path])).create()
    path.write_text(path.read_text().replace("https://s3.example.net", object_store.endpoint))
    S3Backend(location, make_owner(tmp_path / "main", [path])).create()


def test_a_clock_that_is_wrong_is_named(line: Line) -> None:
    line.breaks(Fault("answer", 403, "RequestTimeTooSkewed"), times=1000)
    with pytest.raises(StoreDenied, match="time of day") as caught:
        line.backend.save(FileType.DATA, NAME, DATA)
    assert "clock" in caught.value.hint
    assert line.waits == []


def test_no_bucket(object_store: ObjectStore, tmp_path: Path) -> None:
    backend = S3Backend(parse_object_location(object_store.location("no-such-bucket")), make_owner(tmp_path / "main"))
    for attempt in (backend.create, lambda: backend.load(FileType.DATA, NAME), lambda: backend.size(FileType.DATA, NAME)):
        with pytest.raises(RepositoryMissing, match="no bucket at") as caught:
            attempt()
        assert "make the bucket" in caught.value.hint


def test_a_quota_that_is_used_up_is_no_space(object_store: ObjectStore, tmp_path: Path) -> None:
    bucket = object_store.bucket()
    backend = S3Backend(parse_object_location(object_store.location(bucket)), make_owner(tmp_path / "main"))
    backend.create()
    object_store.set_quota(bucket, 64 << 10)
    backend.save(FileType.DATA, NAME, DATA)
    too_much = bytes(80_000)
    with pytest.raises(NoSpace) as caught:
        backend.save(FileType.DATA, name_of(too_much), too_much)
    assert "quota" in caught.value.hint
    assert backend.load(FileType.DATA, NAME) == DATA


def test_a_request_the_store_does_not_know_is_no_network_trouble(line: Line) -> None:
    line.breaks(Fault("answer", 400, "InvalidArgument"), times=1000)
    with pytest.raises(StoreError, match="400 InvalidArgument") as caught:
        line.backend.load(FileType.DATA, NAME)
    assert type(caught.value) is StoreError
    assert line.waits == []


def test_of_two_who_create_one_loses(object_store: ObjectStore, tmp_path: Path) -> None:
    location = parse_object_location(object_store.location(object_store.bucket()))
    first, second = (S3Backend(location, replace(make_owner(tmp_path / name), node="vault")) for name in ("a", "b"))
    first.create()
    second.create()
    first.save(FileType.CONFIG, "", b"first")
    with pytest.raises(Conflict):
        second.save(FileType.CONFIG, "", b"second")
    first.save(FileType.CONFIG, "", b"first")
    assert second.load(FileType.CONFIG, "") == b"first"


def test_large_objects_go_in_parts(object_store: ObjectStore, tmp_path: Path) -> None:
    bucket = object_store.bucket()
    backend = S3Backend(parse_object_location(object_store.location(bucket)), make_owner(tmp_path / "main"))
    backend.create()
    data = bytes(range(256)) * (40 << 12)
    backend.save(FileType.DATA, name_of(data), data)
    assert backend.load(FileType.DATA, name_of(data)) == data
    etag = object_store.admin.head_object(Bucket=bucket, Key=f"holdfast/data/{name_of(data)[:2]}/{name_of(data)}")["ETag"]
    assert etag.strip('"').endswith("-5")


def test_variables_of_the_environment_do_not_decide(object_store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "other",
        "AWS_SECRET_ACCESS_KEY": "other",
        "AWS_SESSION_TOKEN": "other",
        "AWS_ENDPOINT": "http://127.0.0.1:9",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9",
        "AWS_REGION": "nowhere",
        "AWS_BUCKET": "other",
        "AWS_SKIP_SIGNATURE": "true",
    }.items():
        monkeypatch.setenv(name, value)
    backend = S3Backend(parse_object_location(object_store.location(object_store.bucket())), make_owner(tmp_path / "main"))
    backend.create()
    backend.save(FileType.DATA, NAME, DATA)
    assert backend.load(FileType.DATA, NAME) == DATA
