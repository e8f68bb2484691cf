"""What a fan-out drives: one delivery to one receiver."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from holdfast.core.errors import HoldfastError
from holdfast.core.ids import NodeId
from holdfast.model.change import Acknowledgement, Commit
from holdfast.model.jobs import Counters
from holdfast.model.stream import Outgoing


class Sending(Protocol):
    """What takes a commit that has begun: a `session.DeliverySession`, or the spool in its place. See there."""

    @property
    def peer(self) -> NodeId: ...

    @property
    def progress(self) -> int: ...

    @property
    def is_limited(self) -> bool: ...

    @property
    def is_committing(self) -> bool: ...

    @property
    def pending_bytes(self) -> int: ...

    @property
    def counters(self) -> Counters: ...

    def tell_arrivals(self, on_arrival: Callable[[], None]) -> None: ...

    def answer(self) -> None: ...

    def send(self, outgoing: Outgoing) -> None: ...

    def commit(self, commit: Commit) -> tuple[Acknowledgement, ...]: ...

    def abort(self, error: HoldfastError | None = None) -> None: ...

    def close(self) -> None: ...
