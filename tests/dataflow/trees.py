"""Trees for data-flow tests, and a complete picture of one for comparing."""

from __future__ import annotations

import hashlib
import os
import random
import stat
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Look:
    """All of one path that a copy must keep. `twin` is the first name (in order) of the same inode."""

    mode: int
    uid: int
    gid: int
    mtime_ns: int
    size: int
    digest: str
    target: bytes
    rdev: int
    xattrs: tuple[tuple[str, bytes], ...]
    twin: bytes


def picture(root: Path) -> dict[bytes, Look]:
    """Relative path (empty = the root itself) -> look. Side folders of mirrors are not part of a tree."""
    base = os.fsencode(root)
    found: dict[bytes, Look] = {}
    twins: dict[tuple[int, int], bytes] = {}
    paths = [base]
    for folder, names, files in os.walk(base):
        paths += [os.path.join(folder, name) for name in names + files]
    for path in sorted(paths):
        relative = os.path.relpath(path, base) if path != base else b""
        status = os.lstat(path)
        regular = stat.S_ISREG(status.st_mode)
        twin = twins.setdefault((status.st_dev, status.st_ino), relative) if regular else relative
        found[relative] = Look(
            mode=status.st_mode,
            uid=status.st_uid,
            gid=status.st_gid,
            mtime_ns=status.st_mtime_ns,
            size=status.st_size if regular else 0,
            digest=_digest(path) if regular else "",
            target=os.readlink(path) if stat.S_ISLNK(status.st_mode) else b"",
            rdev=status.st_rdev,
            xattrs=tuple(
                (name, os.getxattr(path, name, follow_symlinks=False)) for name in sorted(os.listxattr(path, follow_symlinks=False))
            ),
            twin=twin,
        )
    return found


def differences(a: Path, b: Path) -> list[str]:
    """What differs, for people; empty = equal in every byte and attribute."""
    left, right = picture(a), picture(b)
    lines = [f"only in {a}: {path!r}" for path in sorted(left.keys() - right.keys())]
    lines += [f"only in {b}: {path!r}" for path in sorted(right.keys() - left.keys())]
    lines += [f"{path!r}: {left[path]} != {right[path]}" for path in sorted(left.keys() & right.keys()) if left[path] != right[path]]
    return lines


def grow(root: Path, seed: int = 1, files: int = 40) -> None:
    """A small tree with everything awkward in it; the same for the same seed."""
    chance = random.Random(seed)
    root.mkdir(parents=True)
    for number in range(files):
        folder = root / f"d{number % 7}" / f"e{number % 3}"
        folder.mkdir(parents=True, exist_ok=True)
        size = chance.choice((0, 10, 3_000, 70_000, 700_000))
        (folder / f"f{number}").write_bytes(chance.randbytes(size))
    base = os.fsencode(root)
    with open(base + b"/\xff\xfe not utf-8\n newline", "wb") as file:
        file.write(b"odd name")
    os.link(base + b"/d0/e0/f0", base + b"/d1/hard")
    os.symlink(b"../nowhere/\xff", base + b"/d1/dangling")
    os.symlink(b"e0", base + b"/d0/inside")
    os.mkfifo(base + b"/fifo")
    (root / "empty").mkdir()
    with (root / "sparse").open("wb") as file:
        file.write(b"start")
        file.seek(3_000_000)
        file.write(b"end")
    (root / "large").write_bytes(chance.randbytes(11_000_000))
    (root / "text").write_text("the same line again and again\n" * 20_000)
    (root / "tool").write_bytes(b"#!/bin/sh\n")
    (root / "tool").chmod(0o4750)
    os.setxattr(base + b"/text", "user.note", b"\x00binary")
    if os.geteuid() == 0:
        os.mknod(base + b"/null", stat.S_IFCHR | 0o640, os.makedev(1, 3))
        os.chown(base + b"/tool", 1234, 4321)
    for number, path in enumerate(sorted(root.rglob("*"), reverse=True)):
        moment = 1_700_000_000_123_456_789 + number * 1_000_000_007
        os.utime(path, ns=(moment, moment), follow_symlinks=False)


def total_bytes(root: Path) -> int:
    """Content bytes a capture has to read: each inode once, as the file says its size is."""
    inodes = {(s.st_dev, s.st_ino): s.st_size for s in (p.lstat() for p in root.rglob("*")) if stat.S_ISREG(s.st_mode)}
    return sum(inodes.values())


def _digest(path: bytes) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
