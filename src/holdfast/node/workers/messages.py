"""Messages between a node's agent and its workers, over an inherited socket pair: length-prefixed msgpack.

The *source* worker captures, sends and restores; the *store* worker owns repositories and mirrors, runs the data server and cascades;
the *recall* worker, where something is archived, keeps the recall mount. The agent alone decides when something runs and keeps the
records; a worker does as told and tells. A worker that dies takes its running jobs with it: the agent records them as failed and starts it
anew.
"""

from __future__ import annotations

import msgspec

from holdfast.core.errors import ErrorFacts
from holdfast.core.ids import DatasetId, JobId
from holdfast.model.change import Amount
from holdfast.model.following import Following
from holdfast.model.jobs import Event, Job, Progress
from holdfast.model.maintenance import Task
from holdfast.model.questions import Answer, Question
from holdfast.model.recalling import AskRecall
from holdfast.model.restoring import AskRestore, AskUndo
from holdfast.model.rules import Rules
from holdfast.model.trials import AskDrill


class _Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=True):
    """Base; the tag on the wire is the class name."""


class Configure(_Message, frozen=True, kw_only=True):
    """These rules are in force from now on. `signing_key` is the Master's Ed25519 public key (raw 32 bytes), for orders."""

    rules: Rules
    signing_key: bytes


class RunDatasets(_Message, frozen=True, kw_only=True):
    """One job: capture these datasets in one walk, deliver everywhere, mark the operations named per dataset.

    `catch_up`: no scan; only bring receivers that are behind to the newest finished run.
    """

    job: Job
    datasets: tuple[DatasetId, ...]
    operations: dict[DatasetId, tuple[str, ...]]
    accept: bool = False
    adopt: bool = False
    catch_up: bool = False


class RunCascade(_Message, frozen=True, kw_only=True):
    job: Job
    cascade: str
    adopt: bool = False


class RunRestore(_Message, frozen=True, kw_only=True):
    job: Job
    ask: AskRestore


class RunUndo(_Message, frozen=True, kw_only=True):
    job: Job
    ask: AskUndo


class RunRecall(_Message, frozen=True, kw_only=True):
    job: Job
    ask: AskRecall


class RunDrill(_Message, frozen=True, kw_only=True):
    """Of another node's repository, here. `RunMaintenance` has those of this node's own."""

    job: Job
    ask: AskDrill


class RunMaintenance(_Message, frozen=True, kw_only=True):
    """`repository` is an id. `dry_run`: only report what would be done."""

    job: Job
    repository: str
    task: Task
    dry_run: bool = False


class CancelJob(_Message, frozen=True, kw_only=True):
    job: JobId


class PauseJob(_Message, frozen=True, kw_only=True):
    """Stop a restore so that it can go on; it is then told as `paused`."""

    job: JobId


class AskWorker(_Message, frozen=True, kw_only=True):
    number: int
    question: Question


class MasterTime(_Message, frozen=True, kw_only=True):
    """It was `time_ns` for the Master when this machine had been up for `boottime_ns`."""

    time_ns: int
    boottime_ns: int


class AskForSign(_Message, frozen=True, kw_only=True):
    """Say something, to show that the worker still hears what it is told."""


class StopWorker(_Message, frozen=True, kw_only=True):
    """Finish what is committed, drop the rest, exit."""


class Ready(_Message, frozen=True, kw_only=True):
    """Sent once after start, and after each Configure. `problems`: what could not be opened. `data_port` 0 = no data server here.

    `asked` False: neither, but what it says has changed.
    """

    data_port: int = 0
    problems: tuple[ErrorFacts, ...] = ()
    asked: bool = True


class SignOfLife(_Message, frozen=True, kw_only=True):
    """What `AskForSign` asks for."""


class TimeDoubted(_Message, frozen=True, kw_only=True):
    """This machine's clock was set, or it was off: what time is it for the Master?"""


class JobNews(_Message, frozen=True, kw_only=True):
    """The job as it stands now; sent at start, at each task's end, and at the end."""

    job: Job


class ProgressNews(_Message, frozen=True, kw_only=True):
    progress: Progress


class EventNews(_Message, frozen=True, kw_only=True):
    event: Event


class PointsMade(_Message, frozen=True, kw_only=True):
    """A commit arrived in a repository here and became points of these operations: cascades that wait for them may run."""

    repository: str
    dataset: DatasetId
    operations: tuple[str, ...]
    captured_at_ns: int = 0
    amount: Amount | None = None


class Acknowledged(_Message, frozen=True, kw_only=True):
    """One action of one delivery acknowledged a commit (or failed to, with `error`). What `Protection` is judged from.

    `captured_at_ns` 0 = there was no commit to acknowledge. `amount`: what the run changed; told only where it did not arrive.
    """

    dataset: DatasetId
    delivery: str
    action: str
    operations: tuple[str, ...]
    captured_at_ns: int
    error: ErrorFacts | None = None
    amount: Amount | None = None


class FollowNews(_Message, frozen=True, kw_only=True):
    """How each dataset is followed now; those that are not named are not."""

    following: tuple[Following, ...]


class RecallNews(_Message, frozen=True, kw_only=True):
    """So much was read of archived files through the recall mount since its worker started; `refused` opens were over the limit."""

    files: int
    size_bytes: int
    refused: int = 0


class WorkerAnswer(_Message, frozen=True, kw_only=True):
    number: int
    answer: Answer


ToWorker = (
    Configure
    | RunDatasets
    | RunCascade
    | RunRestore
    | RunUndo
    | RunRecall
    | RunDrill
    | RunMaintenance
    | CancelJob
    | PauseJob
    | AskWorker
    | MasterTime
    | AskForSign
    | StopWorker
)
FromWorker = (
    Ready
    | SignOfLife
    | TimeDoubted
    | JobNews
    | ProgressNews
    | EventNews
    | PointsMade
    | Acknowledged
    | FollowNews
    | RecallNews
    | WorkerAnswer
)
