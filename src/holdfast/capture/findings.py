"""What one run has to say, counted while it goes: findings, bytes read, progress, and the wish to stop."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from datetime import datetime

from holdfast.core.clock import Clock
from holdfast.core.errors import Cancelled
from holdfast.core.units import format_duration, format_utc
from holdfast.model.entry import display_path
from holdfast.model.jobs import Finding, Severity

MAX_FINDINGS = 1_000
_PROGRESS_S = 0.1

OnProgress = Callable[[str, int, int, int], None]


class Notes:
    """Collects findings, the first 1,000 in full. Thread-safe. `bits` = the datasets a finding concerns."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._findings: list[Finding] = []
        self._warnings: dict[int, int] = {}
        self.total = 0
        self.read_bytes = 0

    def add(self, finding: Finding, bits: int = 0) -> None:
        with self._lock:
            self.total += 1
            if len(self._findings) < MAX_FINDINGS:
                self._findings.append(finding)
            if finding.severity is not Severity.INFO:
                self._warnings[bits] = self._warnings.get(bits, 0) + 1

    def add_read(self, count: int) -> None:
        """Bytes really read from source files."""
        with self._lock:
            self.read_bytes += count

    @property
    def findings(self) -> tuple[Finding, ...]:
        with self._lock:
            return tuple(self._findings)

    def warnings(self, bit: int) -> int:
        with self._lock:
            return sum(count for bits, count in self._warnings.items() if bits & bit)


class Pulse:
    """Reports progress at most ten times a second, and raises `Cancelled` when somebody wants the run to stop."""

    def __init__(self, clock: Clock, on_progress: OnProgress | None, cancelled: Callable[[], bool] | None) -> None:
        self._clock = clock
        self._on_progress = on_progress
        self._cancelled = cancelled
        self._next_s = 0.0

    def beat(self, phase: str, done_files: int, done_bytes: int, total_bytes: int) -> None:
        if self._cancelled is not None and self._cancelled():
            raise Cancelled("the capture was cancelled", hint="run it again; it goes on from what it has")
        if self._on_progress is not None and (now_s := self._clock.monotonic_s()) >= self._next_s:
            self._next_s = now_s + _PROGRESS_S
            self._on_progress(phase, done_files, done_bytes, total_bytes)


def clock_set_back(moment: datetime, newest: datetime) -> Finding:
    """Once: the next commit is later than this one."""
    ahead = format_duration((newest - moment).total_seconds())
    return Finding(
        code="clock-set-back",
        severity=Severity.WARNING,
        message=f"the newest state before this one bears {format_utc(newest)}, {ahead} ahead: the clock was wrong then, or is now",
        hint="see that the clock is right; points with times to come can be forgotten by `holdfast points forget ID`",
    )


def socket_skipped(path: bytes) -> Finding:
    return Finding(
        code="socket-skipped",
        severity=Severity.INFO,
        message="a socket was skipped: it has no content",
        path=display_path(path),
        hint="nothing to do: its program makes it anew",
    )


def unreadable(path: bytes, error: OSError) -> Finding:
    return Finding(
        code="unreadable",
        severity=Severity.WARNING,
        message=f"could not be read: {os.strerror(error.errno) if error.errno else error}",
        path=display_path(path),
        hint="what was captured of it before stays; give the node the right to read it, or exclude it",
    )
