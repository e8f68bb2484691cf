"""A job while it runs: how it is stopped, and what it tells on the way."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from holdfast.core.clock import Clock
from holdfast.core.errors import Cancelled, ErrorFacts
from holdfast.core.ids import DatasetId, JobId
from holdfast.model.change import Amount
from holdfast.model.jobs import Job, LaneProgress, Progress
from holdfast.operations.pace import Pace

PROGRESS_INTERVAL_S = 0.25


class Cancellation:
    """Asked for once, from any thread; the job notices at its next `check`. Callbacks wake what blocks (they close channels)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requested = threading.Event()
        self._is_pause = False
        self._callbacks: list[Callable[[], None]] = []

    @property
    def requested(self) -> bool:
        return self._requested.is_set()

    @property
    def is_pause(self) -> bool:
        """What was asked for is to stop for now, and to go on another time."""
        return self._is_pause

    def pause(self) -> None:
        """As `cancel`, which comes before it."""
        with self._lock:
            self._is_pause = not self._requested.is_set()
        if self._is_pause:
            self.cancel()

    def cancel(self) -> None:
        with self._lock:
            self._requested.set()
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()

    def on_cancel(self, callback: Callable[[], None]) -> None:
        """Called at most once; at once when the job is cancelled already."""
        with self._lock:
            if not self._requested.is_set():
                self._callbacks.append(callback)
                return
        callback()

    def wait(self, seconds: float) -> None:
        """Returns after this time, or at once when the job is cancelled."""
        self._requested.wait(seconds)

    def check(self) -> None:
        if self._requested.is_set():
            raise Cancelled("the job was cancelled", hint="nothing acknowledged is lost; start it again when it suits")


@dataclass(frozen=True, kw_only=True)
class Delivered:
    """One action of one delivery acknowledged a commit, or failed to (`error`). `captured_at_ns` 0 = there was no commit. `spooled`: it
    gets this one later, out of the spool. `amount`: what the run changed, where it did not arrive."""

    dataset: DatasetId
    delivery: str
    action: str
    operations: tuple[str, ...]
    captured_at_ns: int
    error: ErrorFacts | None = None
    spooled: bool = False
    amount: Amount | None = None


class News(Protocol):
    """Where a running job tells what happens. Any thread; never blocks for long, never raises."""

    def job(self, job: Job) -> None: ...

    def progress(self, progress: Progress) -> None: ...

    def delivered(self, delivered: Delivered) -> None: ...


@dataclass
class Meter:
    """Progress of one job, told at most four times a second. Any thread may add. `lanes` is asked when it is told, and no more often."""

    job: JobId
    clock: Clock
    tell: Callable[[Progress], None]
    total_bytes: int = 0
    lanes: Callable[[], tuple[LaneProgress, ...]] = tuple
    _files: int = 0
    _bytes: int = 0
    _told_s: float | None = None
    _phase: str = ""
    _pace: Pace = field(default_factory=Pace)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, phase: str, files: int = 0, size_bytes: int = 0) -> None:
        """So much more is done."""
        with self._lock:
            self._files += files
            self._bytes += size_bytes
        self.report(phase, self._files, self._bytes, self.total_bytes)

    def watch(self, cancellation: Cancellation) -> Callable[[str, int, int, int], None]:
        """`report` of work that may be cancelled: raises `Cancelled` then."""

        def watch(phase: str, done_files: int, done_bytes: int, total_bytes: int, /) -> None:
            cancellation.check()
            self.report(phase, done_files, done_bytes, total_bytes)

        return watch

    def report(self, phase: str, done_files: int, done_bytes: int, total_bytes: int) -> None:
        """So much is done altogether."""
        now_s = self.clock.monotonic_s()
        with self._lock:
            if self._told_s is not None and now_s - self._told_s < PROGRESS_INTERVAL_S:
                return
            self._told_s = now_s
            if phase != self._phase:
                self._phase, self._pace = phase, Pace()
            rate_bytes_s = self._pace.rate(now_s, done_bytes)
            lanes = self.lanes()
        self.tell(
            Progress(
                job=self.job,
                phase=phase,
                done_files=done_files,
                done_bytes=done_bytes,
                total_bytes=total_bytes,
                rate_bytes_s=rate_bytes_s,
                lanes=lanes,
            )
        )
