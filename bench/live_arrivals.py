"""Watching edits arrive: in a mirror by looking at its files, in a repository by reading its owner's journal."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from bench.live_load import Load, visible
from holdfast.repository.continuous.journal import SUFFIX, scan
from holdfast.repository.moment_record import Op, Written

_LOOK_S, _REST_S, _TURN_S = 0.01, 0.04, 0.005


class MirrorArrivals:
    """`after_ns[n]`: how long after its end edit n was in the mirror. Looks for a fifth of the time, so that who is measured has the
    cores; what has not come for long is then looked at less often."""

    def __init__(self, load: Load, source: Path, mirror: Path) -> None:
        self._load = load
        self._prefix, self._mirror = os.fsencode(source), os.fsencode(mirror)
        self._coming, self._waiting = deque(visible(load.edits)), deque[int]()
        self.expected = len(self._coming)
        self.after_ns: dict[int, int] = {}

    def look(self) -> bool:
        """Once; whether something is still to come."""
        while self._coming and self._load.ended_ns[self._coming[0]]:
            self._waiting.append(self._coming.popleft())
        stop_s = time.monotonic() + _LOOK_S
        for _ in range(len(self._waiting)):
            # Those that there is no time for are the first next time.
            if time.monotonic() > stop_s:
                break
            number = self._waiting.popleft()
            if self._has_arrived(number):
                self.after_ns[number] = time.monotonic_ns() - self._load.ended_ns[number]
            else:
                self._waiting.append(number)
        return bool(self._waiting or self._coming)

    def _has_arrived(self, number: int) -> bool:
        try:
            found = os.lstat(self._mirror + self._load.edits[number].path.removeprefix(self._prefix))
        except OSError:
            return False
        return self._load.mtime_ns[number] in (0, found.st_mtime_ns)


class JournalArrivals:
    """The same for a repository: an edit is held when a record with its path and its time is durable in the journal. A thread reads on as
    the journal grows, and lets the disk confirm before it looks at the clock."""

    def __init__(self, load: Load, journal: Path) -> None:
        self._load, self._journal = load, journal
        self._wanted = {load.edits[number].path: number for number in visible(load.edits)}
        self.expected = len(self._wanted)
        self.after_ns: dict[int, int] = {}
        self.commits = 0
        self._files: dict[Path, tuple[int, int]] = {}
        for path in self._paths():
            self._files[path] = os.open(path, os.O_RDONLY), path.stat().st_size
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def look(self) -> bool:
        return len(self.after_ns) < self.expected

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    def _paths(self) -> list[Path]:
        return sorted(self._journal.glob(f"*{SUFFIX}"))

    def _run(self) -> None:
        while not self._over.wait(_TURN_S):
            for path in self._paths():
                if path not in self._files:
                    self._files[path] = os.open(path, os.O_RDONLY), 0
            for path, (descriptor, read_bytes) in list(self._files.items()):
                self._files[path] = descriptor, read_bytes + self._read(descriptor, read_bytes)

    def _read(self, descriptor: int, offset: int) -> int:
        size_bytes = os.fstat(descriptor).st_size - offset
        if size_bytes <= 0:
            return min(0, size_bytes)
        found = scan(os.pread(descriptor, size_bytes, offset))
        if found.groups:
            os.fdatasync(descriptor)
        now_ns = time.monotonic_ns()
        for placed in found.groups:
            self.commits += 1
            for op in placed.group.record.ops:
                number = self._wanted.get(op.path)
                if number is not None and number not in self.after_ns and self._is_state_of(number, op):
                    self.after_ns[number] = now_ns - self._load.ended_ns[number]
        return found.end

    def _is_state_of(self, number: int, op: Op) -> bool:
        """Not an earlier one of the same path."""
        if not self._load.ended_ns[number] or not isinstance(op, Written):
            return False
        return self._load.mtime_ns[number] in (0, op.entry.mtime_ns)


def wait_for(look: Callable[[], bool], load: Load, patience_s: float) -> None:
    """Until all has arrived, or nothing more is to be expected."""
    until_s = float("inf")
    while look() or not load.is_over:
        if load.is_over and until_s == float("inf"):
            until_s = time.monotonic() + patience_s
        if time.monotonic() > until_s:
            return
        time.sleep(_REST_S)
