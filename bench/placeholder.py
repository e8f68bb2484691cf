"""Try files whose content was moved away and is to be brought back when they are opened: `python -m bench.placeholder`.

`--systems btrfs` for one of ext4, xfs and btrfs. As root, on file systems of its own in files below `--folder`; half a minute.
What came of it is in docs/decisions/0057-no-placeholders.md.

Two ways in which the content is away: `hole` (its blocks are punched, size and times stay) and, on btrfs, `undecodable` (extents that are
marked as compressed and cannot be decompressed). Four ways of being asked for it: `nobody`, at each open (`open`: FAN_OPEN_PERM), at each
access (`access`: FAN_PRE_ACCESS), and `both`. A reader ends with the right bytes, an error, zeros, or other wrong bytes.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from bench.placeholder_kernel import OPEN_PERM, PRE_ACCESS, Group, drain, undecodable
from bench.placeholder_readers import CONTENT, READERS, Placed, judge, read_elsewhere

MANNERS = {"nobody": 0, "open": OPEN_PERM, "access": PRE_ACCESS, "both": OPEN_PERM | PRE_ACCESS}
_LONG_AGO_S = 1_000_000_000
_DESCRIPTORS = 1024
_BACK = "user.back"


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.placeholder", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--systems", nargs="+", default=["ext4", "xfs", "btrfs"], choices=["ext4", "xfs", "btrfs"])
    parser.add_argument("--manners", nargs="+", default=list(MANNERS), choices=MANNERS)
    parser.add_argument("--readers", nargs="+", default=list(READERS), choices=READERS)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        for system in options.systems:
            with mounted(system, Path(folder)) as root:
                for manner in ["hole", "undecodable"] if system == "btrfs" else ["hole"]:
                    _readers(system, root, manner, options)
                    _responders(system, root, manner)


@contextmanager
def mounted(system: str, folder: Path) -> Iterator[Path]:
    image, root = folder / f"{system}.img", folder / system
    root.mkdir()
    with image.open("wb") as file:
        file.truncate(400 << 20)
    subprocess.run([f"mkfs.{system}", "-q", image], check=True, stderr=subprocess.DEVNULL)
    subprocess.run(["mount", "-o", "loop", image, root], check=True)
    try:
        yield root
    finally:
        subprocess.run(["umount", root], check=True)


def put_away(path: Path, manner: str) -> None:
    """A file with content, which then is not there; size and times are."""
    path.write_bytes(CONTENT)
    os.utime(path, (_LONG_AGO_S, _LONG_AGO_S))
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
        undecodable(descriptor) if manner == "undecodable" else drain(descriptor)
        os.utime(descriptor, (_LONG_AGO_S, _LONG_AGO_S))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    found = path.stat()
    assert (found.st_size, found.st_mtime) == (len(CONTENT), _LONG_AGO_S)


def _readers(system: str, root: Path, away: str, options: argparse.Namespace) -> None:
    for asked in options.manners:
        print(f"\n{system}, {away}, asked: {asked}", flush=True)
        for name in options.readers:
            if name == "snapshot" and system != "btrfs":
                continue
            path = root / f"{away}-{asked}-{name.replace(' ', '-')}"
            put_away(path, away)
            with Group() as group:
                place = Placed(path, root, root.with_suffix(".img"), partial(group.mark, path, MANNERS[asked]))
                if name != "opened-before":
                    place.mark()
                with _child(partial(_fill_all, group)):
                    print(f"  {name:14} {READERS[name](place)}", flush=True)
            subprocess.run(["rm", "-rf", *root.glob(f"{path.name}*")], check=True)


def _fill_all(group: Group) -> None:
    """Bring the content back whenever anybody asks, once. Written through the event's own descriptor, which raises no event; by
    truncating it this would wait for itself, since the kernel asks for the path then."""
    while True:
        for event in group.events():
            if _BACK not in os.listxattr(event):
                _fill(event, len(CONTENT))
            group.allow(event)


def _fill(descriptor: int, size_bytes: int) -> None:
    os.pwrite(descriptor, CONTENT[:size_bytes], 0)
    os.fsync(descriptor)
    os.utime(descriptor, (_LONG_AGO_S, _LONG_AGO_S))
    os.setxattr(descriptor, _BACK, b"")


def _responders(system: str, root: Path, away: str) -> None:
    """What a reader gets that waits while who answers is killed."""
    print(f"\n{system}, {away}, who answers is killed while a reader waits", flush=True)
    for heir in ("none", "denies"):
        for half in (0, len(CONTENT) // 2):
            path = root / f"killed-{away}-{heir}-{half}"
            put_away(path, away)
            print(f"  written {half:8}, second holder {heir:7} {_killed(path, heir, half)}", flush=True)


def _killed(path: Path, heir: str, half: int) -> str:
    with Group() as group:
        group.mark(path, OPEN_PERM | PRE_ACCESS)
        told, tell = os.pipe()
        with _child(partial(_begin, group, half, tell)):
            reader = read_elsewhere(path)
            os.read(told, 1)
        started_s = time.monotonic()
        if heir == "denies":
            # The number of the descriptor that the dead one had is not known here; all that it may be are answered.
            for number in range(_DESCRIPTORS):
                group.deny(number)
        else:
            group.close()
        return f"{judge(reader)} after {(time.monotonic() - started_s) * 1e3:.0f} ms"


def _begin(group: Group, half: int, tell: int) -> None:
    for event in group.events():
        _fill(event, half)
        os.write(tell, b"x")
    signal.pause()


@contextmanager
def _child(work: Callable[[], None]) -> Iterator[None]:
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(1)
    try:
        yield
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


if __name__ == "__main__":
    main()
