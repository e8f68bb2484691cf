"""What a run is asked to do, and what it works with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from holdfast.capture.comparison import Compared
from holdfast.capture.ports import CaptureResult, Moved, Place
from holdfast.capture.reader import Captured
from holdfast.capture.scan import Capture
from holdfast.capture.state import CaptureState
from holdfast.core.clock import Clock
from holdfast.core.entropy import Entropy
from holdfast.core.errors import ErrorFacts
from holdfast.core.ids import DatasetId
from holdfast.delivery.overflow import OverflowRoom
from holdfast.host.snapshots import NONE, Snapshots
from holdfast.model.gaps import Gap
from holdfast.model.jobs import Job
from holdfast.model.rules import DatasetRule, Delivery
from holdfast.operations.connecting import Dial
from holdfast.operations.following.run_notes import Capturing, Steps
from holdfast.operations.following.session_pool import SessionPool
from holdfast.operations.running import News
from holdfast.operations.spooling.keepers import Keepers

HookRunner = Callable[[DatasetRule, str], None]
"""Runs the dataset's hook of a phase (`before`, `after`); raises `HookFailed` or `OutsideLimits`. Not called where no hook is named."""


SnapshotTaker = Callable[[Sequence[bytes]], Snapshots]
"""Snapshots of what holds these roots, and findings where there can be none. Never raises."""


@dataclass(frozen=True, kw_only=True)
class SmallRun:
    """Of a run that looks only at some places: those, the moves among them, and by dataset the gaps it heals and since when it is `due`.
    `closed`: deliveries that take no part, since their movers' windows are closed."""

    places: tuple[Place, ...]
    moves: tuple[Moved, ...] = ()
    gaps: Mapping[DatasetId, tuple[Gap, ...]] = field(default_factory=dict)
    closed: frozenset[str] = frozenset()
    due: Mapping[DatasetId, datetime] = field(default_factory=dict)


More = Callable[[Callable[[], bool]], SmallRun | None]
"""Asked when all that a small run was to do is on its way: what else there is by then, None = it ends. Waits for it as long as it is told
that this is early: that nobody waits for the end of the run. What it gives may be parted (`following.stages`)."""


LetGo = Callable[[Mapping[DatasetId, ErrorFacts]], None]
"""Hears which datasets a small run goes on for, and why."""


@dataclass(frozen=True, kw_only=True)
class RunOrder:
    """What to run. `operations` per dataset are the due ones; a delivery that carries none of them is left alone.

    `catch_up`: no scan; receivers that are behind get the newest finished run. `small`: no scan but of its places, for all continuous
    deliveries of the datasets; the commit is one of their continuous stream. No hook is run by either. `is_part`: of a job that makes
    several runs, of other datasets.
    """

    job: Job
    datasets: tuple[DatasetRule, ...]
    deliveries: tuple[Delivery, ...]
    operations: Mapping[DatasetId, tuple[str, ...]]
    generation: int
    accept: bool = False
    adopt: bool = False
    catch_up: bool = False
    small: SmallRun | None = None
    is_part: bool = False

    @property
    def is_by_hand(self) -> bool:
        """Whether a person asked for it: then closed windows do not count."""
        return self.job.cause == "trigger"

    @property
    def is_in_no_list(self) -> bool:
        """Whether it is a small run that is nobody's job: only what is told of its actions says what became of it."""
        return self.small is not None and not self.job.id

    @property
    def is_scan(self) -> bool:
        """Whether the whole of the datasets is looked at."""
        return not self.catch_up and self.small is None


@dataclass(frozen=True, kw_only=True)
class RunTools:
    """What a run works with. `dial` opens a Deliver channel to a receiver, `dial_read` a Read channel. `zone` is this machine's (IANA).
    `pool` keeps sessions of small runs, `keepers` runs for who is away; `captured` hears what a run has captured, `broken_off` which files
    got or lost a name in what it has not captured whole (`CaptureRun.linked`), `noted` sees on the way what it sends. `compared`: the look
    at everything, where it was taken before; `prepared`: large files that were read and sent ahead. `let_go`: called once when all is
    captured and only deliveries are waited for that may take their time, those that are not continuous, or of a small run those that
    nothing is kept for: small runs may go on (None = the datasets stay the run's to its end). `overflow`: where what those have not taken
    waits meanwhile. `more`: what else a small run is to do."""

    clock: Clock
    entropy: Entropy
    state: CaptureState
    capture: Capture
    dial: Dial
    dial_read: Dial
    hook: HookRunner
    news: News
    zone: str
    hostname: str
    pool: SessionPool | None = None
    keepers: Keepers | None = None
    snapshots: SnapshotTaker = lambda _: NONE
    captured: Callable[[CaptureResult], None] = lambda _: None
    broken_off: Callable[[frozenset[int]], None] = lambda _: None
    noted: Callable[[Capturing, Steps], Steps] = lambda _, steps: steps
    compared: Compared | None = None
    let_go: LetGo | None = None
    overflow: OverflowRoom | None = None
    prepared: Mapping[bytes, Captured] = field(default_factory=dict)
    more: More = lambda _: None
