"""Points as folders of the machine that owns them: equal to the source, with the Master away, and whatever is killed."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.host.compare import compare_trees
from holdfast.host.mountpoint import is_dead, kind_at
from holdfast.testing.odd_tree import build_odd_tree
from tests.e2e.world import World, by_hand_only, descendants, eventually, worker_pid, world_in

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.big,
    pytest.mark.skipif(not os.path.exists("/dev/fuse") or shutil.which("fusermount3") is None, reason="needs FUSE: fuse3 and /dev/fuse"),
]
KIND = "fuse.holdfast"
ONE_TO_ONE = """\
environment: test
nodes: {{files1: {{}}, vault: {{}}}}
repositories: {{main: {{node: vault, location: {folder}/vault/main}}}}
policies: {{documents: {{classification: {{paths: [{folder}/data]}}, operations: {{backup: {{{when}}}}}}}}}
flows:
  office:
    vertices: {{files: {{node: files1, policies: [documents]}}, store: {{repository: main}}}}
    movers: [{{from: files, to: store, carries: [documents/backup]}}]
"""


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One world for all of them: mounting changes nothing in it, and what is killed is started again."""
    folder = tmp_path_factory.mktemp("world")
    build_odd_tree(folder / "data")
    (folder / "data" / "sub").mkdir()
    for number in range(10):
        (folder / "data" / "sub" / f"file {number}.bin").write_bytes(bytes([number]) * (1000 * number + 1))
    (folder / "data" / "large").write_bytes(os.urandom(24 << 20))
    with world_in(folder, "files1", "vault") as world:
        world.apply(ONE_TO_ONE.format(folder=folder, when=by_hand_only()), "office")
        world.run("trigger", "office", "--wait", expect=None)
        yield world


@pytest.fixture
def data(office: World) -> Path:
    return office.folder / "data"


def mount_pid(place: Path) -> int:
    """The process behind a mount."""
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and "mount\0--home\0" in (line := (entry / "cmdline").read_text()) and line.endswith(f"{place}\0"):
                return int(entry.name)
    raise AssertionError("no process has it mounted")


def newest(world: World) -> str:
    return str(world.points_of("main", "vault")[-1]["id"])


def test_a_mounted_point_equals_its_source_with_the_master_away(office: World, data: Path, place: Path, tmp_path: Path) -> None:
    office.kill("master")
    point = newest(office)
    office.run("mount", point, str(place), "--detach", home="vault")
    shown = place / str(data)[1:]
    assert [str(each) for each in compare_trees(data, shown, ignore_owner=os.geteuid() != 0)] == []
    assert (shown / "sparse").stat().st_blocks < 256, "holes take no blocks"
    with pytest.raises(OSError, match="Read-only"):
        (shown / "new").write_bytes(b"")
    assert sorted(os.listdir(shown)) == sorted(os.listdir(data))
    second = tmp_path / "second"
    office.run("mount", "--repository", "main", str(second), "--detach", home="vault")
    latest = second / "files1" / "documents" / "latest"
    assert (latest / str(data / "plain")[1:]).read_bytes() == (shown / "plain").read_bytes()
    for folder in (place, second):
        office.run("unmount", str(folder), home="vault")
        assert kind_at(os.fsencode(folder)) == ""
        assert os.listdir(folder) == []
    office.restart("master")
    office.machines.wait_for_nodes({"files1", "vault"})


def test_a_dataset_shows_its_points_and_outlives_prune(office: World, data: Path, place: Path) -> None:
    (data / "sub" / "file 7.bin").write_bytes(first_content := os.urandom(7000))
    office.run("trigger", "office", "--wait", expect=None)
    (data / "second").write_bytes(b"only in the second point")
    (data / "sub" / "file 7.bin").write_bytes(b"other now")
    office.run("trigger", "office", "--wait", expect=None)
    *_, first, second = office.points_of("main", "vault")
    office.run("mount", "--dataset", "files1/documents", str(place), "--detach", home="vault")
    folders = sorted(path.name for path in place.iterdir())
    assert os.readlink(place / "latest") == folders[-2]
    old, new = (place / name / str(data)[1:] for name in folders[-3:-1])
    assert not (old / "second").exists()
    assert (new / "second").read_bytes() == b"only in the second point"
    at_second = place / f"@{second['time']}" / str(data)[1:]
    assert (at_second / "second").exists()
    with (old / "sub" / "file 7.bin").open("rb") as file:
        office.run("points", "forget", first["id"], "--yes", home="vault")
        office.run("repository", "prune", "main", "--grace", "0s", home="vault", expect=None)
        office.run("repository", "prune", "main", "--grace", "0s", home="vault", expect=None)
        assert file.read() == first_content
    assert (old / "sub" / "file 9.bin").read_bytes() == bytes([9]) * 9001


def test_a_killed_mount_leaves_nothing_hanging_and_is_mounted_over(office: World, place: Path, data: Path) -> None:
    point = newest(office)
    office.run("mount", point, str(place), "--detach", home="vault")
    shown = place / str(data)[1:]
    refused = office.run("mount", point, str(place), home="vault", expect=5)
    assert "mounted on" in refused.stderr
    descriptor = os.open(shown / "large", os.O_RDONLY)
    os.pread(descriptor, 10, 0)
    os.kill(mount_pid(place), signal.SIGKILL)
    eventually(lambda: is_dead(os.fsencode(place)), "the mount is dead")
    with pytest.raises(OSError) as caught:
        os.pread(descriptor, 1 << 20, 4 << 20)
    assert caught.value.errno in (errno.ENOTCONN, errno.ECONNABORTED, errno.EIO)
    # To close it is told to the process behind it, too.
    with contextlib.suppress(OSError):
        os.close(descriptor)
    office.run("mount", point, str(place), "--detach", home="vault")
    assert (shown / "large").read_bytes() == (data / "large").read_bytes()


def test_a_mount_lives_through_restarts_of_the_agent_and_says_when_it_is_gone(office: World, place: Path, data: Path) -> None:
    office.run("mount", newest(office), str(place), "--detach", home="vault")
    shown = place / str(data)[1:]
    assert (shown / "sub" / "file 1.bin").read_bytes()
    os.kill(worker_pid(office, "vault", "store"), signal.SIGKILL)

    def reads_again() -> bool:
        with contextlib.suppress(OSError):
            return (shown / "sub" / "file 2.bin").read_bytes() == bytes([2]) * 2001
        return False

    eventually(reads_again, "the mount reads again")
    office.kill("vault")
    with pytest.raises(OSError) as caught:
        (shown / "large").read_bytes()
    assert caught.value.errno == errno.EIO
    office.restart("vault")
    whole = hashlib.sha256((data / "large").read_bytes()).digest()

    def is_whole() -> bool:
        with contextlib.suppress(OSError):
            return hashlib.sha256((shown / "large").read_bytes()).digest() == whole
        return False

    eventually(is_whole, "all of it can be read again")


def test_damage_is_an_error_of_the_file_and_an_event(office: World, place: Path, data: Path) -> None:
    (data / "damaged").write_bytes(os.urandom(4 << 20))
    office.run("trigger", "office", "--wait", expect=None)
    packs = (path for path in (office.folder / "vault" / "main" / "data").rglob("*") if path.is_file())
    newest_pack = max((path for path in packs if path.stat().st_size > 3 << 20), key=lambda path: path.stat().st_mtime_ns)
    with newest_pack.open("r+b") as pack:
        pack.seek(newest_pack.stat().st_size // 2)
        byte = pack.read(1)
        pack.seek(-1, os.SEEK_CUR)
        pack.write(bytes([byte[0] ^ 0xFF]))
    office.run("mount", newest(office), str(place), "--detach", home="vault")
    shown = place / str(data)[1:]
    with pytest.raises(OSError) as caught:
        (shown / "damaged").read_bytes()
    assert caught.value.errno == errno.EIO
    assert (shown / "sub" / "file 9.bin").read_bytes() == bytes([9]) * 9001
    office.run("unmount", str(place), home="vault")
    eventually(lambda: "damage-found" in {event["code"] for event in office.json("logs")}, "the damage was told")
    # The world is that of the other tests, too.
    (data / "damaged").unlink()
    office.run("trigger", "office", "--wait", expect=None)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["0123456789ab", "DIR"], 2, "no point"),
        (["--repository", "nobody", "DIR"], 2, "nobody"),
        (["--dataset", "files1/documents", "--at", "2001-01-01", "DIR"], 2, "no point"),
        (["DIR"], 2, "mount what?"),
        (["--at", "2h ago", "0123456789ab", "DIR"], 2, "--at goes with"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_mounted_is_said(office: World, tmp_path: Path, arguments: list[str], code: int, words: str) -> None:
    told = office.run("mount", *[str(tmp_path / "mnt") if word == "DIR" else word for word in arguments], home="vault", expect=code)
    assert words in told.stderr


def test_a_folder_that_is_in_use_is_refused(office: World, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_bytes(b"")
    assert "not empty" in office.run("mount", newest(office), str(tmp_path / "full"), home="vault", expect=5).stderr
    assert "nothing of Holdfast" in office.run("unmount", str(tmp_path / "full"), home="vault", expect=2).stderr


def test_without_fuse_it_says_what_to_install(office: World, tmp_path: Path) -> None:
    environment = {**os.environ, "HOLDFAST_HOME": str(office.home("vault")), "FUSE_LIBRARY_NAME": "no-such-library"}
    command = [sys.executable, "-m", "holdfast.cli.main", "mount", newest(office), str(tmp_path / "mnt")]
    told = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert told.returncode == 1
    assert "mount-unavailable" in told.stderr
    assert "apt-get install fuse3" in told.stderr


def test_a_mount_that_is_told_to_end_was_no_failure(office: World, place: Path) -> None:
    environment = {**os.environ, "HOLDFAST_HOME": str(office.home("vault"))}
    command = [sys.executable, "-m", "holdfast.cli.main", "mount", newest(office), str(place)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as mounting:
        eventually(lambda: kind_at(os.fsencode(place)), "it is mounted")
        mounting.terminate()
        _, errors = mounting.communicate(timeout=60)
    assert mounting.returncode == 0, errors
    assert "cannot be mounted" not in errors


def test_nothing_is_left_running(office: World, place: Path) -> None:
    office.run("mount", newest(office), str(place), "--detach", home="vault")
    pid = mount_pid(place)
    assert pid not in descendants(os.getpid()), "it is nobody's child"
    os.kill(pid, signal.SIGTERM)
    eventually(lambda: not kind_at(os.fsencode(place)), "it unmounts when it is asked to end")
    eventually(lambda: not Path(f"/proc/{pid}").exists(), "and ends")
