"""The action of a relay: hands the stream on to the next node, storing nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from holdfast.core.errors import ErrorFacts, HoldfastError, ProtocolError, error_from
from holdfast.core.ids import ActionId
from holdfast.delivery.batches import batched
from holdfast.delivery.limit import Limit
from holdfast.delivery.link import DeliveryLink
from holdfast.delivery.ports import VerifiedChunk
from holdfast.model.change import Acknowledgement, Begin, Commit, Cursor, Durability, Payload, Segment
from holdfast.model.entry import ChunkRef
from holdfast.model.stream import Withdrawn
from holdfast.wire.channel import Channel
from holdfast.wire.data_messages import ActionState, Open


class ForwardAction:
    """A `ports.Action`. It stands where the next node stands, wants what the next node wants, and acknowledges what the next node has
    acknowledged; chunks go on as they came, without being compressed again.

    `dial` opens a channel to the next node and is called when first needed, and again after a session that broke.
    """

    def __init__(self, action_id: ActionId, opening: Open, dial: Callable[[], Channel], limit: Limit | None = None) -> None:
        self._id = action_id
        self._opening = opening
        self._dial = dial
        self._limit = limit
        self._link: DeliveryLink | None = None
        self._states: tuple[ActionState, ...] = ()
        self._needed: dict[int, tuple[bytes, ...]] = {}
        self._begun = False

    @property
    def id(self) -> ActionId:
        return self._id

    @property
    def reads_plain(self) -> bool:
        return False

    def cursor(self) -> Cursor | None:
        """The earliest position downstream. Raises what keeps the next node from being reached, or its only reason when none of its
        actions can work."""
        self._connected()
        return _earliest(self._states)

    def sealed(self) -> Cursor | None:
        """What is sealed everywhere downstream."""
        return _earliest([msgspec.structs.replace(state, cursor=state.sealed or state.cursor) for state in self._states])

    def begin(self, begin: Begin) -> None:
        link = self._connected()
        self._needed.clear()
        self._begun = True
        link.start(begin, [state.action for state in self._states if state.error is None])

    def recorded(self, path: bytes) -> tuple[ChunkRef, ...]:
        """A relay has nothing."""
        del path
        return ()

    def wanted(self, segment: Segment) -> frozenset[bytes]:
        link = self._connected()
        link.offer(segment)
        needed = link.needed()
        if needed.number != segment.number:
            raise ProtocolError(f"the next node answers segment {needed.number} where {segment.number} was due")
        self._needed[segment.number] = needed.ids
        return frozenset(needed.ids)

    def apply(self, segment: Segment, chunks: Mapping[bytes, VerifiedChunk], withdrawn: frozenset[bytes]) -> None:
        link = self._connected()
        ids = self._needed.pop(segment.number)
        items = (Withdrawn(i) if i in withdrawn or i not in chunks else _payload(chunks[i]) for i in ids)
        batches = list(batched(ids, items))
        for batch in batches:
            if self._limit is not None:
                self._limit.take(batch.size_bytes)
            link.carry(segment.number, batch, last=batch is batches[-1])

    def commit(self, commit: Commit) -> Acknowledgement:
        acknowledgements = self._connected().finish(commit)
        self._begun = False
        reached = {part.action: part.cursor for part in acknowledgements if part.error is None}
        self._states = tuple(
            msgspec.structs.replace(state, cursor=reached[state.action]) if state.action in reached else state for state in self._states
        )
        return _merged(self._id, acknowledgements, [state.error for state in self._states if state.error is not None])

    def abort(self) -> None:
        """The protocol has no way back within a commit, so the session downstream ends; the next commit dials again."""
        link, self._link = self._link, None
        begun, self._begun = self._begun, False
        if link is None:
            return
        if begun:
            link.stop(ProtocolError("the sender before this relay broke off the commit"))
        link.close()

    def close(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            link.close()

    def _connected(self) -> DeliveryLink:
        if self._link is not None:
            return self._link
        if self._begun:
            raise ProtocolError("the session to the next node is over")
        link = DeliveryLink(self._dial())
        try:
            self._states = link.open(self._opening)
            if all(state.error is not None for state in self._states):
                raise _first(self._states)
        except HoldfastError:
            link.close()
            raise
        self._link = link
        return link


def _payload(chunk: VerifiedChunk) -> Payload:
    frame = chunk.frame
    return Payload(chunk.id, chunk.size_bytes, frame is not None, chunk.plain if frame is None else frame)


def _first(states: Sequence[ActionState]) -> HoldfastError:
    for state in states:
        if state.error is not None:
            return error_from(state.error)
    return ProtocolError("the next node has no action for this dataset", hint="activate the flow again")


def _earliest(states: Sequence[ActionState]) -> Cursor | None:
    """The position every available action has reached; None when one of them holds nothing, or their epochs differ."""
    cursors = [state.cursor for state in states if state.error is None]
    known = [cursor for cursor in cursors if cursor is not None]
    if len(known) != len(cursors) or len({cursor.epoch for cursor in known}) != 1:
        return None
    return min(known, key=lambda cursor: cursor.seq)


def _sealed_of(part: Acknowledgement) -> Cursor | None:
    return part.cursor if part.durability is Durability.SEALED else part.sealed


def _merged(action: ActionId, parts: Sequence[Acknowledgement], unavailable: Sequence[ErrorFacts]) -> Acknowledgement:
    """One answer for all actions downstream: the weakest promise, the first error."""
    errors = [part.error for part in parts if part.error is not None] + list(unavailable)
    cursors = [ActionState(action=action, cursor=part.cursor) for part in parts]
    return Acknowledgement(
        action=action,
        durability=Durability.HELD if any(part.durability is Durability.HELD for part in parts) else Durability.SEALED,
        cursor=_earliest(cursors),
        sealed=_earliest([ActionState(action=action, cursor=_sealed_of(part)) for part in parts]),
        points=tuple(dict.fromkeys(point for part in parts for point in part.points)),
        stored_bytes=sum(part.stored_bytes for part in parts),
        findings=tuple(finding for part in parts for finding in part.findings),
        error=errors[0] if errors else None,
    )
