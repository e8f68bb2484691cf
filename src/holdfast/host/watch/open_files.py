"""Files that are being written without a fact for each change: held open for writing, or mapped writable and shared.

Stores into a mapping make no event until it is given up, and a program that keeps a file open makes events, but never a last one. Both are
found in /proc (proc(5)): the descriptors and the mappings of every process that may be looked at.

Most processes sleep. One that held nothing here, and of which the kernel has counted no page fault, memory or CPU time since, is not looked
into again: the first store into a mapping is a page fault. CPU time is counted in hundredths of a second, so no answer is trusted for more
than some minutes. What is found that late is a file that was opened and hardly written; and writing makes events.
"""

from __future__ import annotations

import errno
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
_SHARED_AND_WRITABLE = (b"w-s ", b"wxs ")
_TRUSTED_S = 300.0
_STAT_BYTES = 4_096


@dataclass(frozen=True, slots=True)
class Suspects:
    """`open_files` and `mapped_files`: paths in the territory, of each process as it was last looked at. `complete`: every process has had
    its turn since the last complete answer; if not, the next call goes on where this one stopped. `hidden`: processes that this user may
    not look into.
    """

    open_files: frozenset[bytes]
    mapped_files: frozenset[bytes]
    complete: bool
    hidden: int


@dataclass(frozen=True, slots=True)
class _Process:
    """What was found in it. `counts`: what the kernel said of it just before."""

    counts: bytes
    looked_s: float
    opened: frozenset[bytes] = frozenset()
    mapped: frozenset[bytes] = frozenset()
    is_hidden: bool = False


class OpenFiles:
    """Looks through the processes, each call for at most `budget_s` and at one process at least. The period is the caller's; after a call
    that was not complete it may be shorter.

    One that sleeps costs some 10 microseconds of CPU, one that has worked since and has a hundred descriptors half a millisecond.
    """

    def __init__(self, territory: Territory, clock: Clock, budget_s: float = 0.05) -> None:
        self._territory = territory
        self._clock = clock
        self._budget_s = budget_s
        self._last = 0
        self._processes: dict[int, _Process] = {}

    def suspects(self) -> Suspects:
        end_s = self._clock.monotonic_s() + self._budget_s
        there = sorted(int(name) for name in os.listdir("/proc") if name.isdecimal())
        for gone in self._processes.keys() - set(there):
            del self._processes[gone]
        complete = True
        for pid in [pid for pid in there if pid > self._last]:
            now_s = self._clock.monotonic_s()
            if now_s >= end_s and not complete:
                break
            self._look_into(pid, now_s)
            self._last = pid
            complete = pid == there[-1]
        if complete:
            self._last = 0
        known = self._processes.values()
        return Suspects(
            frozenset(path for process in known for path in process.opened),
            frozenset(path for process in known for path in process.mapped),
            complete,
            sum(process.is_hidden for process in known),
        )

    def _look_into(self, pid: int, now_s: float) -> None:
        try:
            counts = _counts_of(pid)
            known = self._processes.get(pid)
            if known is None or known.counts != counts or known.opened or known.mapped or now_s - known.looked_s > _TRUSTED_S:
                self._processes[pid] = self._looked_into(pid, counts, now_s)
        except (FileNotFoundError, ProcessLookupError):
            self._processes.pop(pid, None)

    def _looked_into(self, pid: int, counts: bytes, now_s: float) -> _Process:
        try:
            return _Process(counts, now_s, frozenset(self._opened_by(pid)), frozenset(self._mapped_by(pid)))
        except PermissionError:
            return _Process(counts, now_s, is_hidden=True)

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
            except OSError as error:
                # Its path is longer than any that can be looked at; whoever holds it must not keep others from being found.
                if error.errno != errno.ENAMETOOLONG:
                    raise

    def _mapped_by(self, pid: int) -> Iterator[bytes]:
        with open(f"/proc/{pid}/maps", "rb") as file:
            text = file.read()
        if not any(permissions in text for permissions in _SHARED_AND_WRITABLE):
            return
        for inode, shown in _MAPPING.findall(text):
            # Of all bytes only the newline is written as an escape there.
            path = shown.replace(b"\\012", b"\n")
            if self._territory.holds(path) and _is_file(path, int(inode)):
                yield path


def _counts_of(pid: int) -> bytes:
    descriptor = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, _STAT_BYTES)
    finally:
        os.close(descriptor)


def _is_file(path: bytes, inode: int) -> bool:
    """Whether that file is at the path: not one that was removed, nor one of another mount namespace."""
    try:
        status = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and status.st_ino == inode
