"""The files to be backed up. Each corpus is built on the spot from a fixed seed, so that every machine and every contender gets the same.

kernel      Debian's Linux source: some 80,000 small files, 1.3 GB
image       one file of 4 GiB, a third of it random, a third like a log, a third of hex digits; an edit writes 1 % of it anew, in place
million     1,000,000 files of 0 to 4 KiB
lines       20,000 files of text; an edit changes 0.1 % of them
"""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from holdfast.cli.demo.data import edit_data

_KEPT = Path(__file__).resolve().parent.parent / ".bench"
_TARBALLS = Path("/usr/src")
_MIB = 1 << 20
_FILES_PER_FOLDER = 1_000
_EDIT_BYTES = 64 << 10


@dataclass(frozen=True)
class Corpus:
    """`build(target)` makes the folder; `edit(target, number)` makes the number-th change to it."""

    name: str
    build: Callable[[Path], None]
    edit: Callable[[Path, int], None]


def corpora() -> dict[str, Corpus]:
    return {
        "kernel": Corpus("kernel", _build_kernel, lambda folder, _: _edit_some(folder)),
        "image": Corpus("image", lambda folder: _build_image(folder, 4096), _edit_image),
        "million": Corpus("million", lambda folder: _build_many(folder, 1_000_000), _edit_files),
        "lines": Corpus("lines", lambda folder: _build_many(folder, 20_000), _edit_files),
    }


def folder_corpus(source: Path) -> Corpus:
    """A copy of somebody's own files."""
    return Corpus(str(source), lambda target: _copy(source.resolve(), target), lambda folder, _: _edit_some(folder))


def _build_kernel(target: Path) -> None:
    tarball = next(iter(sorted(_TARBALLS.glob("linux-source-*.tar.xz"))), None)
    if tarball is None:
        raise SystemExit("no /usr/src/linux-source-*.tar.xz: apt-get install linux-source, or give --folder")
    # Unpacked once and kept, because that takes longer than most of what is measured.
    folder = _KEPT / tarball.name.removesuffix(".tar.xz")
    if not folder.is_dir():
        _KEPT.mkdir(exist_ok=True)
        subprocess.run(["tar", "-xf", str(tarball), "-C", str(_KEPT)], check=True)
    _copy(folder, target)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "-a", "--reflink=auto", "--", str(source), str(target)], check=True)


def _edit_some(folder: Path) -> None:
    edit_data(folder)


@lru_cache(maxsize=2)
def _pool(seed: int) -> bytes:
    """4 MB of words of a made-up language."""
    chance = random.Random(seed)
    words = ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz_", k=chance.randint(2, 12))) for _ in range(6_000)]
    return " ".join(chance.choices(words, k=600_000)).encode()


def _build_image(folder: Path, size_mib: int) -> None:
    chance = random.Random(1)
    pool = _pool(1)
    folder.mkdir(parents=True)
    with (folder / "disk.img").open("wb") as file:
        for number in range(size_mib):
            file.write((_random_mib, _hex_mib, _log_mib)[number % 3](chance, pool))


def _random_mib(chance: random.Random, _: bytes) -> bytes:
    return chance.randbytes(_MIB)


def _hex_mib(chance: random.Random, _: bytes) -> bytes:
    return chance.randbytes(_MIB // 2).hex().encode()


def _log_mib(chance: random.Random, pool: bytes) -> bytes:
    starts = [chance.randrange(len(pool) - 256) for _ in range(_MIB // 256)]
    return b"".join(pool[start : start + 256] for start in starts)


def _edit_image(folder: Path, number: int) -> None:
    """1 % of the bytes anew, in ranges of 64 KiB spread over the file."""
    chance = random.Random(1_000 + number)
    path = folder / "disk.img"
    size = path.stat().st_size
    with path.open("r+b") as file:
        for _ in range(size // 100 // _EDIT_BYTES):
            file.seek(chance.randrange(size - _EDIT_BYTES))
            file.write(chance.randbytes(_EDIT_BYTES))


def _build_many(folder: Path, count: int) -> None:
    chance = random.Random(2)
    pool = _pool(1)
    for number in range(count):
        if number % _FILES_PER_FOLDER == 0:
            (folder / f"folder{number // _FILES_PER_FOLDER:04}").mkdir(parents=True)
        _write(_nth(folder, number), _some_text(chance, pool))


def _edit_files(folder: Path, number: int) -> None:
    """0.1 % of the files get other content."""
    chance = random.Random(2_000 + number)
    pool = _pool(3)
    count = sum(1 for _ in folder.iterdir()) * _FILES_PER_FOLDER
    for chosen in chance.sample(range(count), max(1, count // 1_000)):
        _write(_nth(folder, chosen), _some_text(chance, pool))


def _nth(folder: Path, number: int) -> str:
    return f"{folder}/folder{number // _FILES_PER_FOLDER:04}/file{number:07}.txt"


def _some_text(chance: random.Random, pool: bytes) -> bytes:
    start = chance.randrange(len(pool) - 4096)
    return pool[start : start + chance.randint(0, 4096)]


def _write(path: str, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.write(descriptor, content)
    os.close(descriptor)
