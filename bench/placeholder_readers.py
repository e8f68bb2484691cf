"""How programs read a file, for `bench.placeholder`: each says what it got."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

CONTENT = random.Random(57).randbytes(3 << 20)
_LIMIT_S = 30.0
_READ = "sys.stdout.buffer.write(open(path, 'rb').read())"
_MAP = "sys.stdout.buffer.write(mmap.mmap(os.open(path, os.O_RDONLY), 0, prot=mmap.PROT_READ))"
# A byte that is there already: what is right stays right.
_CHANGE = "file = os.open(path, os.O_RDWR); os.pwrite(file, bytes([int(sys.argv[2])]), 5000); os.close(file)"
_PROGRAM = """import mmap, os, sys
path = sys.argv[1]
try:
    {}
except OSError as error:
    sys.exit(error.strerror)
"""


@dataclass(frozen=True)
class Placed:
    """The file; the root of its file system and the image that this is in; `mark`: from now on who opens or reads it is asked for."""

    path: Path
    root: Path
    image: Path
    mark: Callable[[], None]


def read_elsewhere(path: Path, code: str = _READ) -> subprocess.Popen[bytes]:
    """Another program reads it."""
    command = [sys.executable, "-c", _PROGRAM.format(code), str(path), str(CONTENT[5000])]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def judge(reader: subprocess.Popen[bytes]) -> str:
    try:
        output, problem = reader.communicate(timeout=_LIMIT_S)
    except subprocess.TimeoutExpired:
        reader.kill()
        return "waits for ever"
    if reader.returncode < 0:
        return f"killed by signal {-reader.returncode}"
    return f"error: {problem.decode().strip()[-70:]}" if reader.returncode else _verdict(output)


def _verdict(got: bytes) -> str:
    if got == CONTENT:
        return "right"
    return "wrong bytes" if any(got) else f"ZEROS ({len(got):,} bytes)"


def _read(place: Placed) -> str:
    return judge(read_elsewhere(place.path))


def _mapped(place: Placed) -> str:
    return judge(read_elsewhere(place.path, _MAP))


def _changed(place: Placed) -> str:
    return judge(read_elsewhere(place.path, f"{_CHANGE}; {_READ}"))


def _run(command: Sequence[str | Path]) -> str:
    return judge(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE))


def _copied(*command: str) -> Callable[[Placed], str]:
    def copy(place: Placed) -> str:
        target = place.path.with_suffix(".copy")
        made = subprocess.run([*command, place.path, target], capture_output=True, check=False)
        return f"error: {made.stderr.decode().strip()[-70:]}" if made.returncode else _run(["cat", target])

    return copy


def _packed(*options: str) -> Callable[[Placed], str]:
    def pack(place: Placed) -> str:
        script = 'set -o pipefail; tar -c "$@" | tar -xO'
        return _run(["bash", "-c", script, "tar", *options, "-C", place.root, place.path.name])

    return pack


def _device(place: Placed) -> str:
    made = subprocess.run(["losetup", "-rf", "--show", place.path], capture_output=True, check=False, text=True)
    if made.returncode:
        return f"error: {made.stderr.strip()[-70:]}"
    try:
        return _run(["cat", made.stdout.strip()])
    finally:
        subprocess.run(["losetup", "-d", made.stdout.strip()], check=True)


def _overlay(code: str) -> Callable[[Placed], str]:
    def look(place: Placed) -> str:
        base = place.path.with_suffix(".overlay")
        lower, upper, work, merged = (base / name for name in ("lower", "upper", "work", "merged"))
        for folder in (lower, upper, work, merged):
            folder.mkdir(parents=True)
        os.link(place.path, lower / "file")
        options = f"lowerdir={lower},upperdir={upper},workdir={work}"
        subprocess.run(["mount", "-t", "overlay", "probe", "-o", options, merged], check=True)
        try:
            return judge(read_elsewhere(merged / "file", code))
        finally:
            subprocess.run(["umount", merged], check=True)

    return look


def _snapshot(place: Placed) -> str:
    copy = place.root / "snapshot"
    subprocess.run(["btrfs", "-q", "subvolume", "snapshot", "-r", place.root, copy], check=True)
    try:
        return judge(read_elsewhere(copy / place.path.name))
    finally:
        subprocess.run(["btrfs", "-q", "subvolume", "delete", copy], check=True, stdout=subprocess.DEVNULL)


def _opened_before(place: Placed) -> str:
    """A program that was started while nobody was there to be asked."""
    opened = "file = os.open(path, os.O_RDONLY); print(flush=True, file=sys.stderr); sys.stdin.read(1)"
    code = f"{opened}; sys.stdout.buffer.write(os.pread(file, {len(CONTENT)}, 0))"
    command = [sys.executable, "-c", _PROGRAM.format(code), str(place.path)]
    pipe = subprocess.PIPE
    reader = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe)
    assert reader.stderr is not None
    reader.stderr.readline()
    place.mark()
    return judge(reader)


def _remounted(place: Placed) -> str:
    """The file system was taken away and came back; the one who is asked goes on living."""
    subprocess.run(["umount", place.root], check=True)
    subprocess.run(["mount", "-o", "loop", place.image, place.root], check=True)
    return _read(place)


READERS: dict[str, Callable[[Placed], str]] = {
    "read": _read,
    "mmap": _mapped,
    "cp": _copied("cp"),
    "cp -a": _copied("cp", "-a"),
    "rsync": _copied("rsync", "-a"),
    "tar": _packed(),
    "tar -S": _packed("-S"),
    "loop device": _device,
    "overlay": _overlay(_READ),
    "overlay mmap": _overlay(_MAP),
    "snapshot": _snapshot,
    "change a byte": _changed,
    "opened-before": _opened_before,
    "remounted": _remounted,
}
