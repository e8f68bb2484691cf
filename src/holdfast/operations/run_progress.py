"""Progress of a source run: scanning, reading, then sending what is still on its way; and how far each receiver has got."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from holdfast.core.clock import Clock
from holdfast.core.ids import DatasetId
from holdfast.delivery.fanout import FanOut, LaneFigures
from holdfast.model.bottleneck import SHORTEST_S, Bottleneck, Ends, LaneTimes, judge
from holdfast.model.jobs import LaneProgress
from holdfast.model.rules import Delivery, title_of
from holdfast.operations.pace import Pace
from holdfast.operations.run_lanes import Lane
from holdfast.operations.running import Meter

STILL_S = 1.0
"""A lane that has something to take, and took nothing for so long, is waiting."""
RECENT_S = 10.0
"""What holds a running lane up is judged by so much of its time."""

Expected = Callable[[DatasetId, int | None], int | None]
"""Bytes that a capture will offer a receiver of the dataset that stands at a seq (None = at nothing); None while it cannot know."""


class LaneMeter:
    """The figures of one delivery as progress. Used by one thread."""

    def __init__(self, delivery: Delivery, source: str = "") -> None:
        """`source`: what is read, where it is not the dataset in its place."""
        self._delivery = delivery
        self._action = ", ".join(title_of(delivery, action) for action in delivery.actions)
        self._pace = Pace()
        self._moved = (-1, -1, 0.0)
        self._ends = Ends(source or delivery.label, delivery.receiver_name)
        self._spent: deque[tuple[float, LaneTimes]] = deque()

    def progress(self, now_s: float, figures: LaneFigures, total_bytes: int) -> LaneProgress:
        done, sent, moved_s = self._moved
        if (done, sent) != (figures.done_bytes, figures.sent_bytes):
            self._moved = (figures.done_bytes, figures.sent_bytes, now_s)
            moved_s = now_s
        pending = figures.is_live and figures.given_bytes > figures.done_bytes
        return LaneProgress(
            delivery=self._delivery.id,
            dataset=self._delivery.label,
            receiver=self._delivery.receiver_name,
            action=self._action,
            done_bytes=figures.done_bytes,
            total_bytes=total_bytes,
            rate_bytes_s=self._pace.rate(now_s, figures.sent_bytes) if figures.is_live else 0.0,
            waiting=pending and now_s - moved_s >= STILL_S,
            bottleneck=self._bottleneck(now_s, figures.times) if figures.is_live else None,
        )

    def _bottleneck(self, now_s: float, times: LaneTimes) -> Bottleneck | None:
        """Of the last seconds: what held it up a minute ago may be over."""
        self._spent.append((now_s, times))
        while len(self._spent) > 2 and self._spent[1][0] <= now_s - RECENT_S:
            self._spent.popleft()
        recent = times.since(self._spent[0][1]) if len(self._spent) > 1 else times
        found = judge(recent, self._ends)
        return found if found.message and recent.wall_s >= SHORTEST_S else None


class LanesProgress:
    """All deliveries of a run. While the capture goes on a total is what it expects to offer; once it has ended, what it did offer."""

    def __init__(self, lanes: Sequence[Lane], fan: FanOut, expected: Expected, clock: Clock) -> None:
        self._fan = fan
        self._expected = expected
        self._clock = clock
        self._bases = {lane.delivery.id: (lane.dataset, lane.base_seq) for lane in lanes}
        self._meters = {lane.delivery.id: LaneMeter(lane.delivery) for lane in lanes}
        self._totals: dict[str, int] = {}
        self.capture_is_over = False

    def __call__(self) -> tuple[LaneProgress, ...]:
        now_s = self._clock.monotonic_s()
        return tuple(self._meters[id_].progress(now_s, figures, self._total(id_, figures)) for id_, figures in self._figures().items())

    def sums(self) -> tuple[int, int]:
        """Done and total bytes of the deliveries that still run, and of those that ended as far as they came; total 0 = not known."""
        figures = self._figures()
        totals = [self._total(id_, each) for id_, each in figures.items()]
        known = self.capture_is_over or all(totals)
        return sum(each.done_bytes for each in figures.values()), sum(totals) if known else 0

    def _figures(self) -> dict[str, LaneFigures]:
        """Of the receivers: a spool beside one is nobody's progress."""
        return {id_: figures for id_, figures in self._fan.figures().items() if id_ in self._bases}

    def _total(self, id_: str, figures: LaneFigures) -> int:
        if self.capture_is_over:
            return figures.given_bytes if figures.is_live else figures.done_bytes
        if id_ not in self._totals:
            found = self._expected(*self._bases[id_])
            if found is None:
                return 0
            self._totals[id_] = found
        return max(self._totals[id_], figures.given_bytes)


class RunProgress:
    """What a run tells its meter. Used by the run's own thread."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._lanes: LanesProgress | None = None
        self._captured = ("scan", 0, 0, 0)

    def follow(self, lanes: LanesProgress) -> None:
        self._lanes = self._meter.lanes = lanes

    def captured(self, phase: str, done_files: int, done_bytes: int, total_bytes: int) -> None:
        """The capture's own progress."""
        self._captured = (phase, done_files, done_bytes, total_bytes)
        self.tick()

    def capture_is_over(self) -> None:
        """Everything was read; from now on only the receivers are waited for."""
        if self._lanes is not None:
            self._lanes.capture_is_over = True

    def tick(self) -> None:
        """Tell what moved. Where nothing is read (a catch-up), or nothing more, it is the receivers that move."""
        phase, files, done, total = self._captured
        over = self._lanes is not None and self._lanes.capture_is_over
        if self._lanes is not None and (over or (phase != "scan" and not total)):
            phase, (done, total) = "sending", self._lanes.sums()
        self._meter.report(phase, files, done, total)
