"""Trees for data-flow tests."""

from __future__ import annotations

import os
import random
import stat
from pathlib import Path

from holdfast.host.compare import compare_trees
from holdfast.testing.odd_tree import build_odd_tree


def differences(a: Path, b: Path) -> list[str]:
    """What differs, for people; empty = equal in every byte and attribute."""
    return [str(difference) for difference in compare_trees(a, b)]


def grow(root: Path, seed: int = 1, files: int = 40) -> None:
    """A tree of files of all sizes, with everything awkward in its folder `odd`; the same for the same seed."""
    chance = random.Random(seed)
    root.mkdir(parents=True)
    for number in range(files):
        folder = root / f"d{number % 7}" / f"e{number % 3}"
        folder.mkdir(parents=True, exist_ok=True)
        size = chance.choice((0, 10, 3_000, 70_000, 700_000))
        (folder / f"f{number}").write_bytes(chance.randbytes(size))
    (root / "large").write_bytes(chance.randbytes(11_000_000))
    (root / "text").write_text("the same line again and again\n" * 20_000)
    (root / "tool").write_bytes(b"#!/bin/sh\n")
    for number, path in enumerate(sorted(root.rglob("*"), reverse=True)):
        moment = 1_700_000_000_123_456_789 + number * 1_000_000_007
        os.utime(path, ns=(moment, moment))
    build_odd_tree(root / "odd")


def total_bytes(root: Path) -> int:
    """Content bytes a capture has to read: each inode once, as the file says its size is."""
    inodes = {(s.st_dev, s.st_ino): s.st_size for s in (p.lstat() for p in root.rglob("*")) if stat.S_ISREG(s.st_mode)}
    return sum(inodes.values())
