"""The files to be backed up: Debian's Linux source (some 80,000 small files, 1.3 GB), a folder, or generated ones."""

from __future__ import annotations

import os
import random
import subprocess
from dataclasses import dataclass
from pathlib import Path

_KEPT = Path(__file__).resolve().parent.parent / ".bench"
_TARBALLS = Path("/usr/src")
_FILES_PER_FOLDER = 16
_POOL_BYTES = 4 << 20
_MEAN_LOG, _DEVIATION_LOG = 8.7, 1.35
_LARGEST_BYTES = 2 << 20


@dataclass(frozen=True)
class Corpus:
    name: str
    files: int
    bytes: int


def copy_corpus(which: str, target: Path) -> Corpus:
    """`which`: `kernel`, `generated:COUNT`, a folder, or `auto`: the kernel if Debian's package linux-source is there, else generated."""
    tarball = next(iter(sorted(_TARBALLS.glob("linux-source-*.tar.xz"))), None)
    if which == "auto":
        which = "kernel" if tarball is not None else "generated:80000"
    if which.startswith("generated"):
        _generate(target, int(which.partition(":")[2] or 80_000))
    elif which == "kernel":
        if tarball is None:
            raise SystemExit("no /usr/src/linux-source-*.tar.xz: apt-get install linux-source, or give another --corpus")
        _copy(_unpacked(tarball).resolve(), target)
    else:
        _copy(Path(which).resolve(), target)
    sizes = [path.lstat().st_size for path in target.rglob("*") if path.is_file() and not path.is_symlink()]
    return Corpus(which, len(sizes), sum(sizes))


def _unpacked(tarball: Path) -> Path:
    """Unpacked once and kept, because that takes longer than most of what is measured."""
    folder = _KEPT / tarball.name.removesuffix(".tar.xz")
    if not folder.is_dir():
        _KEPT.mkdir(exist_ok=True)
        subprocess.run(["tar", "-xf", str(tarball), "-C", str(_KEPT)], check=True)
    return folder


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "-a", "--reflink=auto", "--", str(source), str(target)], check=True)


def _generate(target: Path, count: int) -> None:
    """Text of a small vocabulary, the same on every machine; sizes are log-normal, some 6 kB in the middle and 15 kB on average."""
    chance = random.Random(1)
    words = ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz_", k=chance.randint(2, 12))) for _ in range(6_000)]
    pool = " ".join(chance.choices(words, k=_POOL_BYTES // 7)).encode()
    for number in range(count):
        folder = target / f"part{number // 1600:03}" / f"folder{number // _FILES_PER_FOLDER:05}"
        if number % _FILES_PER_FOLDER == 0:
            folder.mkdir(parents=True)
        size = min(int(chance.lognormvariate(_MEAN_LOG, _DEVIATION_LOG)), _LARGEST_BYTES)
        start = chance.randrange(len(pool) - size)
        descriptor = os.open(folder / f"file{number:06}.txt", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        os.write(descriptor, pool[start : start + size])
        os.close(descriptor)
