"""Archiving as a person does it: stubs that open, files that come back, what is kept and held, and machines that are killed meanwhile."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.host.mountpoint import kind_at
from holdfast.node.config import recall_path
from tests.e2e.world import World, by_hand_only, eventually, world_in

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.big,
    pytest.mark.skipif(not os.path.exists("/dev/fuse") or shutil.which("fusermount3") is None, reason="needs FUSE: fuse3 and /dev/fuse"),
]
# What a read may take when nobody answers (docs/recall.md).
ERROR_WITHIN_S = 20.0
OLD = time.time_ns() - 3 * 365 * 86_400 * 10**9
LARGE_BYTES = 24 << 20
ARCHIVING = """\
environment: test
nodes: {{files1: {{}}, vault: {{}}}}
repositories: {{main: {{node: vault, location: {folder}/vault/main}}}}
policies:
  documents:
    classification: {{paths: [{folder}/data]}}
    operations:
      backup: {{{when}, keep: {{last: 50}}}}
      archive: {{when: {{older_than: 365d}}, keep: 7y, leave: stub}}
flows:
  office:
    vertices: {{files: {{node: files1, policies: [documents]}}, store: {{repository: main}}}}
    movers: [{{from: files, to: store, carries: [documents/backup, documents/archive]}}]
"""
DATASET = "files1/documents"


@pytest.fixture(scope="module")
def contents(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, bytes]:
    """What is old enough to go. A file that is too young lies beside it. Tests come in any order, and the kernel keeps what was read: a
    file that is read when nobody answers is read by no other test, and what is recalled has a folder of its own."""
    data = tmp_path_factory.mktemp("world") / "data"
    (data / "back").mkdir(parents=True)
    old = {data / name: f"needle in {name}\n".encode() * 400 for name in ("one.txt", "two.txt", "back/three.txt", "back/four.txt")}
    old |= {data / name: os.urandom(LARGE_BYTES) for name in ("owner killed", "source killed")}
    for path, content in old.items():
        path.write_bytes(content)
        path.chmod(0o640)
        os.utime(path, ns=(OLD, OLD))
    (data / "fresh").write_bytes(b"of today")
    return old


@pytest.fixture(scope="module")
def office(contents: dict[Path, bytes]) -> Iterator[World]:
    """Archived: where the files were there are stubs."""
    folder = next(iter(contents)).parent.parent
    with world_in(folder, "files1", "vault") as world:
        document = folder / "environment.yaml"
        document.write_text(ARCHIVING.format(folder=folder, when=by_hand_only()))
        world.run("apply", str(document), "--activate", "--yes")
        world.run("trigger", "office", "--wait")
        yield world
    # Where a test ends between a kill and the next start.
    while kind_at(recall := os.fsencode(recall_path(world.home("files1")))):
        subprocess.run(["umount", "-l", recall], check=True)


def test_old_files_become_stubs_that_open(office: World, contents: dict[Path, bytes]) -> None:
    data = office.folder / "data"
    for path in (data / "one.txt", data / "two.txt"):
        assert os.readlink(path).startswith(f"{office.home('files1')}/recall/")
        assert subprocess.run(["cat", str(path)], capture_output=True, check=True).stdout == contents[path]
        assert (path.stat().st_mtime_ns, path.stat().st_mode & 0o777) == (OLD, 0o640)
    assert not (data / "fresh").is_symlink()
    grepped = subprocess.run(["grep", "-rl", "needle", str(data), "--exclude-dir=back"], capture_output=True, check=False)
    assert grepped.stdout == b"", "no link is followed"


def test_what_is_archived_is_told_and_held(office: World, contents: dict[Path, bytes]) -> None:
    (row,) = office.json("archive", "report")["datasets"]
    assert (row["dataset"], row["repository"], row["files"]) == (DATASET, "main", len(contents))
    assert row["size_bytes"] == sum(map(len, contents.values()))
    files = office.json("archive", "ls", DATASET)["files"]
    assert {Path(file["path"]) for file in files} == set(contents)
    assert all(file["until"] for file in files)
    (planned,) = office.json("archive", "plan", DATASET)
    assert planned["files"] == 0
    one = office.folder / "data" / "one.txt"
    office.run("archive", "hold", DATASET, "case 7", "--path", str(one))
    held = {Path(file["path"]): file.get("holds") for file in office.json("archive", "ls", DATASET)["files"]}
    assert [path for path, holds in held.items() if holds] == [one]
    (row,) = office.json("archive", "report", home="vault")["datasets"]
    assert [hold["name"] for hold in row["holds"]] == ["case 7"], "the owner says it by itself, too"
    (released,) = office.json("archive", "release", DATASET, "case 7")
    assert not released.get("holds")


def test_stock_restic_gives_back_every_archived_file(office: World, contents: dict[Path, bytes], tmp_path: Path) -> None:
    snapshots = json.loads(office.restic("main", "vault", "snapshots", "--no-lock", "--json"))
    (lineage,) = [each for each in snapshots if "hf:kind=archive" in each["tags"]]
    office.restic("main", "vault", "restore", lineage["id"], "--no-lock", "--target", str(tmp_path))
    (moment,) = tmp_path.iterdir()
    for path, content in contents.items():
        restored = Path(f"{moment}{path}")
        assert restored.read_bytes() == content
        assert restored.stat().st_mtime_ns == OLD
    # A point has the file its stub stands for.
    office.run("trigger", "office", "--wait")
    office.restic(
        "main", "vault", "restore", "latest", "--path", str(office.folder / "data"), "--no-lock", "--target", str(tmp_path / "point")
    )
    for path, content in contents.items():
        assert Path(f"{tmp_path}/point{path}").read_bytes() == content
    assert "no errors were found" in office.restic("main", "vault", "check", "--no-lock", "--read-data")


def test_an_owner_killed_around_a_read_is_an_error_in_time_and_comes_back(office: World, contents: dict[Path, bytes]) -> None:
    path = office.folder / "data" / "owner killed"
    with path.open("rb", buffering=0) as file:
        assert file.read(4_096) == contents[path][:4_096]
        office.kill("vault")
        with fails_in_time(errno.EIO):
            os.pread(file.fileno(), 8_192, LARGE_BYTES // 2)
        with fails_in_time(errno.EIO):
            path.read_bytes()
        office.restart("vault")
        eventually(lambda: read_or_nothing(path) == contents[path], "the stub opens again")
        assert os.pread(file.fileno(), 8_192, LARGE_BYTES // 2) == contents[path][LARGE_BYTES // 2 :][:8_192], "what was open goes on"


def test_a_source_killed_leaves_no_read_hanging_and_mounts_again(office: World, contents: dict[Path, bytes]) -> None:
    path = office.folder / "data" / "source killed"
    descriptor = os.open(path, os.O_RDONLY)
    assert os.pread(descriptor, 4_096, 0) == contents[path][:4_096]
    office.kill("files1")
    with fails_in_time(errno.ENOTCONN, errno.ECONNABORTED, errno.EIO):
        os.pread(descriptor, 8_192, LARGE_BYTES // 2)
    # To close it is told to the process behind it, too.
    with contextlib.suppress(OSError):
        os.close(descriptor)
    with fails_in_time(errno.ENOTCONN, errno.ENOENT):
        path.read_bytes()
    office.restart("files1")
    eventually(lambda: read_or_nothing(path) == contents[path], "it is mounted anew")


def test_recall_puts_the_files_back(office: World, contents: dict[Path, bytes]) -> None:
    folder = office.folder / "data" / "back"
    three, four = folder / "three.txt", folder / "four.txt"
    office.run("recall", str(three), "--dry-run", home="files1")
    assert three.is_symlink()
    office.run("recall", str(three), home="files1")
    assert_back(three, contents[three])
    assert four.is_symlink()
    office.run("recall", "--node", "files1", "--recursive", str(folder))
    assert_back(four, contents[four])
    office.run("trigger", "office", "--wait")
    assert not three.is_symlink(), "what was recalled is not archived again at once"
    (row,) = office.json("archive", "report")["datasets"]
    assert row["files"] == len(contents), "its version stays"


def assert_back(path: Path, content: bytes) -> None:
    facts = path.lstat()
    assert path.read_bytes() == content
    assert not path.is_symlink()
    assert (facts.st_mtime_ns, facts.st_mode & 0o777) == (OLD, 0o640)


@contextlib.contextmanager
def fails_in_time(*numbers: int) -> Iterator[None]:
    began_s = time.monotonic()
    with pytest.raises(OSError) as caught:
        yield
    assert caught.value.errno in numbers
    assert time.monotonic() - began_s < ERROR_WITHIN_S


def read_or_nothing(path: Path) -> bytes:
    with contextlib.suppress(OSError):
        return path.read_bytes()
    return b""
