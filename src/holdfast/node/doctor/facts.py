"""What the kernel, the disks and the files of this machine say. Nothing here raises for what is not there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from holdfast.core.clock import Clock
from holdfast.host import btrfs
from holdfast.host.disk import free_bytes
from holdfast.host.watch import syscalls
from holdfast.host.watch.mounts import mount_of, mounts_now

# linux/capability.h.
CAPABILITIES = {0: "CAP_CHOWN", 1: "CAP_DAC_OVERRIDE", 2: "CAP_DAC_READ_SEARCH", 3: "CAP_FOWNER", 21: "CAP_SYS_ADMIN", 27: "CAP_MKNOD"}
_COUNTING_S = 4.0
_REFLINKS = frozenset({"btrfs", "xfs", "bcachefs", "zfs"})


def missing_capabilities() -> tuple[str, ...]:
    """Of what a node uses, what this process may not (proc(5), `CapEff`)."""
    held = 0
    with suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/self/status").read_text().splitlines()
        held = int(next(line.split()[1] for line in lines if line.startswith("CapEff:")), 16)
    return tuple(name for number, name in CAPABILITIES.items() if not held >> number & 1)


def fanotify_refusal() -> str:
    """Why the kernel gives no queue for whole file systems; empty = it does."""
    try:
        os.close(syscalls.fanotify_init(syscalls.FAN_CLOEXEC | syscalls.FAN_REPORT_DFID_NAME_TARGET))
    except OSError as error:
        return os.strerror(error.errno or 0)
    return ""


def number_in(path: str) -> int:
    """The number a file of /proc/sys holds; 0 when it does not."""
    with suppress(OSError, ValueError):
        return int(Path(path).read_text())
    return 0


def count_folders(roots: Iterable[str], most: int, clock: Clock) -> int:
    """Folders at and below the roots, at most `most`, and only what four seconds find."""
    until_s, count, waiting = clock.monotonic_s() + _COUNTING_S, 0, list(roots)
    while waiting and count < most and clock.monotonic_s() < until_s:
        count += 1
        with suppress(OSError), os.scandir(waiting.pop()) as listing:
            waiting += [item.path for item in listing if item.is_dir(follow_symlinks=False)]
    return count


def space_at(path: str) -> tuple[int, int] | None:
    """Free and all bytes of the file system a path is, or would be, on; None where it cannot be told."""
    place = os.path.realpath(path)
    while not os.path.exists(place) and place != "/":
        place = os.path.dirname(place)
    with suppress(OSError):
        status = os.statvfs(place)
        return free_bytes(place), status.f_blocks * status.f_frsize
    return None


def memory() -> tuple[int, int]:
    """Available and all memory in bytes (proc(5), `meminfo`); zeros where it cannot be told."""
    found = {}
    with suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            found[line.split(":")[0]] = int(line.split()[1]) * 1024
    return found.get("MemAvailable", 0), found.get("MemTotal", 0)


def file_system_of(path: str) -> tuple[str, bool, bool]:
    """Kind, whether a snapshot of it can be taken, whether files can share content; the kind is empty where the path is not there."""
    raw = os.path.realpath(os.fsencode(path))
    mount = mount_of(raw, mounts_now()) if os.path.exists(raw) else None
    if mount is None:
        return "", False, False
    return mount.kind, mount.kind == "btrfs" and btrfs.subvolume_of(raw) is not None, mount.kind in _REFLINKS


def has_fuse() -> tuple[bool, bool]:
    """Whether the kernel's device is there, and whether the program that unmounts is."""
    return os.path.exists("/dev/fuse"), shutil.which("fusermount3") is not None


def kernel_release() -> tuple[str, tuple[int, int]]:
    """As `uname -r` says it, and its first two numbers."""
    release = os.uname().release
    numbers = [int(part) for part in release.split("-")[0].split(".")[:2] if part.isdecimal()]
    return release, (numbers[0], numbers[1]) if len(numbers) == 2 else (0, 0)
