"""The deliveries of one run: connecting each, where its actions stand, and what became of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import msgspec

from holdfast.capture.state import CaptureState
from holdfast.core.errors import ErrorFacts, NotReachable, waits_its_turn
from holdfast.core.ids import ActionId, DatasetId, Epoch
from holdfast.delivery.fanout import DeliveryResult
from holdfast.delivery.session import DeliverySession
from holdfast.model.bottleneck import NOTHING_SPENT, SHORTEST_S, Bottleneck, Ends, LaneTimes, judge
from holdfast.model.change import Acknowledgement, Begin, Commit, Cursor, Move
from holdfast.model.jobs import Counters, Finding, Severity, State, Task
from holdfast.model.rules import DatasetRule, Delivery, title_of
from holdfast.operations.following.session_pool import Kept, SessionPool
from holdfast.operations.run_plan import lowest_base
from holdfast.wire.data_messages import ActionState

CAPTURE_NEEDED = ErrorFacts(
    "capture-needed", "the capture state holds no finished run to catch up to", "a new run is made by itself", retryable=True
)
"""Told of an action that is behind in a catch-up. The agent then asks for a capture instead."""


@dataclass
class Lane:
    """One delivery in a run. `error` is what stopped the whole of it; an action's own is in its acknowledgement."""

    rule: DatasetRule
    delivery: Delivery
    session: DeliverySession | None = None
    states: dict[ActionId, ActionState] = field(default_factory=dict)
    acknowledgements: dict[ActionId, Acknowledgement] = field(default_factory=dict)
    current: frozenset[ActionId] = frozenset()
    base_seq: int | None = None
    target: Cursor | None = None
    counters: Counters = field(default_factory=Counters)
    duration_s: float = 0.0
    times: LaneTimes = NOTHING_SPENT
    error: ErrorFacts | None = None
    opened_s: float = 0.0
    # The run is kept for the receiver, which gets it when it is back.
    is_spooled: bool = False

    @property
    def roots(self) -> tuple[bytes, ...]:
        return tuple(os.fsencode(path) for path in self.rule.classification.paths)

    @property
    def dataset(self) -> DatasetId:
        return self.rule.id

    @property
    def live_actions(self) -> tuple[ActionId, ...]:
        """Those that can take a commit now."""
        if self.session is None or self.error is not None:
            return ()
        return tuple(action for action in self.delivery.actions if self._error_of(action) is None)

    @property
    def behind_actions(self) -> tuple[ActionId, ...]:
        """Those of the live ones that this run has something for."""
        return tuple(action for action in self.live_actions if action not in self.current)

    @property
    def cursors(self) -> tuple[Cursor | None, ...]:
        return tuple(self.states[action].cursor for action in self.behind_actions)

    def choose_base(self, state: CaptureState) -> int | None:
        """The seq from which one stream serves all actions that get this commit; None = everything."""
        self.base_seq = lowest_base(state.base_for(self.dataset, cursor) for cursor in self.cursors)
        return self.base_seq

    def skip_current(self, commit: Commit | None) -> None:
        """Actions that stand at this commit or above need nothing."""
        self.current = frozenset(action for action in self.live_actions if commit is not None and _stands_at(self.states[action], commit))

    def refuse_behind(self, error: ErrorFacts) -> None:
        """Actions that are behind get nothing in this run."""
        for action in self.behind_actions:
            self.states[action] = ActionState(action=action, cursor=self.states[action].cursor, error=error)

    def _error_of(self, action: ActionId) -> ErrorFacts | None:
        state = self.states.get(action)
        if state is None:
            return ErrorFacts("protocol", "the receiver did not answer for this action", "look at the receiver's log", False)
        return state.error

    def result_of(self, action: ActionId) -> ErrorFacts | None:
        """None = the action stands at this run's commit."""
        if self.error is not None:
            return self.error
        if action in self.current:
            return None
        if (error := self._error_of(action)) is not None:
            return error
        acknowledgement = self.acknowledgements.get(action)
        if acknowledgement is None:
            return ErrorFacts("not-reachable", "the receiver did not acknowledge", "the next run brings it up to date", True)
        return shortfall(acknowledgement, self.target)

    def has_passed(self) -> bool:
        """Whether all of its actions stand at this run's commit or above."""
        return all(self.result_of(action) is None for action in self.delivery.actions)

    def begin(self, epoch: Epoch, seq: int, hostname: str, moves: tuple[Move, ...] = ()) -> DeliverySession:
        """Start the commit on the open session."""
        if self.session is None:
            raise NotReachable("the receiver is not connected")
        self.target = Cursor(epoch, seq)
        self.session.begin(self.begin_on(self.base_seq, epoch, seq, hostname, moves), self.behind_actions)
        return self.session

    def turn(self, commit: Commit, seq: int, hostname: str, moves: tuple[Move, ...]) -> Callable[[], None]:
        """What its thread has to do for this commit to end, and for the next one, which builds on it, to begin."""
        session, begin = self.session, self.begin_on(commit.seq, commit.epoch, seq, hostname, moves)
        self.target, actions = Cursor(commit.epoch, seq), self.behind_actions

        def go_on() -> None:
            if session is not None:
                session.go_on(commit, begin, actions)

        return go_on

    def begin_on(self, base_seq: int | None, epoch: Epoch, seq: int, hostname: str, moves: tuple[Move, ...]) -> Begin:
        """How the commit begins for who stands at `base_seq`."""
        return Begin(
            dataset=self.dataset,
            label=self.delivery.label,
            epoch=epoch,
            seq=seq,
            base=None if base_seq is None else Cursor(epoch, base_seq),
            roots=self.roots,
            hostname=hostname,
            moves=moves,
        )

    def ended(self, result: DeliveryResult) -> None:
        self.acknowledgements = {ActionId(found.action): found for found in result.acknowledgements}
        self.counters, self.duration_s, self.times = result.counters, result.duration_s, result.times
        self.error = result.error

    def tasks(self) -> tuple[Task, ...]:
        """One per action. What was sent is sent once for all of them; it is told with the first."""
        tasks = []
        for place, action in enumerate(self.delivery.actions):
            error = self.result_of(action)
            acknowledgement = self.acknowledgements.get(action)
            stored_bytes = acknowledgement.stored_bytes if acknowledgement else 0
            counters = msgspec.structs.replace(self.counters if place == 0 else Counters(), stored_bytes=stored_bytes)
            state = State.SUCCEEDED if error is None else State.PAUSED if waits_its_turn(error) else State.FAILED
            tasks.append(
                Task(
                    name=title_of(self.delivery, action),
                    state=state,
                    counters=counters,
                    error=error,
                    receiver=self.delivery.receiver_name,
                    duration_s=self.duration_s,
                    bottleneck=bottleneck_of(self.times, self.delivery) if place == 0 else None,
                    dataset=self.delivery.label,
                )
            )
        return tuple(tasks)

    def keep(self, pool: SessionPool) -> bool:
        """Leave the open session to the pool; False when it is of no further use."""
        if self.session is None or self.error is not None or (self.target is not None and not self.acknowledgements):
            return False
        pool.keep(self.delivery.id, Kept(self.session, self.states, self.opened_s, self.opened_s), self.acknowledgements)
        return True

    def close(self) -> None:
        """Also more than once."""
        if self.session is not None:
            self.session.close()


def bottleneck_of(times: LaneTimes, delivery: Delivery, source: str = "") -> Bottleneck | None:
    """Of a delivery that is over; None = it was too short to say. `source`: what was read, where it is not the dataset in its place."""
    return judge(times, Ends(source or delivery.label, delivery.receiver_name)) if times.wall_s >= SHORTEST_S else None


@dataclass
class DatasetRun:
    """One dataset of a run; `error` = it takes no part any more."""

    rule: DatasetRule
    due: tuple[str, ...]
    lanes: list[Lane] = field(default_factory=list)
    commit: Commit | None = None
    error: ErrorFacts | None = None

    def tasks(self, *, is_captured: bool) -> list[Task]:
        """What became of it. `is_captured`: others of the run were, whatever became of this one."""
        if self.error is not None:
            name = f"capture {self.rule.label}" if is_captured else "capture"
            return [Task(name=name, state=State.FAILED, error=self.error, dataset=self.rule.label)]
        return [task for lane in self.lanes for task in lane.tasks()]


def shortfall(acknowledgement: Acknowledgement, target: Cursor | None) -> ErrorFacts | None:
    """Why an action does not stand at `target` after a commit; None = it does. An action that could not keep all it was given says so by
    its cursor (a mirror that was changed by others meanwhile): what it holds is then of no use as a base."""
    if acknowledgement.error is not None:
        return acknowledgement.error
    at = acknowledgement.cursor
    if target is not None and at is not None and at.epoch == target.epoch and at.seq >= target.seq:
        return None
    worst = next((finding for finding in acknowledgement.findings if finding.severity is Severity.ERROR), None)
    if worst is None:
        return ErrorFacts("incomplete", "the receiver did not keep all of it", "it gets everything once more by itself", True)
    return ErrorFacts(worst.code, f"{worst.path}: {worst.message}" if worst.path else worst.message, worst.hint, True)


def _stands_at(state: ActionState, commit: Commit) -> bool:
    return state.cursor is not None and state.cursor.epoch == commit.epoch and state.cursor.seq >= commit.seq


def first_error(lanes: Sequence[Lane]) -> ErrorFacts | None:
    """Why nothing could be delivered: what can be tried again goes before what cannot, and what is wrong before what only waits."""
    found = [error for lane in lanes for action in lane.delivery.actions if (error := lane.result_of(action)) is not None]
    found.sort(key=lambda error: (waits_its_turn(error), not error.retryable))
    return found[0] if found else None


def receiver_findings(lanes: Sequence[Lane]) -> list[Finding]:
    """What the receivers had to say of a commit, each thing once, with who says it."""
    found = [
        msgspec.structs.replace(finding, message=f"{lane.delivery.receiver_name}: {finding.message}")
        for lane in lanes
        for acknowledgement in lane.acknowledgements.values()
        for finding in acknowledgement.findings
    ]
    return list(dict.fromkeys(found))
