"""The comparison sees every single difference, and none where there is none."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from holdfast.host.compare import compare_trees
from holdfast.testing.odd_tree import build_odd_tree

Change = Callable[[Path], object]


def _keep_time(path: Path, change: Callable[[], object]) -> None:
    found = path.lstat()
    change()
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns), follow_symlinks=False)


def _flip_last(root: Path) -> None:
    path = root / "plain"
    data = path.read_bytes()
    _keep_time(path, lambda: path.write_bytes(data[:-1] + b"X"))


def _unlink_and_copy(root: Path) -> None:
    found = root.stat()
    shutil.copy2(root / "zz-hard", root / "copy")
    (root / "copy").rename(root / "zz-hard")
    os.chown(root / "zz-hard", 1000, 1001)
    os.utime(root, ns=(0, found.st_mtime_ns))


def _fill_hole(root: Path) -> None:
    path = root / "all-hole"
    _keep_time(path, lambda: path.write_bytes(bytes(300_000)))


CHANGES: list[tuple[str, Change]] = [
    ("mode", lambda root: (root / "plain").chmod(0o600)),
    ("owner", lambda root: os.chown(root / "empty", 5, 5)),
    ("mtime", lambda root: os.utime(root / "empty", ns=(0, 1))),
    ("mtime", lambda root: os.utime(root / "link", ns=(0, 1), follow_symlinks=False)),
    ("content", _flip_last),
    ("size", lambda root: _keep_time(root / "a-b", lambda: (root / "a-b").write_bytes(b"short"))),
    ("xattr user.note", lambda root: os.setxattr(root / "plain", "user.note", b"other")),
    ("xattr user.new", lambda root: os.setxattr(root / "empty", "user.new", b"other")),
    ("xattr system.posix_acl_access", lambda root: subprocess.run(["setfacl", "-x", "u:1234", str(root / "acl")], check=True)),
    ("missing", lambda root: (root / "empty").unlink()),
    ("missing", lambda root: (root / "extra").write_bytes(b"")),
    ("hard links", _unlink_and_copy),
    ("holes", _fill_hole),
]


@pytest.mark.parametrize(("what", "change"), CHANGES)
def test_each_difference_is_seen(tmp_path: Path, what: str, change: Change) -> None:
    build_odd_tree(tmp_path / "a")
    subprocess.run(["cp", "-a", "--sparse=auto", str(tmp_path / "a"), str(tmp_path / "b")], check=True)
    assert list(compare_trees(tmp_path / "a", tmp_path / "b", ignore_holes=False)) == []
    change(tmp_path / "b")
    seen = {difference.what for difference in compare_trees(tmp_path / "a", tmp_path / "b", ignore_holes=False)}
    assert what in seen
    assert seen <= {what, "mtime", "mode"}


def test_kind_target_and_device(tmp_path: Path) -> None:
    for name, target in (("a", "x"), ("b", "y")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "link").symlink_to(target)
        os.mknod(tmp_path / name / "dev", 0o020600, os.makedev(1, 3 if name == "a" else 5))
    (tmp_path / "a" / "kind").mkdir()
    (tmp_path / "b" / "kind").write_bytes(b"")
    seen = {(d.path, d.what) for d in compare_trees(tmp_path / "a", tmp_path / "b") if d.what != "mtime"}
    assert seen == {(b"link", "link target"), (b"dev", "device"), (b"kind", "kind")}
    assert all(str(d) for d in compare_trees(tmp_path / "a", tmp_path / "b"))


def test_a_hundred_megabytes_within_a_second(tmp_path: Path) -> None:
    block = os.urandom(1 << 20)
    for name in ("a", "b"):
        with (tmp_path / name).open("wb") as file:
            for _ in range(100):
                file.write(block)
        os.utime(tmp_path / name, ns=(1, 1))
    started = time.process_time()
    assert list(compare_trees(tmp_path / "a", tmp_path / "b")) == []
    assert time.process_time() - started < 1
