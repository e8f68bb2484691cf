"""The content of large files goes ahead of their commit, a second's worth at a time, so that small changes pass between.

A receiver takes one commit of a dataset at a time, and a large file is one change. So its content is sent in commits that are never ended:
what came of them the receiver keeps, and does not ask for again. The file is read once for it; the run that then commits it finds it read
and sent, and takes a moment.
"""

from __future__ import annotations

import logging
import os
import stat
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from holdfast.capture.ahead import AheadFile
from holdfast.capture.ports import CaptureResult
from holdfast.capture.reader import Captured
from holdfast.capture.state import CaptureState
from holdfast.core.clock import Clock
from holdfast.core.errors import Cancelled, HoldfastError
from holdfast.core.ids import DatasetId
from holdfast.delivery.session import DeliverySession
from holdfast.model.entry import walk_key
from holdfast.model.rules import DatasetRule, Delivery
from holdfast.operations.connecting import Connector
from holdfast.operations.following.backlog import PORTION_BYTES
from holdfast.operations.run_lanes import Lane
from holdfast.operations.running import Cancellation

logger = logging.getLogger(__name__)

SLICE_S = 1.0
# What a repository gathers in memory of a commit that may be held; more would make it seal all that it holds.
SLICE_BYTES = 12 * 1024 * 1024
_PIECE_BYTES = 4 * 1024 * 1024
_PIECE_S = 0.25
# Who reads has them open. Of one that has to go nothing is lost but the reading.
_MOST_OPEN = 4
_MOST_PREPARED = 64
# A file that nobody has closed and that was written so recently is not at rest.
_QUIET_NS = 2_000_000_000


def is_at_rest(mtime_ns: int, now_ns: int) -> bool:
    """What is dated in the future was given that date, or the clock was set back: it was not written just now either."""
    return abs(now_ns - mtime_ns) >= _QUIET_NS


@dataclass(frozen=True)
class Ahead:
    """A large file of a dataset, and the deliveries that are to have it. `is_closed`: its writer has closed it."""

    rule: DatasetRule
    deliveries: tuple[Delivery, ...]
    path: bytes
    is_closed: bool


class LayingAhead:
    """Used by the follower's thread, with a claim on the dataset. `prepared`: files that were read and sent, for the run that commits
    them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._open: OrderedDict[tuple[DatasetId, bytes], AheadFile] = OrderedDict()
        self.prepared: dict[bytes, Captured] = {}

    def go_on(self, what: Ahead, state: CaptureState, connector: Connector, cancellation: Cancellation) -> bool:
        """Sends for about a second. True = there is nothing to send ahead (any more): make the run. Never raises what a file or a receiver
        does wrong: the run meets it again, and says so."""
        key = (what.rule.id, what.path)
        try:
            file = self._open.pop(key, None) or self._begin(what, state)
            if file is None:
                return True
            self._open[key] = file
            if not self._send(file, what, state, connector, cancellation):
                return False
            if (captured := file.finish()) is not None:
                self._prepare(captured)
        except (OSError, HoldfastError) as error:
            logger.info("a large file did not go ahead", extra={"facts": {"error": str(error)}})
        if (ended := self._open.pop(key, None)) is not None:
            ended.close()
        return True

    def committed(self, captured: Sequence[CaptureResult]) -> None:
        """A run came to its end with what is prepared, if it captured anything."""
        if captured:
            self.prepared.clear()

    def close(self) -> None:
        while self._open:
            self._open.popitem()[1].close()

    def _begin(self, what: Ahead, state: CaptureState) -> AheadFile | None:
        """None where the run may as well read it: it is on its way to change again, or most of it is known, or it was read already."""
        status = os.lstat(what.path)
        row = state.row(walk_key(what.path))
        is_known = row is not None and row.members and row.inode == status.st_ino and status.st_size < row.size + PORTION_BYTES
        rests = what.is_closed or is_at_rest(status.st_mtime_ns, self._clock.now_ns())
        if not stat.S_ISREG(status.st_mode) or is_known or not rests or status.st_nlink > 1 or what.path in self.prepared:
            return None
        while len(self._open) >= _MOST_OPEN:
            self._open.popitem(last=False)[1].close()
        return AheadFile(what.path, what.rule.classification.granularity, state, self._clock)

    def _send(self, file: AheadFile, what: Ahead, state: CaptureState, connector: Connector, cancellation: Cancellation) -> bool:
        """Whether that was all of it."""
        until_s = self._clock.monotonic_s() + SLICE_S
        while self._clock.monotonic_s() < until_s:
            lanes = self._lanes(what, state, connector, cancellation)
            if not lanes:
                return True
            try:
                if self._send_some(file, lanes, state.run + 1, until_s, cancellation):
                    return True
            finally:
                for lane in lanes:
                    if lane.session is not None:
                        lane.session.leave(Cancelled("the content of a large file goes ahead of its commit"))
        return False

    def _send_some(self, file: AheadFile, lanes: Sequence[Lane], run: int, until_s: float, cancellation: Cancellation) -> bool:
        rates = [lane.session.slowest_bytes_s for lane in lanes if lane.session is not None]
        slowest = min((rate for rate in rates if rate), default=None)
        most_bytes = _PIECE_BYTES if slowest is None else max(1, min(_PIECE_BYTES, int(slowest * _PIECE_S)))
        sent_bytes = number = 0
        while sent_bytes < SLICE_BYTES and self._clock.monotonic_s() < until_s:
            cancellation.check()
            piece = file.piece(most_bytes, number, run)
            if piece is None:
                return True
            for lane in lanes:
                _send_to(lane, partial(DeliverySession.send, outgoing=piece))
            for lane in lanes:
                _send_to(lane, DeliverySession.settle)
            if all(lane.error is not None for lane in lanes):
                # The next attempt, or the run, starts from what arrived.
                return True
            number += 1
            sent_bytes += sum(ref.size_bytes for ref in piece.segment.offered)
        return False

    def _lanes(self, what: Ahead, state: CaptureState, connector: Connector, cancellation: Cancellation) -> list[Lane]:
        """Open commits of those receivers that can take it and are near: who is further behind gets all of it in a run."""
        ready = []
        for delivery in what.deliveries:
            lane = Lane(what.rule, delivery)
            try:
                connector.connect(lane, cancellation)
                if lane.live_actions and lane.choose_base(state) is not None and lane.session is not None:
                    lane.session.forgo_burst()
                    lane.begin(state.epoch, state.run + 1, "")
                    ready.append(lane)
                    continue
            except (HoldfastError, OSError) as error:
                logger.info("a receiver is not sent a large file ahead", extra={"facts": {"error": str(error)}})
            with suppress(HoldfastError):
                lane.close()
        return ready

    def _prepare(self, captured: Captured) -> None:
        while len(self.prepared) >= _MOST_PREPARED:
            del self.prepared[next(iter(self.prepared))]
        self.prepared[captured.entry.path] = captured


def _send_to(lane: Lane, call: Callable[[DeliverySession], None]) -> None:
    if lane.error is not None or lane.session is None:
        return
    try:
        call(lane.session)
    except HoldfastError as error:
        lane.error = error.facts()
