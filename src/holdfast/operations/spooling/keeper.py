"""One delivery that keeps moments: its spool, what the receiver said last, and what people are shown of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from holdfast.core.clock import Clock, now, ns_of
from holdfast.core.errors import ErrorFacts
from holdfast.core.ids import ActionId
from holdfast.delivery.spool.spool import Spool
from holdfast.model.following import Spooled
from holdfast.model.rules import DatasetRule, Delivery
from holdfast.operations.spooling.standing import Standing, keeps_moments, standing
from holdfast.operations.spooling.trend import Trend, Waits
from holdfast.wire.data_messages import ActionState

CATCHING_UP = ErrorFacts("not-reachable", "the receiver is being brought up to date from the spool", "it goes on by itself", True)


@dataclass
class Keeper:
    """`keeping`: the actions that need each moment. `error`: why what is in the spool could not be sent; None = it is being sent."""

    rule: DatasetRule
    delivery: Delivery
    keeping: tuple[ActionId, ...]
    is_local: bool
    spool: Spool
    clock: Clock
    error: ErrorFacts | None = None
    asked_s: float = 0.0
    trend: Trend = field(default_factory=Trend)

    @property
    def keeps_moments(self) -> bool:
        """Whether each state counts for somebody; else only the newest one does, and points."""
        return keeps_moments(self.rule, self.delivery)

    @property
    def waiting(self) -> ErrorFacts | None:
        """Why a run must not go to the receiver itself: there is something before it in the spool."""
        return (self.error or CATCHING_UP) if self.spool.has_unsent else None

    def heard(self, states: Mapping[ActionId, ActionState]) -> Standing:
        """The receiver has said where it stands."""
        found = standing(states, self.keeping, is_local=self.is_local)
        self.asked_s = self.clock.monotonic_s()
        if found.error is None:
            self.spool.align(found.cursor, found.sealed)
        return found

    def told(self) -> Spooled | None:
        """None = nothing waits for the receiver."""
        runs, size_bytes, since = self.spool.unsent()
        waits = None
        if since is not None and self.error is None:
            waits = Waits(ns_of(since), (now(self.clock) - since).total_seconds(), size_bytes)
        self.trend.look(self.clock.monotonic_s(), waits)
        if since is None:
            return None
        receiver, is_slower = self.delivery.receiver_name, self.trend.falls_behind
        return Spooled(receiver=receiver, runs=runs, size_bytes=size_bytes, since=since, error=self.error, falls_behind=is_slower)
