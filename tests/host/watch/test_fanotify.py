"""fanotify, against the suites and for what it alone tells. Needs root."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from holdfast.core.clock import SystemClock
from holdfast.core.errors import WatchUnavailable
from holdfast.host.watch import Dirty, Means, Shortfall, WatchRequest, open_watch, syscalls
from holdfast.host.watch.fanotify import FanotifyListener
from holdfast.host.watch.ground import Ground, survey
from holdfast.host.watch.territory import Territory
from holdfast.testing.small_disk import small_disk
from holdfast.testing.watch_mounts_suite import WatchMountsSuite
from holdfast.testing.watch_suite import WatchScene, covers, told

NOBODY = 65534


@contextmanager
def without_privileges() -> Iterator[None]:
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def ground_of(territory: Territory) -> Ground:
    (ground,) = survey(territory, one_file_system=True).grounds.values()
    return ground


def has_bounded_queue() -> bool:
    """Root of a user namespace may watch, but not without a limit."""
    try:
        os.close(syscalls.fanotify_init(syscalls.FAN_UNLIMITED_QUEUE | syscalls.FAN_CLOEXEC))
    except OSError:
        return True
    return False


class TestFanotify(WatchMountsSuite):
    means = Means.FANOTIFY
    bounded_queue = has_bounded_queue()

    def test_who_did_it(self, scene: WatchScene, root: Path) -> None:
        (root / "mine").write_bytes(b"x")
        writer = f"open({str(root / 'theirs')!r}, 'w').write('x'); input()"
        with subprocess.Popen([sys.executable, "-c", writer], stdin=subprocess.PIPE, user=0) as child:
            (fact,) = self.wait_for(scene, root / "theirs")
            child.communicate(b"\n")
        assert fact.who is not None
        assert (fact.who.pid, fact.who.uid) == (child.pid, os.geteuid())
        assert fact.who.program
        assert fact.who.program.startswith("python")

    def wait_for(self, scene: WatchScene, path: Path) -> list[Dirty]:
        while not (found := told(scene.watch.take(30), path)):
            pass
        return found

    def test_a_write_through_a_name_outside(self, scene: WatchScene, root: Path, tmp_path: Path) -> None:
        os.link(root / "b/file", tmp_path / "outside")
        scene.check()
        (tmp_path / "outside").write_bytes(b"through the name outside")
        batch = scene.check()
        assert [fact.inode for fact in told(batch, tmp_path / "outside")] == [(root / "b/file").stat().st_ino]
        (tmp_path / "single").write_bytes(b"nobody's concern")
        (tmp_path / "single").rename(tmp_path / "saved")
        assert not scene.check()

    def test_a_write_through_a_name_that_is_gone(self, scene: WatchScene, root: Path) -> None:
        os.link(root / "b/file", root / "b/short")
        (root / "b/short").write_bytes(b"through a name that was never looked at")
        (root / "b/short").unlink()
        scene.check()

    def test_one_folder_at_two_paths(self, tmp_path: Path) -> None:
        with small_disk(tmp_path / "disk", 1 << 20):
            for name in ("disk/real/sub", "disk/shown"):
                (tmp_path / name).mkdir(parents=True)
            mounted = subprocess.run(["mount", "--bind", str(tmp_path / "disk/real"), str(tmp_path / "disk/shown")], check=False)
            if mounted.returncode != 0:
                pytest.skip("bind mounts are not allowed here")
            try:
                with self.watching(self.request(tmp_path / "disk")) as scene:
                    (tmp_path / "disk/real/sub/file").write_bytes(b"x")
                    batch = scene.check()
                    assert covers(batch, tmp_path / "disk/real/sub/file")
                    assert covers(batch, tmp_path / "disk/shown/sub/file")
            finally:
                subprocess.run(["umount", str(tmp_path / "disk/shown")], check=True)

    def test_the_mark_ends_with_its_file_system_and_is_set_anew(self, tmp_path: Path) -> None:
        with small_disk(tmp_path / "disk", 1 << 20) as disk:
            territory = Territory([os.fsencode(disk.place)])
            with closing(FanotifyListener(territory, ground_of(territory), SystemClock())) as listener:
                assert listener.look() == ()
                subprocess.run(["umount", str(disk.place)], check=True)
                subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk.place)], check=True)
                (disk.place / "unseen").touch()
                assert listener.read()[0] == 0
                assert listener.look() == (os.fsencode(disk.place),)
                (disk.place / "seen").touch()
                assert [fact.path for fact in listener.read()[1].facts] == [os.fsencode(disk.place / "seen")]

    def test_a_bounded_queue_says_that_it_overflowed(self, tmp_path: Path) -> None:
        bound = int(Path("/proc/sys/fs/fanotify/max_queued_events").read_text())
        if bound > 100_000:
            pytest.skip(f"a queue of {bound} events is not filled in a moment")
        with small_disk(tmp_path / "disk", 64 << 20) as disk:
            territory = Territory([os.fsencode(disk.place)])
            listener = FanotifyListener(territory, ground_of(territory), SystemClock(), unlimited=False)
            with closing(listener):
                for number in range(bound + 1):
                    os.mknod(disk.place / str(number))
                lost, names = False, 0
                while (answer := listener.read())[0]:
                    lost |= answer[1].lost
                    names += len(answer[1].facts)
                assert (lost, names) == (True, bound)
                (disk.place / "after").touch()
                assert [fact.path for fact in listener.read()[1].facts] == [os.fsencode(disk.place / "after")]


def test_without_privileges_it_is_refused_and_inotify_is_chosen() -> None:
    with tempfile.TemporaryDirectory() as place, without_privileges_in(place):
        root = os.fsencode(os.path.realpath(place))
        with pytest.raises(WatchUnavailable) as caught:
            open_watch(WatchRequest(roots=(root,), only=Means.FANOTIFY))
        assert caught.value.context["reason"] == Shortfall.NOT_PERMITTED.value
        with open_watch(WatchRequest(roots=(root,))) as watch:
            (coverage,) = watch.coverage()
            assert (coverage.means, coverage.paths) == (Means.INOTIFY, (root,))
            assert coverage.shortfalls == {Shortfall.NOT_PERMITTED, Shortfall.NO_ONE_KNOWN, Shortfall.OTHER_NAMES}


@contextmanager
def without_privileges_in(place: str) -> Iterator[None]:
    if os.geteuid() == 0:
        os.chown(place, NOBODY, NOBODY)
    with without_privileges():
        yield
