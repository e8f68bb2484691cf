"""What a capture is asked and what it gives. `scan.Capture` implements `run`."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from holdfast.core.errors import HoldfastError, SourceVanished
from holdfast.core.ids import DatasetId, Epoch
from holdfast.host.sight import IN_PLACE, Sight
from holdfast.model.change import Move
from holdfast.model.jobs import Counters, Finding
from holdfast.model.rules import DatasetRule
from holdfast.model.stream import Outgoing


@dataclass(frozen=True, slots=True)
class Place:
    """Where to look: at `path` (absolute, clean, no link on the way), and with `below` at all that lies below it, too."""

    path: bytes
    below: bool = False


@dataclass(frozen=True, slots=True)
class Moved:
    """What is at `path` was at `moved_from` before, as inode `inode`, as the kernel told. Who finds that inode recorded there need not read
    again what did not change otherwise."""

    moved_from: bytes
    path: bytes
    inode: int


@dataclass(frozen=True)
class CaptureRequest:
    """Capture these datasets in one walk. `bases`: per dataset the lowest seq some receiver stands at (None = a receiver needs all).

    `places`: look only there, everything else is as it was (None = look everywhere); costs by what is looked at, not by what is known.
    Roots that are new to the state are looked at as a whole all the same. An empty tuple touches nothing but the roots themselves.
    `moves`, in the order they happened, only together with `places`, which name both ends of each with `below`.

    `accept` lifts the vanished-source guard for this run. `scan=False` reads nothing new and only emits what receivers lack from
    the state (catch-up). `strange`: datasets of which some receiver holds what this state knows nothing of (the state was lost, or made
    anew while that receiver was away); if their source is empty it is taken for vanished. `sight`: where is looked at what the paths name;
    never together with `places`.
    """

    datasets: tuple[DatasetRule, ...]
    bases: Mapping[DatasetId, int | None]
    accept: bool = False
    scan: bool = True
    strange: frozenset[DatasetId] = frozenset()
    places: tuple[Place, ...] | None = None
    moves: tuple[Moved, ...] = ()
    sight: Sight = IN_PLACE


@dataclass(frozen=True)
class DatasetTotals:
    """The whole dataset after the run."""

    files: int
    size_bytes: int
    warnings: int


@dataclass(frozen=True)
class CaptureResult:
    """`read_bytes` in `counters` counts every byte read from source files, re-reads included.
    Findings are cut at 1,000, `findings_total` is not. `refused`: datasets that were left out, by the vanished-source guard or because
    nobody could take them; nothing was emitted for them and nothing of them must be committed. `suspects`: paths whose version may not be
    the newest, because they changed as they were looked at; look again soon (cut at 10,000).
    `linked`: inodes of files that got or lost a name; what is recorded of their other names is not as it is any more.
    `read_until`: when the last of it was read; None = all of it is of `captured_at`, as in a snapshot.
    `is_whole` False: of several captures that were to follow each other some were not made; look at all of it again.
    """

    run: int
    captured_at: datetime
    totals: Mapping[DatasetId, DatasetTotals]
    counters: Counters
    findings: tuple[Finding, ...]
    findings_total: int
    refused: Mapping[DatasetId, HoldfastError] = field(default_factory=dict)
    suspects: tuple[bytes, ...] = ()
    linked: frozenset[int] = frozenset()
    read_until: datetime | None = None
    is_whole: bool = True


class CaptureRun(Protocol):
    """One capture in progress. Iterate it to the end, then ask `result`; leaving early or an exception finishes nothing: the rows it
    updated carry its number, so the next run sends them. Raises `SourceVanished` before anything is emitted if the guard refuses every
    dataset of the request; if only some, they are in `refused` (final with the first item of the iteration) and the others are captured.
    A first run emits while it still walks: there a root that was unmounted meanwhile raises in the middle, and nothing may be committed."""

    @property
    def run(self) -> int: ...

    @property
    def epoch(self) -> Epoch: ...

    @property
    def captured_at(self) -> datetime: ...

    @property
    def refused(self) -> Mapping[DatasetId, SourceVanished]: ...

    @property
    def linked(self) -> frozenset[int]:
        """As in the result, until now. Of one that is left early the next run knows what was recorded, and sees no change in it."""
        ...

    @property
    def moves(self) -> Mapping[DatasetId, tuple[Move, ...]]:
        """Those of the request that the state confirms and whose ends both belong to the dataset. Known before the iteration."""
        ...

    def expected_bytes(self, dataset: DatasetId, base: int | None) -> int | None:
        """File content that a receiver of the dataset at `base` (None = it holds nothing) will be offered: what has changed and what it
        lacks of earlier runs. A little more than comes of it when files end up unchanged. None while the walk has not ended."""
        ...

    def __iter__(self) -> Generator[Mapping[DatasetId, Outgoing], None, None]: ...

    def result(self) -> CaptureResult: ...
