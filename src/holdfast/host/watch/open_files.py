"""Files that are being written without a fact for each change: held open for writing, or mapped writable and shared.

Stores into a mapping make no event until it is given up, and a program that keeps a file open makes events, but never a last one. Both are
found in /proc (proc(5)): the descriptors and the mappings of every process that may be looked at.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from holdfast.core.clock import Clock
from holdfast.host.watch.territory import Territory

_FLAGS = re.compile(rb"^flags:\s*([0-7]+)", re.M)
# address, permissions, offset, device, inode, path
_MAPPING = re.compile(rb"^\S+ .w.s \S+ \S+ (\d+) +(/.*)$", re.M)


@dataclass(frozen=True, slots=True)
class Suspects:
    """`open_files` and `mapped_files`: paths in the territory. `complete`: every process was looked at since the last complete answer;
    if not, the next call goes on where this one stopped. `hidden`: processes that this user may not look into.
    """

    open_files: frozenset[bytes]
    mapped_files: frozenset[bytes]
    complete: bool
    hidden: int


class OpenFiles:
    """Looks through the processes, each call for at most `budget_s` and at one process at least. The period is the caller's.

    About 1 ms for a process with a hundred descriptors; its mappings cost as much again.
    """

    def __init__(self, territory: Territory, clock: Clock, budget_s: float = 0.05) -> None:
        self._territory = territory
        self._clock = clock
        self._budget_s = budget_s
        self._last = 0

    def suspects(self) -> Suspects:
        end_s = self._clock.monotonic_s() + self._budget_s
        opened: set[bytes] = set()
        mapped: set[bytes] = set()
        hidden = 0
        processes = sorted(int(name) for name in os.listdir("/proc") if name.isdecimal())
        for pid in [pid for pid in processes if pid > self._last]:
            try:
                opened.update(self._opened_by(pid))
                mapped.update(self._mapped_by(pid))
            except (FileNotFoundError, ProcessLookupError):
                pass
            except PermissionError:
                hidden += 1
            self._last = pid
            if self._clock.monotonic_s() >= end_s and pid != processes[-1]:
                return Suspects(frozenset(opened), frozenset(mapped), False, hidden)
        self._last = 0
        return Suspects(frozenset(opened), frozenset(mapped), True, hidden)

    def _opened_by(self, pid: int) -> Iterator[bytes]:
        folder = b"/proc/%d/fd/" % pid
        for number in os.listdir(folder):
            try:
                path = os.readlink(folder + number)
                if not path.startswith(b"/") or not self._territory.holds(path):
                    continue
                with open(b"/proc/%d/fdinfo/%b" % (pid, number), "rb") as file:
                    found = _FLAGS.search(file.read())
                if found is None or not int(found[1], 8) & (os.O_WRONLY | os.O_RDWR):
                    continue
                if _is_file(path, os.stat(folder + number).st_ino):
                    yield path
            except FileNotFoundError:
                # Closed meanwhile.
                continue

    def _mapped_by(self, pid: int) -> Iterator[bytes]:
        with open(f"/proc/{pid}/maps", "rb") as file:
            text = file.read()
        for inode, shown in _MAPPING.findall(text):
            # Of all bytes only the newline is written as an escape there.
            path = shown.replace(b"\\012", b"\n")
            if self._territory.holds(path) and _is_file(path, int(inode)):
                yield path


def _is_file(path: bytes, inode: int) -> bool:
    """Whether that file is at the path: not one that was removed, nor one of another mount namespace."""
    try:
        status = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and status.st_ino == inode
