"""The deliveries of one run: connecting each, where its actions stand, and what became of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from holdfast.core.errors import Cancelled, ErrorFacts, HoldfastError, error_from, facts_of
from holdfast.core.ids import ActionId, DatasetId, Epoch, NodeId
from holdfast.delivery.session import DeliverySession
from holdfast.model.change import Acknowledgement, Cursor
from holdfast.model.jobs import Counters, State, Task
from holdfast.model.rules import DatasetRule, Delivery
from holdfast.operations.run_plan import common_base
from holdfast.operations.running import Cancellation
from holdfast.wire.channel import Channel
from holdfast.wire.data_messages import ActionState

Dial = Callable[[NodeId], Channel]

_CONNECT_THREADS = 8


@dataclass
class Lane:
    """One delivery in a run. `error` is what stopped the whole of it; an action's own is in its acknowledgement."""

    rule: DatasetRule
    delivery: Delivery
    due: tuple[str, ...]
    session: DeliverySession | None = None
    states: dict[ActionId, ActionState] = field(default_factory=dict)
    acknowledgements: dict[ActionId, Acknowledgement] = field(default_factory=dict)
    current: frozenset[ActionId] = frozenset()
    base_seq: int | None = None
    sent_bytes: int = 0
    duration_s: float = 0.0
    error: ErrorFacts | None = None

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
        """Actions that stand at this commit or above need nothing; with no commit there is nothing to give."""
        self.current = frozenset(
            action
            for action in self.live_actions
            if commit is None or ((cursor := self.states[action].cursor) and cursor.epoch == commit.epoch and cursor.seq >= commit.seq)
        )

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
        return acknowledgement.error

    def tasks(self, names: Callable[[Delivery, ActionId], str]) -> tuple[Task, ...]:
        """One per action. What was sent is sent once for all of them; it is told with the first."""
        tasks = []
        for place, action in enumerate(self.delivery.actions):
            error = self.result_of(action)
            acknowledgement = self.acknowledgements.get(action)
            tasks.append(
                Task(
                    name=names(self.delivery, action),
                    state=State.SUCCEEDED if error is None else State.FAILED,
                    counters=Counters(
                        sent_bytes=self.sent_bytes if place == 0 else 0,
                        stored_bytes=acknowledgement.stored_bytes if acknowledgement else 0,
                    ),
                    error=error,
                    receiver=self.delivery.receiver_name,
                    duration_s=self.duration_s,
                )
            )
        return tuple(tasks)

    def close(self) -> None:
        if self.session is not None:
            self.session.close()


def connect_all(lanes: Sequence[Lane], dial: Dial, generation: int, cancellation: Cancellation) -> None:
    """Opens a session for each lane. A receiver that cannot be reached, or refuses, is recorded in its lane; the others go on."""

    def connect(lane: Lane) -> None:
        try:
            cancellation.check()
            channel = dial(lane.delivery.receiver)
            cancellation.on_cancel(channel.close)
            lane.session = DeliverySession(channel, lane.delivery, generation)
            lane.states = {state.action: state for state in lane.session.open()}
        except (HoldfastError, OSError) as error:
            lane.error = facts_of(error)

    with ThreadPoolExecutor(max_workers=_CONNECT_THREADS, thread_name_prefix="connect") as pool:
        list(pool.map(connect, lanes))
    cancellation.check()


def first_error(lanes: Sequence[Lane]) -> HoldfastError:
    """Why nothing could be delivered."""
    for lane in lanes:
        for action in lane.delivery.actions:
            if (error := lane.result_of(action)) is not None:
                return error_from(error)
    return Cancelled("nothing was delivered")
