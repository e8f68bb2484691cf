"""Questions to a node and their answers: one closed union, carried by the hub session and by the node's local socket alike."""

from __future__ import annotations

import msgspec

from holdfast.core.errors import ErrorFacts
from holdfast.core.ids import DatasetId, JobId
from holdfast.model.adoption import Adopted, AskAdopt
from holdfast.model.anomalies import AnomalyJudged, AskJudgeAnomaly
from holdfast.model.archive_questions import ArchiveAnswer, ArchiveQuestion
from holdfast.model.audit import AnchorsTold, AskAnchors
from holdfast.model.differences import AskDiff, Differences
from holdfast.model.doctor import AskDoctor, Examined
from holdfast.model.downloads import AskDownloadPort, DownloadPort
from holdfast.model.explanations import AskExplain, Explanations
from holdfast.model.jobs import Job, Progress
from holdfast.model.keys import KeyAnswer, KeyQuestion
from holdfast.model.listing_questions import AskFind, AskHistory, AskListing, AskPoints, Listings, Points
from holdfast.model.maintenance import Task
from holdfast.model.mirrors import AskMirrors, Mirrors
from holdfast.model.moments import AskMoment, AskMoments, Moments
from holdfast.model.node_status import NodeStatus
from holdfast.model.pausing import AskPause, PauseTold
from holdfast.model.point_changes import AskChangePoints, PointsChanged
from holdfast.model.recalling import AskRecall
from holdfast.model.restoring import AskOrders, AskPauseJob, AskRestore, AskResumeJob, AskUndo, OrdersTold
from holdfast.model.sampling import AskFolders, AskSample, Folders, Sample
from holdfast.model.searching import AskSearch, FoundHere
from holdfast.model.seeding import AskSeed, Seeded
from holdfast.model.tail import AskTail, Tailed
from holdfast.model.trials import AskDrill


class _Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=True):
    """Base; the tag on the wire is the class name."""


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


class AskStatus(_Message, frozen=True, kw_only=True):
    """How this node does."""


class AskMaintenance(_Message, frozen=True, kw_only=True):
    """Start a task on one repository (name or id) as a job. `dry_run`: only tell what it would do."""

    repository: str
    task: Task
    dry_run: bool = False
    trigger: str = ""


class AskRepositoryEnv(_Message, frozen=True, kw_only=True):
    """Location and password for stock restic. Local socket only, never over the hub."""

    repository: str


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


class JobsStarted(_Message, frozen=True, kw_only=True):
    """`started`: the jobs as they stand, so that whoever hands out their ids knows the jobs too, before the node has reported them."""

    started: tuple[Job, ...]

    @property
    def jobs(self) -> tuple[JobId, ...]:
        return tuple(job.id for job in self.started)


class Jobs(_Message, frozen=True, kw_only=True):
    jobs: tuple[Job, ...]
    progress: tuple[Progress, ...] = ()


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
