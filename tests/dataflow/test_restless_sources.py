"""Sources that do not hold still between the look and the read: nothing wrong is stored, and the next run has it right."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from holdfast.model.jobs import State
from holdfast.testing.waiting import wait_for
from tests.dataflow.machines import World
from tests.dataflow.scene import Office, assert_good, assert_restic_clean, assert_rsync_equal, office
from tests.dataflow.trees import differences

OK = (State.SUCCEEDED, State.WARNINGS)


@pytest.fixture
def scene(world: World, tmp_path: Path) -> Office:
    return office(world, tmp_path / "tree")


def assert_equal_everywhere(scene: Office, target: Path) -> None:
    assert_rsync_equal(scene.source, scene.copy)
    assert_good(scene.vault.restore_here(scene.vault.points(scene.main)[-1], target))
    assert differences(scene.source, target / scene.source.relative_to("/")) == []
    assert_restic_clean(scene.vault, scene.main)


@pytest.mark.parametrize("before", ["nothing", "a file", "a folder"])
def test_a_folder_is_away_for_an_instant(scene: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str) -> None:
    """As of a program that builds a folder anew each time: its own look fails, what is in it is found again."""
    place = scene.source / "built"
    if before == "a file":
        place.write_bytes(b"a file")
    elif before == "a folder":
        place.mkdir()
        (place / "old").write_bytes(b"old")
    assert_good(scene.run())
    if before == "a file":
        place.unlink()
    place.mkdir(exist_ok=True)
    (place / "inner").mkdir()
    (place / "inner" / "new").write_bytes(b"new")
    os.utime(place, ns=(5, 5))
    real = os.lstat

    def lstat(path: bytes | str, **around: object) -> os.stat_result:
        if path == os.fsencode(place):
            raise FileNotFoundError(2, "No such file or directory")
        return real(path, **around)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(os, "lstat", lstat)
        job = scene.run()
    assert_good(job, *OK)
    assert "vanished-while-captured" in {finding.code for finding in job.findings}
    if before == "a folder":
        assert (scene.copy / "built" / "old").read_bytes() == b"old"
    assert_restic_clean(scene.vault, scene.main)
    assert_good(scene.run())
    assert_equal_everywhere(scene, tmp_path / "back")


def test_files_and_folders_change_places_between_runs(scene: Office, tmp_path: Path) -> None:
    one, two = scene.source / "one", scene.source / "two"
    one.write_bytes(b"one")
    two.mkdir()
    (two / "deep").mkdir()
    (two / "deep" / "file").write_bytes(b"deep")
    for number in range(4):
        assert_good(scene.run())
        one.rename(scene.source / "swap")
        two.rename(one)
        (scene.source / "swap").rename(two)
        assert_good(scene.run())
        assert_equal_everywhere(scene, tmp_path / f"back{number}")


def test_groups_of_hard_links_change(scene: Office, tmp_path: Path) -> None:
    names = [scene.source / f"link{number}" for number in range(6)]
    names[0].write_bytes(b"first group")
    names[3].write_bytes(b"second group")
    for number in (1, 2):
        os.link(names[0], names[number])
        os.link(names[3], names[number + 3])
    steps = 0

    def check() -> None:
        nonlocal steps
        steps += 1
        assert_good(scene.run())
        assert_equal_everywhere(scene, tmp_path / f"back{steps}")

    check()
    names[2].unlink()
    os.link(names[3], names[2])
    check()
    names[0].unlink()
    names[0].write_bytes(b"second group")
    check()
    names[4].unlink()
    names[5].write_bytes(b"the group goes on with other content")
    check()
    for name in names:
        name.unlink(missing_ok=True)
    check()


def test_paths_longer_than_the_kernel_takes_are_reported_and_the_rest_is_safe(scene: Office) -> None:
    depth, name = 40, "d" * 200
    folder = os.open(scene.source, os.O_RDONLY | os.O_DIRECTORY)
    for _ in range(depth):
        os.mkdir(name, dir_fd=folder)
        inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY, dir_fd=folder)
        os.close(folder)
        folder = inner
    os.close(folder)
    try:
        job = scene.run()
        assert_good(job, State.WARNINGS)
        assert [finding.code for finding in job.findings] == ["unreadable"]
        assert (scene.copy / "text").read_bytes() == (scene.source / "text").read_bytes()
        assert_restic_clean(scene.vault, scene.main)
        assert_good(scene.run(), State.WARNINGS)
    finally:
        subprocess.run(["rm", "-rf", str(scene.source / name)], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_what_is_mounted_inside_a_source_stays_outside(scene: Office, tmp_path: Path) -> None:
    """One file system: the mount point belongs, what is on it does not, and mounting or unmounting removes nothing else."""
    place = scene.source / "mounted"
    place.mkdir()
    (place / "below").write_bytes(b"below the mount")
    assert_good(scene.run())
    subprocess.run(["mount", "-t", "tmpfs", "none", str(place)], check=True)
    try:
        (place / "on it").write_bytes(b"on the other disk")
        assert_good(scene.run(), *OK)
        assert not (scene.copy / "mounted" / "on it").exists()
    finally:
        subprocess.run(["umount", str(place)], check=True)
    assert_good(scene.run(), *OK)
    assert_equal_everywhere(scene, tmp_path / "back")


def test_a_file_that_is_truncated_while_it_is_read(scene: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, size in (("small", 100_000), ("large", 30 << 20)):
        (scene.source / name).write_bytes(os.urandom(size))
    cut = set[str]()

    def before(read: Callable[..., Any]) -> Callable[..., Any]:
        def cutting(descriptor: int, *arguments: Any) -> Any:
            path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
            if path.parent == scene.source and path.name in ("small", "large") and path.name not in cut:
                cut.add(path.name)
                os.truncate(path, os.stat(path).st_size // 3)
            return read(descriptor, *arguments)

        return cutting

    with monkeypatch.context() as patched:
        # Small files are read in one piece, large ones into a buffer.
        patched.setattr(os, "pread", before(os.pread))
        patched.setattr(os, "preadv", before(os.preadv))
        job = scene.run()
    assert_good(job, State.WARNINGS)
    assert {finding.code for finding in job.findings} >= {"changed-while-read"}
    assert_restic_clean(scene.vault, scene.main)
    assert_good(scene.run(), *OK)
    assert_equal_everywhere(scene, tmp_path / "back")
    shutil.rmtree(tmp_path / "back")


class Log:
    """A file that is appended to all the time. `written`: all of it until now."""

    def __init__(self, path: Path, first: bytes) -> None:
        self.path, self.written = path, b""
        self._append(first)

    @contextmanager
    def growing(self) -> Iterator[None]:
        over = threading.Event()

        def write() -> None:
            while not over.wait(0.01):
                self._append(b"another line\n")

        writer = threading.Thread(target=write)
        writer.start()
        try:
            yield
        finally:
            over.set()
            writer.join()

    def _append(self, data: bytes) -> None:
        self.written += data
        with self.path.open("ab") as file:
            file.write(data)


def test_a_file_that_is_written_to_all_the_time_is_in_the_points_of_a_batch(scene: Office, tmp_path: Path) -> None:
    """Also where the dataset is followed for a mirror, so that small runs have captured it before the batch comes to it: it is left out
    once at most, as a rule never."""
    plan = scene.plans["files1"]
    plan.deliveries[:] = [scene.deliveries["vault"], msgspec.structs.replace(scene.deliveries["dr"], mode="continuous")]
    scene.activate()
    log = Log(scene.source / "log", b"the first line\n")
    assert_good(scene.run(), *OK)
    left_out = 0
    with log.growing():
        wait_for(lambda: len((scene.copy / "log").read_bytes()) > 200, 60)
        for _ in range(6):
            job = scene.run(operations=("backup",))
            assert_good(job, *OK)
            left_out += any(finding.code == "changed-while-sent" and finding.path == str(log.path) for finding in job.findings)
    assert left_out <= 1
    states = set()
    for number, point in enumerate(scene.vault.points(scene.main)):
        target = tmp_path / f"back{number}"
        assert_good(scene.vault.restore_here(point, target, (os.fsencode(log.path),)))
        found = (target / log.path.relative_to("/")).read_bytes()
        assert log.written.startswith(found)
        states.add(found)
    assert len(states) == 7 - left_out
    assert_restic_clean(scene.vault, scene.main)
