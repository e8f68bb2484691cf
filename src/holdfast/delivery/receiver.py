"""The receiver's side of a delivery: checks the grant, verifies what comes, drives the actions."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future

from holdfast.core.busy_time import busy_s
from holdfast.core.errors import HoldfastError, NotReachable, ProtocolError, Refused, facts_of
from holdfast.core.ids import NodeId
from holdfast.delivery.abridging import Restorer, digest_of, is_worth_asking
from holdfast.delivery.action_group import ActionGroup
from holdfast.delivery.ports import Opening, VerifiedChunk
from holdfast.delivery.stream_check import StreamCheck
from holdfast.delivery.time_sheet import Spent, TimeSheet
from holdfast.delivery.verify import Chunk, Verifier
from holdfast.model.bottleneck import ReceiverTimes
from holdfast.model.change import Begin, Put, Segment
from holdfast.model.jobs import Finding, Severity
from holdfast.wire.channel import Channel
from holdfast.wire.data_messages import (
    PROTOCOL,
    Carried,
    Closed,
    Closing,
    DataMessage,
    Needed,
    Open,
    Opened,
    Recall,
    Recalled,
    Segmented,
    Spending,
    Started,
    Stopped,
)

# A sender has at most a window of segments in flight; more is no sender of ours.
_MAX_OPEN_SEGMENTS = 64
_MAX_OPEN_BYTES = 256 * 1024 * 1024
# Paths, chunk refs and attributes of all segments that wait: some hundred bytes of memory each, and nothing of them is offered data.
# The largest one is not counted, only bounded by the size of a message: it may put a huge file, with a list of all its chunks.
_MAX_OPEN_FACTS = 400_000
OPENING_S = 30.0
IDLE_S = 6 * 3600.0
_REPORT_MS = 1_000
logger = logging.getLogger(__name__)


def _ignore(finding: Finding) -> None:
    del finding


def serve_delivery(
    channel: Channel,
    *,
    open_actions: Callable[[NodeId, Open], Opening],
    verifier: Verifier,
    on_finding: Callable[[Finding], None] = _ignore,
    idle_s: float = IDLE_S,
) -> None:
    """Serve one session to its end; never raises what the peer did wrong. `open_actions` raises `NotGranted` when there is no grant.

    A sender that is refused is told why (`Stopped`) and `on_finding` hears of it. When the sender goes away in the middle of a commit,
    every action forgets it.
    """
    try:
        _serve(channel, open_actions, verifier, on_finding, idle_s)
    except NotReachable as error:
        logger.info("a delivery broke off", extra={"facts": {"peer": channel.peer, "error": str(error)}})
    except (ProtocolError, Refused) as error:
        on_finding(_finding_of(channel.peer, error))
        _stop(channel, error)
    except HoldfastError as error:
        _stop(channel, error)
    except Exception as error:
        logger.exception("a delivery failed", extra={"facts": {"peer": channel.peer}})
        _stop(channel, error)
    finally:
        channel.close()


def _serve(
    channel: Channel,
    open_actions: Callable[[NodeId, Open], Opening],
    verifier: Verifier,
    on_finding: Callable[[Finding], None],
    idle_s: float,
) -> None:
    # Who has taken a session says at once what for: a place of the server is not held by silence.
    opening = channel.receive(min(OPENING_S, idle_s))
    if opening is None or isinstance(opening, Stopped):
        return
    if not isinstance(opening, Open) or opening.protocol != PROTOCOL:
        raise ProtocolError(
            f"the session does not begin with an Open of protocol {PROTOCOL}", hint="bring both machines to the same version"
        )
    granted = open_actions(channel.peer, opening)
    group = ActionGroup(granted.actions, granted.unavailable, lambda error: on_finding(_finding_of(channel.peer, error)))
    try:
        for finding in granted.findings:
            on_finding(finding)
        channel.send(Opened(actions=group.states(opening.actions)))
        commit = _CommitReceiver(channel, opening, group, verifier)
        while (message := commit.receive(idle_s)) is not None and not isinstance(message, Stopped):
            commit.take(message)
    finally:
        group.close()


class _OpenSegment:
    """A segment that waits for its chunks."""

    def __init__(self, segment: Segment, needed: frozenset[bytes]) -> None:
        self.segment = segment
        self.sizes = {ref.id: ref.size_bytes for ref in segment.offered if ref.id in needed}
        self.offered_bytes = sum(ref.size_bytes for ref in segment.offered)
        self.facts = _facts_in(segment)
        self.left = set(needed)
        self.withdrawn: set[bytes] = set()
        self.batches: list[Future[list[Chunk]]] = []

    def take(self, message: Carried, verifier: Verifier, *, trusted: bool, keep_plain: bool) -> None:
        if not message.payloads and not message.withdrawn and not message.last:
            raise ProtocolError(f"Carried of segment {message.number} brings nothing")
        for chunk_id in (*(payload.id for payload in message.payloads), *message.withdrawn):
            if chunk_id not in self.left:
                raise ProtocolError(f"segment {message.number}: chunk {chunk_id.hex()} was not asked for, or comes again")
            self.left.remove(chunk_id)
        self.withdrawn.update(message.withdrawn)
        if message.payloads:
            self.batches.append(verifier.submit(message.payloads, self.sizes, trusted=trusted, keep_plain=keep_plain))
        if message.last and self.left:
            raise ProtocolError(f"segment {message.number} ended with {len(self.left)} chunks missing")

    def chunks(self) -> dict[bytes, VerifiedChunk]:
        """Waits for the verification of all; raises its `ProtocolError`."""
        return {chunk.id: chunk for batch in self.batches for chunk in batch.result()}


class _CommitReceiver:
    """The commits of one session, one after the other."""

    def __init__(self, channel: Channel, opening: Open, group: ActionGroup, verifier: Verifier) -> None:
        self._channel = channel
        self._opening = opening
        self._group = group
        self._verifier = verifier
        self._begin: Begin | None = None
        self._restorer = Restorer()
        self._open: deque[_OpenSegment] = deque()
        self._open_bytes = 0
        self._open_facts = 0
        self._sheet, self._busy_before_s = TimeSheet(), busy_s()
        self._told_ms = 0

    def receive(self, idle_s: float) -> DataMessage | None:
        with self._sheet.on(Spent.IDLE):
            return self._channel.receive(idle_s)

    def take(self, message: DataMessage) -> None:
        if isinstance(message, Carried):
            self._carried(message)
        elif isinstance(message, Segmented):
            self._segmented(message)
        elif isinstance(message, Recall):
            self._recall(message)
        elif isinstance(message, Started):
            self._started(message)
        elif isinstance(message, Closing):
            self._closing(message)
        else:
            raise ProtocolError(f"{type(message).__name__} has no place in a delivery")

    def _started(self, message: Started) -> None:
        if self._begin is not None:
            raise ProtocolError("a commit starts before the last one ended")
        if message.begin.dataset != self._opening.dataset or not message.actions:
            raise ProtocolError("a commit starts for another dataset, or for no action")
        self._begin = message.begin
        self._check = StreamCheck(message.begin)
        self._restorer.begin()
        with self._sheet.on(Spent.STORING):
            self._group.begin(message.begin, message.actions)

    def _recall(self, message: Recall) -> None:
        if self._begin is None or self._open:
            raise ProtocolError("a version is asked for where none can be")
        refs = self._group.recorded(message.path)
        is_known = is_worth_asking(refs) and digest_of(refs) == message.digest
        if is_known:
            self._restorer.know(message.path, refs)
        self._channel.send(Recalled(is_known=is_known))

    def _segmented(self, message: Segmented) -> None:
        if self._begin is None:
            raise ProtocolError("a segment outside a commit")
        segment = self._restorer.restore(message)
        self._check.check(segment)
        # Before the answer is computed, so that a flood costs nothing.
        if len(self._open) >= _MAX_OPEN_SEGMENTS or self._open_bytes > _MAX_OPEN_BYTES or self._too_many_facts():
            raise ProtocolError("too many segments at once")
        with self._sheet.on(Spent.STORING):
            needed = self._group.wanted(segment)
        waiting = _OpenSegment(segment, needed)
        self._open.append(waiting)
        self._open_bytes += waiting.offered_bytes
        self._open_facts += waiting.facts
        ids = tuple(ref.id for ref in segment.offered if ref.id in needed)
        self._channel.send(Needed(number=segment.number, ids=ids, spent=self._spent()))

    def _too_many_facts(self) -> bool:
        return self._open_facts > _MAX_OPEN_FACTS and self._open_facts - max(waiting.facts for waiting in self._open) > _MAX_OPEN_FACTS

    def _carried(self, message: Carried) -> None:
        if not self._open or self._open[0].segment.number != message.number:
            raise ProtocolError(f"chunks of segment {message.number}, which is not the one that is due")
        head = self._open[0]
        head.take(message, self._verifier, trusted=self._channel.trusted, keep_plain=self._group.reads_plain)
        self._report()
        if not message.last:
            return
        with self._sheet.on(Spent.VERIFYING):
            chunks = head.chunks()
        with self._sheet.on(Spent.STORING):
            self._group.apply(head.segment, chunks, frozenset(head.withdrawn))
        self._open.popleft()
        self._open_bytes -= head.offered_bytes
        self._open_facts -= head.facts

    def _closing(self, message: Closing) -> None:
        begin, commit = self._begin, message.commit
        if begin is None or self._open:
            raise ProtocolError("a commit closes before it is complete")
        if (commit.dataset, commit.epoch, commit.seq) != (begin.dataset, begin.epoch, begin.seq):
            raise ProtocolError("a commit closes that is not the one that started")
        self._begin = None
        with self._sheet.on(Spent.STORING):
            acknowledgements = self._group.commit(commit)
        self._channel.send(Closed(acknowledgements=acknowledgements, spent=self._spent()))

    def _report(self) -> None:
        """A sender hears now and then how time goes by here; it can not know otherwise what a full line is full for."""
        spent = self._spent()
        if self._opening.reports and spent.wall_ms - self._told_ms >= _REPORT_MS:
            self._told_ms = spent.wall_ms
            self._channel.send(Spending(spent=spent))

    def _spent(self) -> ReceiverTimes:
        return self._sheet.of_receiver(self._busy_before_s)


def _facts_in(segment: Segment) -> int:
    """How many things a segment names; an attribute's value counts by its size."""
    count = len(segment.offered) + len(segment.changes) + sum(len(part.chunks) + 1 for part in segment.parts)
    for change in segment.changes:
        if isinstance(change, Put):
            entry = change.entry
            count += len(entry.chunks) + len(entry.holes) + sum([len(xattr.value) // 256 + 1 for xattr in entry.xattrs])
    return count


def _finding_of(peer: NodeId, error: HoldfastError) -> Finding:
    return Finding(code=error.code, severity=Severity.ERROR, message=f"{peer} was refused: {error.message}", hint=error.hint)


def _stop(channel: Channel, error: BaseException) -> None:
    try:
        channel.send(Stopped(error=facts_of(error)))
    except HoldfastError:
        # It has gone: nobody to tell.
        logger.info("a delivery ended", extra={"facts": {"peer": channel.peer, "error": str(error)}})
