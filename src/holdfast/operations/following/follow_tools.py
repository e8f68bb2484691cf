"""What the follower works with, and what its small runs tell it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from holdfast.capture.ports import CaptureResult
from holdfast.core.clock import Clock
from holdfast.core.errors import ErrorFacts
from holdfast.core.ids import DatasetId
from holdfast.host.watch import Batch, Means
from holdfast.model.following import Following
from holdfast.operations.following.claims import Claims
from holdfast.operations.following.plan import Followed
from holdfast.operations.following.record import Record
from holdfast.operations.following.session_pool import SessionPool
from holdfast.operations.run_order import More, SmallRun
from holdfast.operations.running import Cancellation

_AWAY = ErrorFacts("not-reachable", "no receiver could take what has changed", "it goes on by itself", True)


@dataclass(frozen=True)
class SmallResult:
    """What became of a small run. `captured` None: nothing was captured, all of the work is still to be done. `failed`: datasets some
    receiver of which did not get it, and why; it gets it from the state, without another look."""

    captured: CaptureResult | None
    failed: Mapping[DatasetId, ErrorFacts]
    error: ErrorFacts | None = None

    def has_captured(self, dataset: DatasetId) -> bool:
        """Whether what was to be looked at there is done."""
        found = self.captured
        return found is not None and found.is_whole and dataset in found.totals and dataset not in found.refused

    def why_not(self, dataset: DatasetId) -> ErrorFacts | None:
        """One that nobody could take is left out where others are captured."""
        if self.captured is not None and (refused := self.captured.refused.get(dataset)) is not None:
            return refused.facts()
        return self.failed.get(dataset) or self.error or (None if self.captured is None else _AWAY)


@dataclass(frozen=True)
class LargeFile:
    """Of a dataset. `is_closed`: its writer has closed it. `closed`: deliveries that take no part."""

    followed: Followed
    path: bytes
    is_closed: bool
    closed: frozenset[str]


class Source(Protocol):
    """The node's state, as far as the follower needs it."""

    def is_ready(self, dataset: DatasetId) -> bool:
        """Whether the dataset was scanned whole, at some time."""
        ...

    def paths_of(self, inodes: Iterable[int]) -> tuple[bytes, ...]:
        """All recorded names of files that have several."""
        ...

    def small_run(self, datasets: Sequence[Followed], small: SmallRun, cancellation: Cancellation, more: More) -> SmallResult:
        """Never raises. The datasets are claimed. `more`: what else is to be done."""
        ...

    def lay_ahead(self, file: LargeFile, cancellation: Cancellation) -> bool:
        """Sends some of its content ahead of the run that commits it, for about a second. True = there is nothing more to send ahead.
        Never raises. The dataset is claimed."""
        ...

    def idle(self) -> None:
        """Called every second or sooner."""
        ...


@dataclass(frozen=True, kw_only=True)
class FollowTools:
    """`tell` hears how datasets are followed, at most once a second, `heard` all that the watch tells. `record` lasts over restarts.
    `only`: watch by this means, or not at all. `spooled`: adds what waits for receivers to how a dataset is followed."""

    clock: Clock
    source: Source
    claims: Claims
    pool: SessionPool
    record: Record
    tell: Callable[[tuple[Following, ...]], None]
    heard: Callable[[Batch], None] = lambda _: None
    only: Means | None = None
    spooled: Callable[[Following], Following] = lambda following: following
