"""A write lease says whether anybody else has the file open, and tells when somebody wants to."""

from __future__ import annotations

import mmap
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.host.leases import InUse, WriteLease
from holdfast.testing.waiting import wait_for


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    return path


@pytest.fixture
def descriptor(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    lease = _lease(descriptor)
    if lease is not None and not lease.is_supported:
        pytest.skip(f"the file system of {path} gives no write leases (fcntl F_SETLEASE)")
    if lease is not None:
        lease.give_back()
    yield descriptor
    os.close(descriptor)


def _lease(descriptor: int) -> WriteLease | None:
    try:
        return WriteLease(descriptor)
    except InUse:
        return None


def test_reading_and_renaming_leave_it_as_it_is(path: Path, descriptor: int) -> None:
    lease = WriteLease(descriptor)
    assert os.read(descriptor, 100) == b"content"
    path.rename(path.with_name("other"))
    assert lease.is_held
    lease.give_back()
    assert not lease.is_held


def test_who_opens_it_waits_and_is_seen(path: Path, descriptor: int) -> None:
    lease = WriteLease(descriptor)
    reader = subprocess.Popen(["cat", path], stdout=subprocess.PIPE)
    wait_for(lambda: not lease.is_held)
    assert reader.poll() is None
    lease.give_back()
    assert reader.communicate(timeout=30)[0] == b"content"


def test_none_for_a_file_that_is_open(path: Path, descriptor: int) -> None:
    with path.open("rb"), pytest.raises(InUse):
        WriteLease(descriptor)


def test_none_for_a_file_that_is_mapped_only(path: Path, descriptor: int) -> None:
    with path.open("r+b") as file:
        mapped = mmap.mmap(file.fileno(), 7)
    with pytest.raises(InUse):
        WriteLease(descriptor)
    mapped.close()
    WriteLease(descriptor).give_back()
