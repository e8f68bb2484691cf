"""What small runs tell the agent: enough for people to see how it goes, and not several times a second."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from holdfast.core.clock import Clock
from holdfast.core.errors import ErrorFacts, WindowClosed
from holdfast.core.ids import DatasetId
from holdfast.model.jobs import Finding, Job, Progress
from holdfast.operations.running import Delivered, News

TELL_S = 1.0


FINDING_AGAIN_S = 3600.0
_MOST_FINDINGS = 1_000


class SmallNews:
    """Of each action the newest acknowledgement once a second, and a failure when it is another than before. What was found (`record`) once
    an hour: a file that cannot be read is found by every small run that looks at it. Any thread."""

    def __init__(self, news: News, record: Callable[[Finding], None], clock: Clock) -> None:
        self._news = news
        self._record = record
        self._found: dict[tuple[str, str, str], float] = {}
        self._clock = clock
        self._lock = threading.Lock()
        self._told: dict[tuple[str, str], tuple[float, str]] = {}
        self._waiting: dict[tuple[str, str], Delivered] = {}

    def delivered(self, delivered: Delivered) -> None:
        key = (delivered.delivery, delivered.action)
        now_code = "" if delivered.error is None else delivered.error.code
        with self._lock:
            told_s, code = self._told.get(key, (-TELL_S, ""))
            if now_code != code or (delivered.error is None and self._clock.monotonic_s() - told_s >= TELL_S):
                self._tell(key, delivered)
            elif delivered.error is None:
                self._waiting[key] = delivered

    def beside(self, delivered: Delivered) -> None:
        """What another than a small run has to tell: at once. With its success the failure that was told before is over for whoever
        hears it, and the next one is news, also of the same kind."""
        with self._lock:
            if delivered.error is None:
                self._told.pop((delivered.delivery, delivered.action), None)
            self._news.delivered(delivered)

    def found(self, findings: Iterable[Finding]) -> None:
        now_s = self._clock.monotonic_s()
        for finding in findings:
            key = (finding.code, finding.path, finding.message)
            with self._lock:
                is_told = now_s - self._found.get(key, -FINDING_AGAIN_S) < FINDING_AGAIN_S
                if not is_told:
                    if len(self._found) >= _MOST_FINDINGS:
                        self._found.clear()
                    self._found[key] = now_s
            if not is_told:
                self._record(finding)

    def flush(self) -> None:
        """What has waited long enough."""
        now_s = self._clock.monotonic_s()
        with self._lock:
            for key, delivered in list(self._waiting.items()):
                if now_s - self._told.get(key, (-TELL_S, ""))[0] >= TELL_S:
                    self._tell(key, delivered)

    def _tell(self, key: tuple[str, str], delivered: Delivered) -> None:
        self._waiting.pop(key, None)
        self._told[key] = (self._clock.monotonic_s(), "" if delivered.error is None else delivered.error.code)
        self._news.delivered(delivered)


class NewsOfRun:
    """Where one small run tells what happens. `failed`: datasets that some receiver did not get, and why."""

    def __init__(self, small: SmallNews) -> None:
        self._small = small
        self.failed: dict[DatasetId, ErrorFacts] = {}

    def job(self, job: Job) -> None:
        """A small run is no job."""

    def progress(self, progress: Progress) -> None:
        """Nor has it any."""

    def delivered(self, delivered: Delivered) -> None:
        # A window that is closed is no trouble: what is wrong with others must not be hidden by it.
        is_closed = WindowClosed.says(delivered.error)
        if delivered.error is not None and not delivered.spooled and not (is_closed and delivered.dataset in self.failed):
            self.failed[delivered.dataset] = delivered.error
        self._small.delivered(delivered)


class NewsBeside:
    """Where a job tells what happens, beside small runs."""

    def __init__(self, news: News, small: SmallNews) -> None:
        self._news, self._small = news, small

    def job(self, job: Job) -> None:
        self._news.job(job)

    def progress(self, progress: Progress) -> None:
        self._news.progress(progress)

    def delivered(self, delivered: Delivered) -> None:
        self._small.beside(delivered)
