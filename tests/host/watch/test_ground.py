"""Mounts, roots and what has become of them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from holdfast.core.errors import UsageError
from holdfast.host.watch import Reason, WatchRequest, open_watch
from holdfast.host.watch.ground import Changes, Ground, Standing, Survey, changes_between, real_path, survey
from holdfast.host.watch.mounts import Mount, mount_of, mounts_in, mounts_now
from holdfast.host.watch.territory import Territory
from holdfast.testing.small_disk import small_disk

FOLDER = Standing(mount=1, device=7, inode=9, is_folder=True)


def test_lines_of_mountinfo() -> None:
    text = (
        b"36 35 98:0 /sub\\040dir /mnt\\012x rw,noatime master:1 shared:2 - ext3 /dev/root rw\n"
        b"37 36 0:42 / /mnt/\xff rw - fuse.sshfs host rw\n"
        b"torn line\n"
    )
    assert mounts_in(text) == (
        Mount(36, "98:0", b"/sub dir", b"/mnt\nx", "ext3"),
        Mount(37, "0:42", b"/", b"/mnt/\xff", "fuse.sshfs"),
    )
    assert [mount.is_remote for mount in mounts_in(text)] == [False, True]


def test_the_mount_of_a_path(tmp_path: Path) -> None:
    mounts = mounts_now()
    assert mount_of(os.fsencode(tmp_path / "absent"), mounts) is None
    (tmp_path / "link").symlink_to("/proc")
    here = mount_of(os.fsencode(tmp_path), mounts)
    assert here is not None
    assert mount_of(os.fsencode(tmp_path / "link"), mounts) == here
    there = mount_of(b"/proc", mounts)
    assert there is not None
    assert (there.point, there.kind) == (b"/proc", "proc")


def test_one_ground_for_each_file_system(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    roots = [os.fsencode(tmp_path / name) for name in ("a", "a/b", "absent")]
    found = survey(Territory([*roots, b"/proc/self"]), one_file_system=False)
    assert {ground.scopes for ground in found.grounds.values()} >= {(roots[0],)}
    assert roots[1] in found.standings
    assert roots[2] not in found.standings


def test_what_another_mount_lies_over_does_not_count(tmp_path: Path) -> None:
    root = os.fsencode(tmp_path)
    with small_disk(tmp_path / "disk", 1 << 20):
        lower = survey(Territory([root]), one_file_system=False)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(tmp_path / "disk")], check=True)
        try:
            upper = survey(Territory([root]), one_file_system=False)
        finally:
            subprocess.run(["umount", str(tmp_path / "disk")], check=True)
    place = root + b"/disk"
    assert set(lower.mounted) == set(upper.mounted) == {place}
    assert len(upper.grounds) == 2
    assert lower.mounted[place] != upper.mounted[place]


@pytest.mark.parametrize(("kind", "is_remote"), [("ext4", False), ("nfs4", True), ("fuse.sshfs", True), ("cifs", True), ("9p", True)])
def test_file_systems_that_others_may_change(kind: str, is_remote: bool) -> None:
    assert Ground("0:1", kind, (Mount(1, "0:1", b"/", b"/mnt", kind),), (b"/mnt",)).is_remote is is_remote


def test_what_has_become_of_roots() -> None:
    def looked(**standings: Standing) -> Survey:
        return Survey({}, {name.encode(): standing for name, standing in standings.items()}, {})

    other_inode = Standing(mount=1, device=7, inode=8, is_folder=True)
    other_mount = Standing(mount=2, device=7, inode=9, is_folder=True)
    file = Standing(mount=1, device=0, inode=0, is_folder=False)
    before = looked(same=FOLDER, gone=FOLDER, replaced=FOLDER, mounted=FOLDER, single=file)
    after = looked(same=FOLDER, come=FOLDER, replaced=other_inode, mounted=other_mount, single=file)
    assert changes_between(before, after) == Changes(
        missed=((b"come", Reason.REPLACED), (b"mounted", Reason.MOUNT), (b"replaced", Reason.REPLACED)), vanished=(b"gone",)
    )


def test_a_root_that_comes_below_another_by_a_mount_of_its_own() -> None:
    there, mounted = Survey({}, {b"/data": FOLDER}, {}), Standing(mount=2, device=8, inode=9, is_folder=True)
    for standing, reason in ((FOLDER, Reason.REPLACED), (mounted, Reason.MOUNT)):
        assert changes_between(there, Survey({}, {b"/data": FOLDER, b"/data/in": standing}, {})).missed == ((b"/data/in", reason),)


def test_what_has_become_of_mounts() -> None:
    before, after = Survey({}, {}, {b"/gone": 1, b"/same": 2, b"/other": 3}), Survey({}, {}, {b"/same": 2, b"/other": 4, b"/new": 5})
    assert changes_between(before, after).missed == ((b"/gone", Reason.MOUNT), (b"/new", Reason.MOUNT), (b"/other", Reason.MOUNT))


def test_a_root_behind_a_link_is_refused_with_its_real_path(tmp_path: Path) -> None:
    (tmp_path / "real/root").mkdir(parents=True)
    (tmp_path / "link").symlink_to("real")
    behind = os.fsencode(tmp_path / "link/root")
    assert real_path(behind) == os.fsencode(tmp_path / "real/root")
    assert real_path(b"/") == b"/"
    with pytest.raises(UsageError) as caught:
        open_watch(WatchRequest(roots=(behind,)))
    assert str(tmp_path / "real/root") in caught.value.hint
