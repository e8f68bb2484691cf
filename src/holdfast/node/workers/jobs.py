"""The threads in which a worker runs jobs: one lane per kind of work, one job at a time in each lane."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import msgspec

from holdfast.core.clock import Clock, now
from holdfast.core.errors import Cancelled, HoldfastError, facts_of
from holdfast.core.ids import JobId
from holdfast.model.jobs import ENDED, Job, Progress, State
from holdfast.node.workers.messages import Acknowledged, FromWorker, JobNews, ProgressNews
from holdfast.node.workers.turns import Turn, Turns
from holdfast.operations.running import Cancellation, Delivered

logger = logging.getLogger(__name__)


class LinkNews:
    """Tells the agent."""

    def __init__(self, send: Callable[[FromWorker], None]) -> None:
        self._send = send

    def job(self, job: Job) -> None:
        self._send(JobNews(job=job))

    def progress(self, progress: Progress) -> None:
        self._send(ProgressNews(progress=progress))

    def delivered(self, delivered: Delivered) -> None:
        self._send(
            Acknowledged(
                dataset=delivered.dataset,
                delivery=delivered.delivery,
                action=delivered.action,
                operations=delivered.operations,
                captured_at_ns=delivered.captured_at_ns,
                error=delivered.error,
                amount=delivered.amount,
            )
        )


_QUESTION_THREADS = 4

Work = Callable[[Job, Cancellation], Job]


@dataclass(frozen=True)
class _Queued:
    job: Job
    work: Work
    cancellation: Cancellation


class JobLanes:
    """Starts jobs, tells their start and end, keeps what each raised. `work` gets the running job and returns the ended one."""

    def __init__(self, news: LinkNews, clock: Clock) -> None:
        self._news = news
        self._clock = clock
        self._lock = threading.Lock()
        self._lanes: dict[str, deque[_Queued]] = {}
        self._running: dict[JobId, Cancellation] = {}
        self._threads: set[threading.Thread] = set()
        self._questions = ThreadPoolExecutor(_QUESTION_THREADS, thread_name_prefix="questions")
        self._searches = Turns("searches")
        self._closed = False

    def start(self, lane: str, job: Job, work: Work) -> None:
        queued = _Queued(job, work, Cancellation())
        with self._lock:
            if self._closed or job.id in self._running:
                return
            self._running[job.id] = queued.cancellation
            waiting = self._lanes.get(lane)
            if waiting is not None:
                waiting.append(queued)
                return
            self._lanes[lane] = deque([queued])
            thread = threading.Thread(target=self._drain, args=(lane,), name=f"jobs-{lane}", daemon=True)
            self._threads.add(thread)
            # Started under the lock, so that `stop` never joins a thread that has not begun.
            thread.start()

    def cancel(self, job: JobId, otherwise: Callable[[], None] = lambda: None) -> None:
        """`otherwise` is done, beside the jobs, where it does not run here."""
        with self._lock:
            cancellation = self._running.get(job)
        if cancellation is not None:
            cancellation.cancel()
        else:
            self.ask(otherwise)

    def pause(self, job: JobId) -> None:
        with self._lock:
            cancellation = self._running.get(job)
        if cancellation is not None:
            cancellation.pause()

    def ask(self, reply: Callable[[], None]) -> None:
        """Answer a question beside the jobs; dropped when stopping."""
        with self._lock:
            if not self._closed:
                self._questions.submit(reply)

    def search(self, turn: Turn) -> None:
        """As `ask`, for what may take long: turn by turn, so that searches hold up neither each other nor other questions."""
        self._searches.add(turn)

    def stop(self, timeout_s: float = 2.5) -> None:
        """Cancels everything and waits for it to end."""
        with self._lock:
            self._closed = True
            cancellations, threads = list(self._running.values()), list(self._threads)
        for cancellation in cancellations:
            cancellation.cancel()
        for thread in threads:
            thread.join(timeout_s)
        self._questions.shutdown(wait=True, cancel_futures=True)
        self._searches.close()

    def _drain(self, lane: str) -> None:
        while True:
            with self._lock:
                waiting = self._lanes[lane]
                if not waiting:
                    del self._lanes[lane]
                    self._threads.discard(threading.current_thread())
                    return
                queued = waiting.popleft()
            ended = self._run(queued)
            with self._lock:
                # Before its end is told: a paused job may come back at once.
                self._running.pop(queued.job.id, None)
            self._news.job(ended)

    def _run(self, queued: _Queued) -> Job:
        job = msgspec.structs.replace(queued.job, state=State.RUNNING, started_at=now(self._clock))
        self._news.job(job)
        try:
            queued.cancellation.check()
            ended = queued.work(job, queued.cancellation)
        except Exception as error:  # noqa: BLE001 - a job's end is always told, whatever ended it
            ended = self._failed(job, queued.cancellation, error)
        if ended.state is State.PAUSED:
            return ended
        if ended.state not in ENDED:
            ended = msgspec.structs.replace(ended, state=State.SUCCEEDED)
        if ended.ended_at is None:
            ended = msgspec.structs.replace(ended, ended_at=now(self._clock))
        return ended

    def _failed(self, job: Job, cancellation: Cancellation, error: Exception) -> Job:
        if cancellation.is_pause:
            return msgspec.structs.replace(job, state=State.PAUSED)
        if cancellation.requested or isinstance(error, Cancelled):
            facts = error if isinstance(error, Cancelled) else Cancelled("the job was cancelled")
            return msgspec.structs.replace(job, state=State.CANCELLED, error=facts_of(facts))
        of = {"job": job.id, "rule": job.rule}
        if isinstance(error, HoldfastError):
            logger.warning("a job failed", extra={"facts": of | {"error": error.message, "code": error.code}})
        else:
            logger.error("a job failed", exc_info=error, extra={"facts": of})
        return msgspec.structs.replace(job, state=State.FAILED, error=facts_of(error))
