"""Snapshots of btrfs: what is seen in them, what is not, and that none is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.core.clock import SystemClock
from holdfast.core.errors import OutsideLimits
from holdfast.host.btrfs import subvolume_of
from holdfast.host.snapshots import FOLDER, Snapshots, own_folders, sweep, take_snapshots
from holdfast.testing.small_disk import snapshot_disk

OWNER = b"0123456789abcdef"
_TAKE_AND_DIE = """
import os, signal, sys
from holdfast.core.clock import SystemClock
from holdfast.host.snapshots import take_snapshots
taken = take_snapshots([os.fsencode(sys.argv[1])], sys.argv[2].encode(), clock=SystemClock(), may_write=lambda _: None)
assert taken.covered
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    place = tmp_path_factory.mktemp("btrfs") / "disk"
    with snapshot_disk(place):
        yield place


def take(*roots: Path) -> Snapshots:
    return take_snapshots([os.fsencode(root) for root in roots], OWNER, clock=SystemClock(), may_write=lambda _: None)


def left(subvolume: Path) -> list[str]:
    return os.listdir(subvolume / os.fsdecode(FOLDER))


def test_a_snapshot_shows_what_was_and_is_gone_when_it_is_closed(disk: Path) -> None:
    subprocess.run(["btrfs", "-q", "subvolume", "create", str(disk / "one")], check=True)
    root = disk / "one" / "documents"
    root.mkdir()
    letter = root / "letter"
    letter.write_text("before")
    before = letter.stat()
    taken = take(root)
    letter.write_text("after that")
    shown = Path(os.fsdecode(taken.sight.real(os.fsencode(letter))))
    status = shown.stat()
    assert shown.read_text() == "before"
    assert (status.st_ino, status.st_ctime_ns, status.st_mtime_ns) == (before.st_ino, before.st_ctime_ns, before.st_mtime_ns)
    assert status.st_dev != before.st_dev
    assert taken.sight.device(status.st_dev) == before.st_dev
    with pytest.raises(OSError, match="Read-only"):
        shown.write_text("no")
    assert taken.covered == {os.fsencode(root)}
    assert left(disk / "one") == [OWNER.decode()]
    assert taken.close() == ()
    assert left(disk / "one") == []
    assert subvolume_of(os.fsencode(letter)) == os.fsencode(disk / "one")
    assert own_folders([os.fsencode(root)]) == {os.fsencode(disk / "one") + b"/" + FOLDER}


def test_what_a_killed_process_has_left_is_removed_by_the_next(disk: Path) -> None:
    root = disk / "killed"
    root.mkdir()
    for end in (lambda: sweep([os.fsencode(root)], OWNER), lambda: take(root).close()):
        died = subprocess.run([sys.executable, "-c", _TAKE_AND_DIE, str(root), OWNER.decode()], check=False)
        assert died.returncode == -signal.SIGKILL
        assert left(disk) == [OWNER.decode()]
        end()
        assert left(disk) == []


def test_other_subvolumes_and_mounts_below_are_looked_at_in_their_place(disk: Path) -> None:
    root = disk / "outer"
    root.mkdir()
    subprocess.run(["btrfs", "-q", "subvolume", "create", str(root / "inner")], check=True)
    (root / "mounted").mkdir()
    subprocess.run(["mount", "--bind", "/proc/self", str(root / "mounted")], check=True)
    try:
        taken = take(root)
        try:
            sight = taken.sight
            for name in ("inner", "mounted"):
                path = os.fsencode(root / name)
                status = sight.folder(path, os.lstat(taken.sight.real(os.fsencode(root)) + b"/" + os.fsencode(name)))
                assert (status.st_dev, status.st_ino) == (os.lstat(path).st_dev, os.lstat(path).st_ino)
                assert sight.real(path + b"/below") == path + b"/below"
                assert not sight.is_frozen(path)
            assert sight.is_frozen(os.fsencode(root))
        finally:
            taken.close()
    finally:
        subprocess.run(["umount", str(root / "mounted")], check=True)


def test_two_subvolumes_are_seen_each_in_its_own(disk: Path) -> None:
    root = disk / "two"
    root.mkdir()
    inner = root / "inner"
    subprocess.run(["btrfs", "-q", "subvolume", "create", str(inner)], check=True)
    (inner / "file").write_text("inner before")
    taken = take(root, inner)
    (inner / "file").write_text("inner after")
    assert Path(os.fsdecode(taken.sight.real(os.fsencode(inner / "file")))).read_text() == "inner before"
    status = taken.sight.folder(os.fsencode(inner), os.lstat(taken.sight.real(os.fsencode(root)) + b"/inner"))
    assert status.st_ino == 256
    taken.close()
    assert left(inner) == []


@pytest.mark.parametrize("kind", ["no btrfs", "a link", "the limits"])
def test_where_there_can_be_none_it_is_said_and_the_place_is_looked_at(disk: Path, tmp_path: Path, kind: str) -> None:
    def refuse(path: bytes) -> None:
        raise OutsideLimits(f"{os.fsdecode(path)} may not be written on this machine", hint="add it to `write`")

    link = tmp_path / "link"
    link.symlink_to(disk)
    root = os.fsencode({"no btrfs": Path("/proc/self/fd"), "a link": link, "the limits": disk}[kind])
    may_write = refuse if kind == "the limits" else lambda _: None
    root = os.path.realpath(root) if kind == "no btrfs" else root
    taken = take_snapshots([root], OWNER, clock=SystemClock(), may_write=may_write)
    assert [finding.code for finding in taken.findings] == ["no-snapshot"]
    assert taken.covered == frozenset()
    assert taken.sight.real(root) == root
    assert not taken.sight
