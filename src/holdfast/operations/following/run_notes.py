"""What one run of a followed dataset sends, and to whom it came: noted as it passes, for `tail`."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from holdfast.core.ids import ActionId, DatasetId
from holdfast.model.change import Move, Put
from holdfast.model.jobs import Job, Progress
from holdfast.model.rules import Delivery, title_of
from holdfast.model.stream import Outgoing
from holdfast.operations.running import Delivered, News

MOST_SEEN = 500

Steps = Iterator[Mapping[DatasetId, Outgoing]]
IsTold = Callable[[DatasetId, int, int], bool]
"""Whether what a run changed in a dataset was told before; asked by the run whose number is the last."""


class Capturing(Protocol):
    """What notes need to know of a `CaptureRun`."""

    @property
    def run(self) -> int: ...

    @property
    def moves(self) -> Mapping[DatasetId, tuple[Move, ...]]: ...


class Seen(NamedTuple):
    """One change. `file_kind` empty: it was removed. `was`: it moved from there."""

    path: bytes
    was: bytes | None = None
    file_kind: str = ""
    size_bytes: int = 0


@dataclass
class Noted:
    """Of one dataset. `count`: of all that changed; the newest are in `seen`. `below`: of what moved, how many entries came along."""

    dataset: DatasetId
    run: int
    moved: Mapping[bytes, bytes]
    count: int = 0
    seen: deque[Seen] = field(default_factory=lambda: deque(maxlen=MOST_SEEN))
    below: dict[bytes, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._left = frozenset(self.moved.values())

    def go_on(self, run: int, moved: Mapping[bytes, bytes]) -> None:
        """The next of several captures."""
        self.run, self.moved = run, moved
        self._left = frozenset(moved.values())

    def put(self, change: Put) -> None:
        entry = change.entry
        if self.moved and (top := _top_of(entry.path, self.moved)) is not None and top != entry.path:
            self.below[top] = self.below.get(top, 0) + 1
            return
        self._add(Seen(entry.path, self.moved.get(entry.path), entry.kind.value, entry.size_bytes))

    def removed(self, path: bytes) -> None:
        if not self._left or _top_of(path, self._left) is None:
            self._add(Seen(path))

    def _add(self, seen: Seen) -> None:
        self.count += 1
        self.seen.append(seen)


class RunNotes:
    """The `News` of one run, which hands on all it is told."""

    def __init__(self, news: News, deliveries: Sequence[Delivery], is_told: IsTold) -> None:
        self._news = news
        self._is_told = is_told
        self._deliveries = {delivery.id: delivery for delivery in deliveries}
        self.noted: dict[DatasetId, Noted] = {}
        self.outcomes: list[Delivered] = []

    def job(self, job: Job) -> None:
        self._news.job(job)

    def progress(self, progress: Progress) -> None:
        self._news.progress(progress)

    def delivered(self, delivered: Delivered) -> None:
        self.outcomes.append(delivered)
        self._news.delivered(delivered)

    def have_told(self) -> None:
        """Whoever wants to know has read it: what is noted from now on is the rest."""
        self.noted.clear()
        self.outcomes.clear()

    def steps(self, capture: Capturing, steps: Steps) -> Steps:
        """The same steps, looked at as they pass."""
        for step in steps:
            for dataset, outgoing in step.items():
                self._note(capture, dataset, outgoing)
            yield step

    def titles(self, told: Delivered) -> tuple[str, str]:
        """What people call the dataset, and the action: `store main on vault`."""
        delivery = self._deliveries[told.delivery]
        return delivery.label, f"{title_of(delivery, ActionId(told.action))} on {delivery.receiver_name}"

    def label(self, dataset: DatasetId) -> str:
        return next((delivery.label for delivery in self._deliveries.values() if delivery.dataset == dataset), dataset)

    def receivers(self, dataset: DatasetId) -> tuple[str, ...]:
        """The actions that have what this run sent, or get it out of the spool."""
        mine = [told for told in self.outcomes if told.dataset == dataset and (told.error is None or told.spooled)]
        return tuple(self.titles(told)[1] + (" (in the spool)" if told.spooled else "") for told in mine)

    def _note(self, capture: Capturing, dataset: DatasetId, outgoing: Outgoing) -> None:
        if dataset not in self.noted:
            moved = {move.path: move.moved_from for move in capture.moves.get(dataset, ())}
            self.noted[dataset] = Noted(dataset, capture.run, moved)
        noted = self.noted[dataset]
        if noted.run != capture.run:
            noted.go_on(capture.run, {move.path: move.moved_from for move in capture.moves.get(dataset, ())})
        for change, run in zip(outgoing.segment.changes, outgoing.change_runs, strict=True):
            if self._is_told(dataset, run, capture.run):
                continue
            if isinstance(change, Put):
                noted.put(change)
            else:
                noted.removed(change.path)


def _top_of(path: bytes, tops: Collection[bytes]) -> bytes | None:
    """Of these, the one that the path is or lies below."""
    while path not in tops:
        path = path[: path.rfind(b"/")]
        if not path:
            return None
    return path
