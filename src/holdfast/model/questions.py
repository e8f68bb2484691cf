"""Questions to a node and their answers: one closed union, carried by the hub session and by the node's local socket alike."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from holdfast.core.errors import ErrorFacts
from holdfast.core.ids import ActionId, DatasetId, JobId, PointId
from holdfast.model.adoption import Adopted, AskAdopt
from holdfast.model.anomalies import AnomalyJudged, AskJudgeAnomaly
from holdfast.model.archive_questions import ArchiveAnswer, ArchiveQuestion
from holdfast.model.audit import AnchorsTold, AskAnchors
from holdfast.model.change import Amount
from holdfast.model.differences import AskDiff, Differences
from holdfast.model.doctor import AskDoctor, Examined
from holdfast.model.document import Classification
from holdfast.model.downloads import AskDownloadPort, DownloadPort
from holdfast.model.explanations import Explanation
from holdfast.model.following import Following
from holdfast.model.gaps import Gap
from holdfast.model.jobs import Finding, Job, Progress, State
from holdfast.model.keys import KeyAnswer, KeyQuestion
from holdfast.model.maintenance import Task
from holdfast.model.mirrors import AskMirrors, Mirrors
from holdfast.model.moments import AskMoment, AskMoments, Moments
from holdfast.model.orders import RestoreRequest, SignedOrder
from holdfast.model.pausing import AskPause, PauseTold
from holdfast.model.point_changes import AskChangePoints as AskChangePoints
from holdfast.model.point_changes import PointsChanged as PointsChanged
from holdfast.model.points import Listing, LostListing, Point
from holdfast.model.recalling import AskRecall
from holdfast.model.repository_status import RepositoryLock as RepositoryLock
from holdfast.model.repository_status import RepositoryStatus as RepositoryStatus
from holdfast.model.restoring import AskOrders, AskPauseJob, AskResumeJob, AskUndo, OrdersTold
from holdfast.model.sampling import Folder as Folder
from holdfast.model.sampling import Folders as Folders
from holdfast.model.sampling import Sample as Sample
from holdfast.model.sampling import SampleRow as SampleRow
from holdfast.model.searching import AskSearch, FoundHere
from holdfast.model.seeding import AskSeed, Seeded
from holdfast.model.sight import Within
from holdfast.model.tail import AskTail, Tailed
from holdfast.model.trials import AskDrill
from holdfast.model.waits import Wait


class _Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=True):
    """Base; the tag on the wire is the class name."""


class AskPoints(_Message, frozen=True, kw_only=True):
    """Points of this node's repositories; empty filters match all. `dataset` is a label or an id; `tag` was given by hand or inherited."""

    repository: str = ""
    dataset: str = ""
    tag: str = ""


class AskListing(_Message, frozen=True, kw_only=True):
    """The direct children of a folder at a point (`path` empty = the roots), or with `recursive` everything below, in walk order.

    `point` may be a unique prefix of an id, at least 4 characters. In its place: `dataset` (label or id), for its newest point that was
    captured at or before `at`, None = of all; `repository` empty = of any. `content`: say of files which content they have, where that is
    known.
    """

    point: str = ""
    dataset: str = ""
    at: datetime | None = None
    repository: str = ""
    path: bytes = b""
    recursive: bool = False
    limit: int = 10_000
    after: bytes = b""
    content: bool = False


class AskFind(_Message, frozen=True, kw_only=True):
    """Versions whose name (or, if the pattern holds a `/`, path) matches a glob, over all time: some, where the limit cuts. `within`: only
    of these, None = of all."""

    pattern: str
    repository: str = ""
    dataset: str = ""
    ignore_case: bool = False
    limit: int = 1_000
    within: Within | None = None


class AskHistory(_Message, frozen=True, kw_only=True):
    """Every version of one path, by dataset, newest first, with the points that hold it. `within` as in `AskFind`."""

    path: bytes
    repository: str = ""
    dataset: str = ""
    limit: int = 1_000
    within: Within | None = None


class AskTrigger(_Message, frozen=True, kw_only=True):
    """Run these now. `operations` empty = all. `accept` lifts `source-vanished` once, `adopt` lets mirrors take over folders
    that are not empty. `trigger` groups the jobs. `first`: a run that the rules have begun with by themselves just now serves as well."""

    trigger: str
    datasets: tuple[DatasetId, ...] = ()
    cascades: tuple[str, ...] = ()
    operations: tuple[str, ...] = ()
    accept: bool = False
    adopt: bool = False
    cause: str = "trigger"
    first: bool = False


class AskJobs(_Message, frozen=True, kw_only=True):
    """These jobs (empty = the newest `limit`), with live progress."""

    jobs: tuple[JobId, ...] = ()
    limit: int = 100


class AskCancel(_Message, frozen=True, kw_only=True):
    """End it. Of one that has ended: what it left undone is not tried again by itself."""

    job: JobId


class AskRetry(_Message, frozen=True, kw_only=True):
    """Run again, now, what an ended run or cascade was about. Answered by `JobsStarted`."""

    job: JobId


class AskRestore(_Message, frozen=True, kw_only=True):
    """Run a restore here. Without `order` the point is in a repository this node owns (local socket only). `spares`: orders for other
    copies of the same point, the best first."""

    request: RestoreRequest
    order: SignedOrder | None = None
    spares: tuple[SignedOrder, ...] = ()
    point: PointId = PointId("")
    paths: tuple[bytes, ...] = ()
    trigger: str = ""


class AskStatus(_Message, frozen=True, kw_only=True):
    """How this node does."""


class AskMaintenance(_Message, frozen=True, kw_only=True):
    """Start a task on one repository (name or id) as a job. `dry_run`: only tell what it would do."""

    repository: str
    task: Task
    dry_run: bool = False
    trigger: str = ""


class AskExplain(_Message, frozen=True, kw_only=True):
    """Why the version of this path is there that was the newest at a time (None = now)."""

    path: bytes
    dataset: str = ""
    repository: str = ""
    at: datetime | None = None


class AskRepositoryEnv(_Message, frozen=True, kw_only=True):
    """Location and password for stock restic. Local socket only, never over the hub."""

    repository: str


class AskSample(_Message, frozen=True, kw_only=True):
    """What this classification would choose on this machine now, and what it would leave out and why: at most `limit` paths of each."""

    classification: Classification
    limit: int = 50


class AskFolders(_Message, frozen=True, kw_only=True):
    """The direct sub-folders of a folder of this machine, within its limits. `path` empty or `/` = where to begin."""

    path: bytes = b""


class AskLimits(_Message, frozen=True, kw_only=True):
    """What this machine's root lets the Master ask of it."""


Question = (
    AskAdopt
    | AskAnchors
    | AskPoints
    | AskMoment
    | AskMoments
    | AskMirrors
    | AskListing
    | AskDiff
    | AskFind
    | AskHistory
    | AskSearch
    | AskTrigger
    | AskJobs
    | AskCancel
    | AskRetry
    | AskPauseJob
    | AskResumeJob
    | AskOrders
    | AskUndo
    | AskRecall
    | AskRestore
    | AskDrill
    | AskStatus
    | AskMaintenance
    | AskPause
    | AskJudgeAnomaly
    | AskRepositoryEnv
    | AskSeed
    | AskChangePoints
    | AskExplain
    | ArchiveQuestion
    | AskSample
    | AskFolders
    | AskTail
    | AskLimits
    | AskDownloadPort
    | AskDoctor
    | KeyQuestion
)


class Points(_Message, frozen=True, kw_only=True):
    points: tuple[Point, ...]


class Explanations(_Message, frozen=True, kw_only=True):
    rows: tuple[Explanation, ...]


class Listings(_Message, frozen=True, kw_only=True):
    """`more`: the limit cut it, go on with `after` = the last path. `point`: what was listed. `lost`: folders on the way whose listing is
    damaged, nothing below is told; the first ones. `gaps`, of a time: when not all was protected. `partly`: part, by the owner's rules."""

    rows: tuple[Listing, ...]
    more: bool = False
    point: Point | None = None
    lost: tuple[LostListing, ...] = ()
    gaps: tuple[Gap, ...] = ()
    partly: tuple[Finding, ...] = ()


def listed_age(answer: Listings) -> tuple[datetime, int, str]:
    """Of several answers to "this dataset at this time" the one with the greatest is right: it lists the newest point."""
    point = answer.point
    return (point.time, point.seq, point.id) if point is not None else (datetime.min.replace(tzinfo=UTC), 0, "")


class JobsStarted(_Message, frozen=True, kw_only=True):
    """`started`: the jobs as they stand, so that whoever hands out their ids knows the jobs too, before the node has reported them."""

    started: tuple[Job, ...]

    @property
    def jobs(self) -> tuple[JobId, ...]:
        return tuple(job.id for job in self.started)


class Jobs(_Message, frozen=True, kw_only=True):
    jobs: tuple[Job, ...]
    progress: tuple[Progress, ...] = ()


class Protection(_Message, frozen=True, kw_only=True):
    """One (dataset, operation, action of a receiver): when it was last acknowledged, when it is due, what is wrong.

    `action` is what people call it, like `store main`; a receiver may have several for one operation. `action_id` and `delivery` are
    those of the rules. `due_at`: of an operation without a schedule that goes in batches, the run of its dataset that it rides with.
    `state` is succeeded, warnings, failed, running, queued or unknown (never ran). `overdue` = the RPO is broken.
    `newest_at`: the newest capture there is for it. `behind_runs`: finished runs that it has not acknowledged, the oldest of them captured
    at `behind_since`. `job`: the one that runs or waits for it now. `closed_until`: the mover's window is closed until then; `waits`:
    something waits for it to open, which is no fault. `owed`: what those runs changed, estimated; null = not known. `wait`: why it stands
    still, where something is known to be waited for. `retry_at`: when what is wrong is tried again by itself, after `retries` attempts.
    """

    dataset: str
    dataset_id: DatasetId
    operation: str
    receiver: str
    action: str = ""
    state: State
    last_at: datetime | None = None
    due_at: datetime | None = None
    every_s: float | None = None
    overdue: bool = False
    missed: int = 0
    error: ErrorFacts | None = None
    action_id: ActionId = ActionId("")
    delivery: str = ""
    newest_at: datetime | None = None
    behind_runs: int = 0
    job: JobId | None = None
    closed_until: datetime | None = None
    waits: bool = False
    behind_since: datetime | None = None
    owed: Amount | None = None
    wait: Wait | None = None
    retry_at: datetime | None = None
    retries: int = 0


class NodeStatus(_Message, frozen=True, kw_only=True):
    """`findings` are standing problems of the machine: low disk, no limits, a refused rule."""

    node: str
    generation: int
    protections: tuple[Protection, ...] = ()
    repositories: tuple[RepositoryStatus, ...] = ()
    findings: tuple[Finding, ...] = ()
    running: tuple[JobId, ...] = ()
    reports_waiting: int = 0
    following: tuple[Following, ...] = ()


class RepositoryEnv(_Message, frozen=True, kw_only=True):
    """For stock restic. `variables`: what it needs in its environment beside these two, such as the keys of an object store."""

    location: str
    password: str
    variables: dict[str, str] = {}


class LimitsTold(_Message, frozen=True, kw_only=True):
    """Folders below which may be read and written (null = anywhere but Holdfast's own places), and the directory of the hooks (empty =
    none are allowed)."""

    read: tuple[str, ...] | None = None
    write: tuple[str, ...] | None = None
    hooks: str = ""


class Done(_Message, frozen=True, kw_only=True):
    """Nothing more to say."""


class Failed(_Message, frozen=True, kw_only=True):
    error: ErrorFacts


Answer = (
    Adopted
    | Seeded
    | AnchorsTold
    | PauseTold
    | AnomalyJudged
    | PointsChanged
    | Explanations
    | Points
    | Moments
    | Mirrors
    | Listings
    | FoundHere
    | Differences
    | JobsStarted
    | OrdersTold
    | Jobs
    | NodeStatus
    | RepositoryEnv
    | Sample
    | ArchiveAnswer
    | Folders
    | Tailed
    | LimitsTold
    | DownloadPort
    | Examined
    | KeyAnswer
    | Done
    | Failed
)
