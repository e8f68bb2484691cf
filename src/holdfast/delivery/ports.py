"""What delivery needs from the layers above it, declared here because it is the consumer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from holdfast.core.ids import ActionId
from holdfast.model.change import Acknowledgement, Begin, Commit, Cursor, Segment
from holdfast.model.entry import ChunkRef
from holdfast.model.jobs import Finding
from holdfast.wire.data_messages import ActionState


class VerifiedChunk(Protocol):
    """A chunk that has passed verification. `plain` is decompressed at most once; `frame` is the zstd frame as it came,
    None if it came plain.
    """

    @property
    def id(self) -> bytes: ...

    @property
    def size_bytes(self) -> int: ...

    @property
    def plain(self) -> bytes: ...

    @property
    def frame(self) -> bytes | None: ...


class Action(Protocol):
    """One action of one delivery at the receiver: store, mirror or forward.

    The receiver calls, from one thread per session and in this order: `cursor`, then per commit `begin`, for each segment `wanted` and
    later `apply` (same order; `wanted` of segments ahead may come before), then `commit` or `abort`. An exception of an action fails this
    action for this commit (its `abort` is called, its acknowledgement carries the error); the others go on.
    `commit` returns only when the promise in its acknowledgement holds, over a crash. What was applied and not committed leaves no
    trace that a reader or the stock tools could take for data. A repeated seq of the same epoch is acknowledged again.
    """

    @property
    def id(self) -> ActionId: ...

    @property
    def reads_plain(self) -> bool:
        """Whether it takes the plain bytes of chunks that come compressed. Where no action of a session does, memory does not hold them."""
        ...

    def cursor(self) -> Cursor | None:
        """Last committed position; None when it holds nothing of the dataset."""
        ...

    def begin(self, begin: Begin) -> None: ...

    def recorded(self, path: bytes) -> tuple[ChunkRef, ...]:
        """What the file at this path consists of in the state that the open commit builds on; nothing where that cannot be told. Only
        what senders of this dataset brought: they may refer to it."""
        ...

    def wanted(self, segment: Segment) -> frozenset[bytes]:
        """Of `segment.offered`, the ids it needs as payload. Must not name a chunk it can get elsewhere."""
        ...

    def apply(self, segment: Segment, chunks: Mapping[bytes, VerifiedChunk], withdrawn: frozenset[bytes]) -> None:
        """Take the segment. `chunks` holds at least what it wanted, less `withdrawn`; a put that depends on a withdrawn chunk is left out
        and what was there before stays."""
        ...

    def commit(self, commit: Commit) -> Acknowledgement: ...

    def abort(self) -> None:
        """Forget the open commit. Never raises."""
        ...

    def close(self) -> None:
        """The session is over. Never raises."""
        ...


@runtime_checkable
class Holds(Protocol):
    """An action whose commits may be held for a while before they are sealed."""

    def sealed(self) -> Cursor | None:
        """The newest commit that is sealed, of those up to `cursor`."""
        ...


@dataclass(frozen=True)
class Opening:
    """What a grant check gives the receiver: the actions that can work, and those that cannot with the reason (see `ActionState`)."""

    actions: tuple[Action, ...]
    findings: tuple[Finding, ...] = ()
    unavailable: tuple[ActionState, ...] = ()
