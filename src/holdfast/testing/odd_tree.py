"""A small tree with one of everything that Linux allows and backup programs get wrong."""

from __future__ import annotations

import os
import stat
import struct
from pathlib import Path

_UNDEFINED = 0xFFFFFFFF


def access_acl(*, user: int, permissions: int) -> bytes:
    """A POSIX ACL as its extended attribute (version 2): owner rw-, one named user, group r--, mask rw-, other ---."""
    entries = [(0x01, 6, _UNDEFINED), (0x02, permissions, user), (0x04, 4, _UNDEFINED), (0x10, 6, _UNDEFINED), (0x20, 0, _UNDEFINED)]
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


def build_odd_tree(root: Path) -> None:
    """Fills `root`, which must not exist. Owners, devices, trusted attributes only as root."""
    root.mkdir()
    top = os.fsencode(root)
    (root / "empty-folder").mkdir()
    (root / "empty").write_bytes(b"")
    (root / "plain").write_bytes(b"plain content\n" * 700)
    (root / "a-b").write_bytes(b"sorts around a folder named a")
    (root / "a").mkdir()
    (root / "a" / "b").write_bytes(b"inside")
    _write(top + b"/not-utf8-\xff\xfe", b"name")
    _write(top + b"/line\nbreak", b"name")
    _write(top + b"/" + b"n" * 255, b"long name")
    _links(top)
    _sparse(root)
    _attributes(root)
    deep = root
    for level in range(40):
        deep = deep / f"level{level}"
    deep.mkdir(parents=True)
    (deep / "bottom").write_bytes(b"forty down")
    if os.geteuid() == 0:
        _as_root(root)
    os.utime(root / "plain", ns=(1_600_000_000_123_456_789, 1_600_000_000_987_654_321))
    os.utime(root / "a", ns=(1, 2))
    os.utime(root, ns=(1_500_000_000_000_000_001, 1_500_000_000_000_000_002))


def _write(path: bytes, data: bytes) -> None:
    with open(path, "wb") as file:
        file.write(data)


def _links(top: bytes) -> None:
    os.link(top + b"/plain", top + b"/a/hard")
    os.link(top + b"/plain", top + b"/zz-hard")
    os.symlink(b"plain", top + b"/link")
    os.symlink(b"/does/not/exist", top + b"/dangling")
    os.symlink(b"loop", top + b"/loop")
    os.symlink(b"target-\xff", top + b"/link-not-utf8")
    os.mkfifo(top + b"/fifo", 0o640)
    os.utime(top + b"/link", ns=(3, 1_234_567_890_000_000_017), follow_symlinks=False)


def _sparse(root: Path) -> None:
    with (root / "sparse").open("wb") as file:
        file.truncate(1 << 20)
        file.seek(256 << 10)
        file.write(b"island")
    with (root / "all-hole").open("wb") as file:
        file.truncate(300_000)
    (root / "zeros").write_bytes(bytes(20_000))


def _attributes(root: Path) -> None:
    (root / "setuid").write_bytes(b"#!")
    os.setxattr(root / "plain", "user.note", b"binary \x00\xff")
    os.setxattr(root / "a", "user.folder", b"")
    (root / "acl").write_bytes(b"acl")
    os.setxattr(root / "acl", "system.posix_acl_access", access_acl(user=1234, permissions=6))
    (root / "inherits").mkdir()
    os.setxattr(root / "inherits", "system.posix_acl_default", access_acl(user=1234, permissions=4))
    (root / "inherits" / "with-acl").write_bytes(b"")
    (root / "inherits" / "without-acl").write_bytes(b"")
    os.removexattr(root / "inherits" / "without-acl", "system.posix_acl_access")
    (root / "inherits" / "without-acl").chmod(0o604)
    (root / "setuid").chmod(0o4751)


def _as_root(root: Path) -> None:
    (root / "unreadable").mkdir(0o000)
    os.chown(root / "plain", 1000, 1001)
    os.lchown(root / "link", 1002, 1003)
    os.chown(root / "a", 7, 8)
    os.mknod(root / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    os.mknod(root / "block", stat.S_IFBLK | 0o600, os.makedev(7, 99))
    os.setxattr(root / "a-b", "trusted.mark", b"t")
    os.setxattr(root / "link", "trusted.link", b"t", follow_symlinks=False)
    os.chown(root / "setuid", 1000, 0)
    (root / "setuid").chmod(0o6755)
