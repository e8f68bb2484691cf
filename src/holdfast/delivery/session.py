"""The sender's side of one delivery: narrows the common stream to what this receiver lacks, and sends the chunks it asks for."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from holdfast.core.errors import Cancelled, HoldfastError, ProtocolError
from holdfast.core.ids import ActionId
from holdfast.delivery.abridging import is_worth_asking
from holdfast.delivery.batches import BATCH_BYTES, batched
from holdfast.delivery.limit import Limit
from holdfast.delivery.link import DeliveryLink
from holdfast.delivery.time_sheet import Spent, TimeSheet
from holdfast.model.change import Acknowledgement, Begin, Commit, Put, Remove, Segment
from holdfast.model.entry import Kind
from holdfast.model.jobs import Counters
from holdfast.model.stream import ChunkSource, Compression, Outgoing, narrow
from holdfast.wire.channel import Channel
from holdfast.wire.data_messages import ActionState, Needed, Open

# Two segments of usual size and more small ones: enough to hide a round trip, little enough to hold in memory on both sides.
WINDOW_BYTES = 16 * 1024 * 1024
WINDOW_SEGMENTS = 16
LEAVE_S = 5.0


@dataclass(frozen=True)
class _InFlight:
    number: int
    size_bytes: int
    ids: frozenset[bytes]
    chunks: ChunkSource


class DeliverySession:
    """`open`, then any number of commits: `begin`, `send`..., `commit`. Used by one thread; `close` and `abort` may come from another.

    After any exception the session is of no further use: call `abort`. `progress` rises with every message either way;
    `is_limited` is True while the session waits because of its own limit.
    """

    def __init__(
        self,
        channel: Channel,
        *,
        compression: Compression = "auto",
        limit: Limit | None = None,
        window_bytes: int = WINDOW_BYTES,
    ) -> None:
        self._link = DeliveryLink(channel)
        self._compression = compression
        self._limit = limit
        self._window_bytes = window_bytes
        # A slow limit is kept smooth by smaller messages.
        slowest_bytes_s = None if limit is None else limit.slowest_bytes_s
        self._batch_bytes = BATCH_BYTES if slowest_bytes_s is None else max(16 * 1024, min(BATCH_BYTES, slowest_bytes_s // 4))
        self._flight: deque[_InFlight] = deque()
        self._flight_bytes = 0
        self._base_seq: int | None = None
        self._ahead: set[bytes] = set()
        self._recalled: bytes | None = None
        self._files = self._changed = self._removed = self._offered = self._sent = 0
        self.is_limited = False
        self.peer = channel.peer

    @property
    def progress(self) -> int:
        return self._link.progress

    @property
    def sheet(self) -> TimeSheet:
        """On what the thread that drives it spends its time; that thread says itself when it has nothing to send."""
        return self._link.sheet

    @property
    def pending_bytes(self) -> int:
        """Offered, and not answered yet; may be read from any thread."""
        return self._flight_bytes

    @property
    def is_committing(self) -> bool:
        """Whether the receiver has a commit to answer for, and may take as long as its storage does before it takes anything."""
        return self._link.is_unanswered

    @property
    def counters(self) -> Counters:
        """Since the last `begin`; may be read from any thread."""
        return Counters(files=self._files, changed=self._changed, removed=self._removed, offered_bytes=self._offered, sent_bytes=self._sent)

    def tell_arrivals(self, on_arrival: Callable[[], None]) -> None:
        """For whoever drives the session and wants to know when the receiver answers."""
        self._link.on_arrival = on_arrival

    def open(self, opening: Open) -> tuple[ActionState, ...]:
        """Where each action stands. Raises `NotGranted` when the receiver's rules know nothing of this delivery."""
        return self._link.open(opening)

    def begin(self, begin: Begin, actions: Sequence[ActionId]) -> None:
        """Start a commit for these actions, all of which stand at `begin.base` or later."""
        self._files = self._changed = self._removed = self._offered = self._sent = 0
        self._begin(begin, actions)

    def go_on(self, commit: Commit, begin: Begin, actions: Sequence[ActionId]) -> None:
        """Close the commit and begin the next, which builds on it, without waiting for what the actions say of it: the last one's `commit`
        tells it. Counters go on, too."""
        self.settle()
        self._link.pass_over(commit)
        self._begin(begin, actions)

    def _begin(self, begin: Begin, actions: Sequence[ActionId]) -> None:
        self._base_seq = None if begin.base is None else begin.base.seq
        self._ahead.clear()
        self._recalled = None
        self._link.start(begin, actions)

    def send(self, outgoing: Outgoing) -> None:
        """Send what of this segment the receiver lacks; waits while the window is full."""
        segment = narrow(outgoing, self._base_seq, self._ahead)
        if not segment.changes and not segment.parts:
            return
        self._recall(segment, outgoing)
        size = sum(ref.size_bytes for ref in segment.offered)
        while self._flight and (self._flight_bytes + size > self._window_bytes or len(self._flight) >= WINDOW_SEGMENTS):
            self._answer(self._link.needed())
        self._count(segment, size)
        self._link.offer(segment)
        self._flight.append(_InFlight(segment.number, size, frozenset(ref.id for ref in segment.offered), outgoing.chunks))
        self._flight_bytes += size
        self.answer()

    def _recall(self, segment: Segment, outgoing: Outgoing) -> None:
        """Ask for the version that parts of this segment build on, once. What is in flight is answered before."""
        before = outgoing.before
        if before is None or before.path == self._recalled or all(part.path != before.path for part in segment.parts):
            return
        self._recalled = before.path
        if is_worth_asking(before.chunks):
            while self._flight:
                self._answer(self._link.needed())
            self._link.recall(before.path, before.chunks)

    def answer(self) -> None:
        """Send what the receiver has asked for by now, without waiting for more; what it says of commits that were passed over is heard."""
        while self._flight or self._link.is_unanswered:
            try:
                needed = self._link.needed(0)
            except TimeoutError:
                return
            self._answer(needed)

    def settle(self) -> None:
        """Returns when the receiver has got all it wanted of what was sent so far."""
        while self._flight:
            self._answer(self._link.needed())

    def forgo_burst(self) -> None:
        """A session that is one of many in a row does not begin each time with what its limit allows at once."""
        if self._limit is not None:
            self._limit.forgo_burst()

    @property
    def slowest_bytes_s(self) -> int | None:
        """The lowest rate its limit ever allows; None = there is no limit."""
        return None if self._limit is None else self._limit.slowest_bytes_s

    def commit(self, commit: Commit) -> tuple[Acknowledgement, ...]:
        """Close the commit; returns when every action has acknowledged it or said why not."""
        self.settle()
        return self._link.finish(commit)

    def abort(self, error: HoldfastError | None = None) -> None:
        """End the session; the receiver forgets the open commit."""
        self._link.stop(error or Cancelled("the delivery was cancelled by the sender"))

    def leave(self, error: HoldfastError) -> None:
        """As `abort`, and returns when the receiver is ready for the next session of the dataset."""
        self._link.stop(error, LEAVE_S)

    def close(self) -> None:
        self._link.close()

    def _answer(self, needed: Needed) -> None:
        head = self._flight[0]
        if needed.number != head.number or not head.ids.issuperset(needed.ids):
            raise ProtocolError(f"{self.peer} asks for chunks of segment {needed.number} that it was not offered")
        items = head.chunks.payloads(needed.ids, self._compression) if needed.ids else iter(())
        held = None
        # One batch behind, so that the last one can say so.
        for batch in batched(needed.ids, items, self._batch_bytes):
            if held is not None:
                self._pay(held.size_bytes)
                self._link.carry(head.number, held, last=False)
            held = batch
        if held is not None:
            self._pay(held.size_bytes)
            self._link.carry(head.number, held, last=True)
        self._flight.popleft()
        self._flight_bytes -= head.size_bytes

    def _pay(self, size_bytes: int) -> None:
        self._sent += size_bytes
        if self._limit is None or not size_bytes:
            return
        self.is_limited = True
        with self._link.sheet.on(Spent.LIMITED):
            self._limit.take(size_bytes)
        self.is_limited = False

    def _count(self, segment: Segment, size_bytes: int) -> None:
        self._offered += size_bytes
        for change in segment.changes:
            if isinstance(change, Remove):
                self._removed += 1
            elif isinstance(change, Put):
                self._changed += 1
                self._files += change.entry.kind is Kind.FILE
