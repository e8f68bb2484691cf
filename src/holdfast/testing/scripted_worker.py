"""A worker that does as a script says, without capture or repositories: for tests of the agent.

`python -m holdfast.testing.scripted_worker source|store --home H --fd N`. Behaviour comes from files in HOME/script/, read at each order:

    ROLE.hold       RunDatasets and RunCascade begin and do not end while the file is there
    ROLE.error      its text is the error code with which every delivery fails
    ROLE.die        the process kills itself at the next order

Each order is appended to HOME/script/ROLE.log as one JSON line with the class name in `type`. It answers that it has no points and no
repositories.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import threading
from pathlib import Path

import msgspec

from holdfast.core.clock import Clock, SystemClock, now
from holdfast.core.errors import ErrorFacts
from holdfast.model.jobs import Counters, Job, Progress, State, Task
from holdfast.model.listing_questions import AskPoints, Points
from holdfast.model.node_status import NodeStatus
from holdfast.model.questions import Answer, AskRepositoryEnv, AskStatus, Done, RepositoryEnv
from holdfast.node.workers.link import WorkerLink
from holdfast.node.workers.messages import (
    Acknowledged,
    AskWorker,
    CancelJob,
    Configure,
    JobNews,
    ProgressNews,
    Ready,
    RunCascade,
    RunDatasets,
    RunMaintenance,
    RunRestore,
    StopWorker,
    ToWorker,
    WorkerAnswer,
)


class ScriptedWorker:
    def __init__(self, role: str, home: Path, link: WorkerLink, *, clock: Clock) -> None:
        self._role = role
        self._script = home / "script"
        self._script.mkdir(exist_ok=True)
        self._link = link
        self._clock = clock
        self._configure: Configure | None = None
        self._stopping = threading.Event()
        self._cancelled: set[str] = set()

    def serve(self) -> None:
        self._link.send(Ready())
        while (message := self._link.receive()) is not None and not isinstance(message, StopWorker):
            self._take(message)
        self._stopping.set()

    def _take(self, message: ToWorker) -> None:
        with (self._script / f"{self._role}.log").open("ab") as log:
            log.write(msgspec.json.encode(message) + b"\n")
        if not isinstance(message, Configure) and self._said("die") is not None:
            os.kill(os.getpid(), signal.SIGKILL)
        match message:
            case Configure():
                self._configure = message
                self._link.send(Ready())
            case AskWorker(number=number):
                self._link.send(WorkerAnswer(number=number, answer=self._answer(message)))
            case CancelJob(job=job):
                self._cancelled.add(job)
            case RunDatasets() | RunCascade() | RunRestore() | RunMaintenance():
                threading.Thread(target=self._run, args=(message,), daemon=True).start()
            case _:
                pass

    def _answer(self, message: AskWorker) -> Answer:
        match message.question:
            case AskPoints():
                return Points(points=())
            case AskRepositoryEnv():
                return RepositoryEnv(location="/srv/main", password="correct horse")
            case AskStatus() if self._configure is not None:
                return NodeStatus(node=self._configure.rules.node_name, generation=self._configure.rules.generation)
            case _:
                return Done()

    def _run(self, message: RunDatasets | RunCascade | RunRestore | RunMaintenance) -> None:
        started_ns = self._clock.now_ns()
        job = msgspec.structs.replace(message.job, state=State.RUNNING, started_at=now(self._clock))
        self._link.send(JobNews(job=job))
        self._link.send(ProgressNews(progress=Progress(job=job.id, phase="capture", done_files=1)))
        while self._said("hold") is not None and job.id not in self._cancelled:
            if self._stopping.wait(0.01):
                return
        error = self._error()
        tasks: tuple[Task, ...] = (Task(name="capture", state=State.SUCCEEDED, counters=Counters(files=1)),)
        if isinstance(message, RunDatasets | RunCascade):
            self._acknowledge(message, started_ns, error)
            tasks += (Task(name="store", state=State.FAILED if error else State.SUCCEEDED, error=error, receiver="vault"),)
        self._link.send(JobNews(job=self._ended(job, tasks, error)))

    def _ended(self, job: Job, tasks: tuple[Task, ...], error: ErrorFacts | None) -> Job:
        state = State.CANCELLED if job.id in self._cancelled else State.FAILED if error else State.SUCCEEDED
        return msgspec.structs.replace(job, state=state, ended_at=now(self._clock), tasks=tasks)

    def _acknowledge(self, message: RunDatasets | RunCascade, captured_ns: int, error: ErrorFacts | None) -> None:
        if self._configure is None:
            return
        rules = self._configure.rules
        if isinstance(message, RunDatasets):
            deliveries = [delivery for delivery in rules.deliveries if delivery.dataset in message.datasets]
            marks = message.operations
        else:
            deliveries = [cascade.delivery for cascade in rules.cascades if cascade.id == message.cascade]
            marks = {delivery.dataset: delivery.operations for delivery in deliveries}
        for delivery in deliveries:
            for action in delivery.actions:
                self._link.send(
                    Acknowledged(
                        dataset=delivery.dataset,
                        delivery=delivery.id,
                        action=action,
                        operations=marks.get(delivery.dataset, ()),
                        captured_at_ns=captured_ns,
                        error=error,
                    )
                )

    def _error(self) -> ErrorFacts | None:
        code = self._said("error")
        return None if code is None else ErrorFacts(code, f"the script says {code}", "", code in ("not-reachable", "no-space"))

    def _said(self, what: str) -> str | None:
        try:
            return (self._script / f"{self._role}.{what}").read_text().strip()
        except FileNotFoundError:
            return None


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("role")
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--fd", type=int, required=True)
    chosen = parser.parse_args()
    link = WorkerLink(socket.socket(fileno=chosen.fd))
    ScriptedWorker(chosen.role, chosen.home, link, clock=SystemClock()).serve()
    link.close()


if __name__ == "__main__":
    main()
