"""What a watch must do when file systems come and go, and when more happens than it can keep. Goes with `watch_suite`."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from holdfast.core.clock import SystemClock
from holdfast.host.watch import Gap, Reason
from holdfast.testing.small_disk import small_disk
from holdfast.testing.watch_suite import WatchSuite, covers, gaps_of

_SIZE_BYTES = 4 << 20


class WatchMountsSuite(WatchSuite):
    """Mandatory too; tests that mount are skipped where nothing can be mounted.

    `bounded_queue`: the kernel drops what is not read in time.
    """

    bounded_queue = True

    def test_a_file_system_below_a_root(self, root: Path) -> None:
        disk = root / "disk"
        with self.watching(self.request(root)) as scene:
            with small_disk(disk, _SIZE_BYTES):
                assert (os.fsencode(disk), Reason.MOUNT) in gaps_of(scene.check())
                (disk / "sub").mkdir()
                (disk / "sub/file").write_bytes(b"x")
                (root / "b/file").write_bytes(b"y")
                batch = scene.check()
                assert covers(batch, disk / "sub/file")
                assert covers(batch, root / "b/file")
                assert {path for coverage in scene.watch.coverage() for path in coverage.paths} == {os.fsencode(root), os.fsencode(disk)}
            assert gaps_of(scene.check()) == [(os.fsencode(disk), Reason.MOUNT)]
            (disk / "under-it").write_bytes(b"x")
            assert covers(scene.check(), disk / "under-it")

    def test_one_file_system_leaves_others_out(self, root: Path) -> None:
        request = replace(self.request(root), one_file_system=True)
        with small_disk(root / "disk", _SIZE_BYTES), self.watching(request) as scene:
            (root / "disk/file").write_bytes(b"x")
            assert not scene.settle()
            (root / "b/file").write_bytes(b"x")
            assert covers(scene.settle(), root / "b/file")

    def test_a_folder_that_is_mounted_again_below_a_root_is_no_other_file_system(self, tmp_path: Path) -> None:
        """A walk goes into it, for it looks at the device alone."""
        with small_disk(tmp_path / "disk", _SIZE_BYTES):
            shown, real = tmp_path / "disk/data/shown", tmp_path / "disk/real"
            shown.mkdir(parents=True)
            real.mkdir()
            with self.watching(replace(self.request(tmp_path / "disk/data"), one_file_system=True)) as scene:
                if subprocess.run(["mount", "--bind", str(real), str(shown)], check=False).returncode != 0:
                    pytest.skip("bind mounts are not allowed here")
                try:
                    assert gaps_of(scene.settle()) == [(os.fsencode(shown), Reason.MOUNT)]
                    (shown / "file").write_bytes(b"x")
                    assert covers(scene.settle(), shown / "file")
                    (real / "other").write_bytes(b"x")
                    assert covers(scene.settle(), shown / "other")
                finally:
                    subprocess.run(["umount", str(shown)], check=True)

    def test_a_root_that_is_unmounted_and_mounted_again(self, tmp_path: Path) -> None:
        disk = tmp_path / "disk"
        with small_disk(disk, _SIZE_BYTES):
            (disk / "file").write_bytes(b"x")
            with self.watching(self.request(disk)) as scene:
                # Nothing that the watch keeps open may hinder it.
                subprocess.run(["umount", str(disk)], check=True)
                assert gaps_of(scene.check()) == [(os.fsencode(disk), Reason.MOUNT)]
                assert set(scene.tree.known) == {os.fsencode(disk)}
                subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], check=True)
                assert gaps_of(scene.check()) == [(os.fsencode(disk), Reason.MOUNT)]
                (disk / "sub").mkdir()
                (disk / "sub/later").write_bytes(b"x")
                assert covers(scene.check(), disk / "sub/later")

    def test_another_disk_between_two_looks(self, tmp_path: Path) -> None:
        """The kernel may give the new file system, mount and root folder the very numbers of the old ones."""
        disk = tmp_path / "disk"
        with small_disk(disk, _SIZE_BYTES), self.watching(self.request(disk)) as scene:
            for name in ("one", "two"):
                subprocess.run(["umount", str(disk)], check=True)
                subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], check=True)
                assert [path for path, _ in gaps_of(scene.check())] == [os.fsencode(disk)]
                (disk / name).write_bytes(b"x")
                assert covers(scene.check(), disk / name)

    def test_a_root_that_is_made_again(self, root: Path) -> None:
        """ext4 gives the new folder the inode of the old one, and then it looks as if nothing had happened."""
        for name in ("one", "two", "three"):
            with self.watching(self.request(root)) as scene:
                shutil.rmtree(root)
                root.mkdir()
                scene.check()
                (root / "sub").mkdir()
                (root / "sub" / name).write_bytes(b"x")
                assert covers(scene.check(), root / "sub" / name)

    def test_roots_on_several_file_systems(self, root: Path, tmp_path: Path) -> None:
        with small_disk(tmp_path / "disk", _SIZE_BYTES), self.watching(self.request(root, tmp_path / "disk")) as scene:
            (tmp_path / "disk/sub").mkdir()
            (tmp_path / "disk/sub/file").write_bytes(b"x")
            (root / "b/file").write_bytes(b"y")
            batch = scene.check()
            assert covers(batch, tmp_path / "disk/sub/file")
            assert covers(batch, root / "b/file")
            assert len(scene.watch.coverage()) == 2

    def test_more_than_is_kept_becomes_a_gap_where_it_happened(self, tmp_path: Path) -> None:
        """On a file system of its own: what others do to files with several names would count too."""
        before_ns = SystemClock().now_ns()
        with small_disk(tmp_path / "disk", _SIZE_BYTES) as disk:
            root = disk.place / "root"
            for name in ("a/deep/er", "b"):
                (root / name).mkdir(parents=True)
            with self.watching(replace(self.request(root), most_pending=100)) as scene:
                (root / "b/file").write_bytes(b"quiet here")
                for number in range(300):
                    (root / f"a/deep/er/{number}").write_bytes(b"x")
                batch = scene.check()
                assert gaps_of(batch) == [(os.fsencode(root / "a/deep/er"), Reason.OVERFLOW)]
                assert before_ns <= batch.gaps[0].since_ns <= batch.gaps[0].until_ns
                assert covers(batch, root / "b/file")
                (root / "a/deep/er/later").write_bytes(b"x")
                batch = scene.check()
                assert not batch.gaps
                assert covers(batch, root / "a/deep/er/later")

    def test_closed_it_gives_nothing(self, root: Path) -> None:
        with self.watching(self.request(root)) as scene:
            scene.watch.close()
            assert not scene.near(scene.watch.take())
            assert not scene.watch.take()
            assert not scene.watch.sync(1)

    def test_a_burst_is_told_whole(self, root: Path) -> None:
        """200 folders with 10 files each, written, closed and renamed, with nobody taking meanwhile."""
        burst(root, folders=200)
        with self.watching(self.request(root)) as scene:
            burst(root / "a", folders=200)
            batch = scene.check()
            assert not batch.gaps
            assert all(covers(batch, root / f"a/burst{number % 200}/{number % 10}") for number in range(0, 2_000, 97))

    @pytest.mark.big
    @pytest.mark.timeout(600)
    def test_a_large_burst_is_told_whole(self, root: Path) -> None:
        """2,000 folders with 10 files each, made by another process while somebody takes and looks all the time. Where the kernel's queue
        is bounded there may be a gap; nothing is missing for it."""
        gaps: list[Gap] = []
        with self.watching(self.request(root)) as scene:
            made = multiprocessing.get_context("spawn").Process(target=burst, args=(root / "a", 2_000))
            made.start()
            while made.is_alive():
                batch = scene.watch.take(0.2)
                gaps += batch.gaps
                scene.tree.apply(batch)
            made.join()
            gaps += scene.check().gaps
            assert made.exitcode == 0
            assert len(scene.tree.known) > 22_000
            assert self.bounded_queue or not gaps


def burst(root: Path, folders: int, files: int = 10) -> None:
    """Makes folders and files, and gives each file its last name only at its end."""
    top = os.fsencode(root)
    for number in range(folders):
        folder = top + b"/burst%d" % number
        os.mkdir(folder)
        for count in range(files):
            with open(folder + b"/%d.tmp" % count, "wb", buffering=0) as file:
                file.write(b"%d" % count)
            os.rename(folder + b"/%d.tmp" % count, folder + b"/%d" % count)
