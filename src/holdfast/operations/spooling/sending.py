"""What waits in a spool goes to its receiver as soon as that can be reached, in order.

Where moments are kept each run is a commit of its own, and the next is sent before the receiver has answered for the one before. Where none
are, many small runs become one: a row that is taken more slowly than it grows would never end."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from holdfast.core.clock import Clock, ns_of
from holdfast.core.errors import HoldfastError, NotReachable, StoreError, WindowClosed, error_from, facts_of
from holdfast.core.ids import ActionId, DatasetId
from holdfast.delivery.limit import Timetable
from holdfast.delivery.spool.bundles import MOST_RUNS, begin_of, commit_of
from holdfast.delivery.spool.cipher import SpoolLost, SpoolUnread
from holdfast.delivery.spool.run_file import RunFile
from holdfast.model.change import Acknowledgement, Begin
from holdfast.model.gaps import Gap, GapReason
from holdfast.operations.connecting import Dial, open_session, opened, timetable_of
from holdfast.operations.following.session_pool import Kept, SessionPool
from holdfast.operations.run_lanes import shortfall
from holdfast.operations.run_plan import answered
from holdfast.operations.running import Cancellation, Delivered
from holdfast.operations.spooling.keeper import Keeper
from holdfast.operations.spooling.patience import Patience
from holdfast.operations.spooling.standing import after
from holdfast.wire.data_messages import ActionState, Open

logger = logging.getLogger(__name__)

ASK_S = 70.0
"""Of what a receiver holds it is asked so often whether it is sealed, when nothing else is said to it."""

MOST_AHEAD = 32
"""So many commits, each with its own moment, are on their way at most before one is waited for."""

_BACK_OFF_S = (0.5, 1.0, 2.0)
_LONG_AWAY_ATTEMPTS, _LONG_AWAY_S = 150, 15.0
_NAP_S = 5.0


@dataclass(frozen=True, kw_only=True)
class SendTools:
    """`told` hears how each action took a run, `missed` of states that a receiver will never have (`Keepers` puts its own there),
    `left_behind` of a dataset one of whose actions needs a run of the source: nothing that waits here will bring it there, or say of it
    that it is well again."""

    clock: Clock
    pool: SessionPool
    dial: Dial
    generation: int
    told: Callable[[Delivered], None]
    missed: Callable[[Sequence[Gap]], None]
    left_behind: Callable[[DatasetId], None] = lambda _: None


class Sender:
    """A thread of its own. `tools` may be exchanged at any time; `close` ends it."""

    def __init__(self, keeper: Keeper, tools: SendTools) -> None:
        self.keeper = keeper
        self.tools = tools
        self._cancellation = Cancellation()
        self._closing = threading.Event()
        self._attempts = 0
        self._patience = Patience(tools.clock)
        # Whether in this talk how an action took something was told.
        self._has_told = False
        # Only who keeps moments is sent to: some action asks for what is not kept here.
        self._is_narrow = False
        self._thread = threading.Thread(target=self._run, name="spool-sender", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._closing.set()
        self._cancellation.cancel()
        with self.keeper.spool.changed:
            self.keeper.spool.changed.notify_all()
        self._thread.join()

    def _run(self) -> None:
        spool = self.keeper.spool
        while not self._closing.is_set():
            with spool.changed:
                if not self._is_due():
                    spool.changed.wait(_NAP_S)
                    continue
            try:
                self._talk()
            except SpoolLost as error:
                self._lost(error)
            except SpoolUnread as error:
                if self._patience.has_ended(error):
                    self._lost(error)
                else:
                    self._failed(error)
            except (HoldfastError, OSError) as error:
                self._failed(error)
            except Exception as error:
                logger.exception("sending from a spool failed for a moment")
                self._failed(error)

    def _is_due(self) -> bool:
        spool = self.keeper.spool
        if spool.is_teed:
            return False
        if spool.has_unsent:
            return True
        return not spool.is_empty and self.tools.clock.monotonic_s() - self.keeper.asked_s >= ASK_S

    def _lost(self, error: StoreError) -> None:
        """What is kept is what a repository lacks. A mirror beside it asks for more when somebody took files out of it: that it gets from
        the source, and the moments that wait here are none the less for it."""
        if not self._is_narrow and set(self.keeper.delivery.actions) > set(self.keeper.keeping):
            self._is_narrow = True
            return
        self._is_narrow = False
        self._patience.renew()
        logger.warning("a spool is damaged", extra={"facts": {"delivery": self.keeper.delivery.id, "error": error.message}})
        self.keeper.spool.give_up(self.keeper.spool.reached)

    def _failed(self, error: Exception) -> None:
        self.keeper.error = facts_of(error)
        self.keeper.asked_s = self.tools.clock.monotonic_s()
        if WindowClosed.says(self.keeper.error):
            # It is nobody's fault, and the window opens to the second.
            self._closing.wait(_BACK_OFF_S[-1])
            return
        wait_s = _BACK_OFF_S[min(self._attempts, len(_BACK_OFF_S) - 1)]
        self._attempts += 1
        self._closing.wait(_LONG_AWAY_S if self._attempts > _LONG_AWAY_ATTEMPTS else wait_s)

    def _talk(self) -> None:
        """Ask where the receiver stands, send what it lacks, and leave the session to the next small run."""
        delivery, pool = self.keeper.delivery, self.tools.pool
        # One for each talk: it keeps all that wants to hear of the end.
        self._cancellation = Cancellation()
        if self._closing.is_set():
            return
        timetable = timetable_of(delivery, self.tools.clock)
        timetable.check()
        answers = self.keeper.spool.answers
        kept = pool.take(delivery.id) or self._open(timetable)
        self._cancellation.on_cancel(kept.session.close)
        if self.keeper.spool.answers != answers:
            # A run has gone to the receiver meanwhile: what it answered us is older than what it answered that.
            kept.session.close()
            return
        is_well_again, self._has_told = self.keeper.error is not None, False
        try:
            states = self._send_all(kept)
        except BaseException:
            kept.session.abort()
            raise
        finally:
            self.keeper.spool.sent_or_not()
        self.keeper.error, self._attempts, self._is_narrow = None, 0, False
        self._patience.renew()
        if any(state.error is not None for state in states.values()):
            # The next to use it would take that for what the action says now.
            kept.session.close()
        else:
            pool.keep(delivery.id, Kept(kept.session, states, kept.opened_s, kept.used_s), {})
        is_behind = any(states[action].cursor != self.keeper.spool.cursor for action in delivery.actions)
        if is_behind or (is_well_again and not self._has_told):
            # Also where it had all of it, and only its answer was lost: who runs says that it is well.
            self.tools.left_behind(delivery.dataset)

    def _open(self, timetable: Timetable) -> Kept:
        delivery = self.keeper.delivery
        session = open_session(self.tools.dial, delivery, timetable, self.tools.clock, self._cancellation)
        opening = Open(dataset=delivery.dataset, actions=delivery.actions, generation=self.tools.generation)
        return opened(opening, session, self.tools.clock)

    def _send_all(self, kept: Kept) -> dict[ActionId, ActionState]:
        """Where the actions stand when nothing is left to send."""
        states = dict(kept.states)
        self._must_take(states)
        while not self._closing.is_set():
            # Rules may change meanwhile: what was chosen to go one by one goes so.
            keeps_moments = self.keeper.keeps_moments
            if not (runs := self._next(keeps_moments)):
                break
            said = self._send_one_by_one(kept, states, runs) if keeps_moments else self._send_as_one(kept, states, runs)
            for each in said:
                states[ActionId(each.action)] = after(states[ActionId(each.action)], each)
                self._tell(each, runs[-1])
            self._must_take(states)
            if self._next(keeps_moments)[:1] == runs[:1]:
                raise NotReachable("the receiver did not keep what it was sent", hint="it is sent again")
            # The rest may take long, and is on its way.
            self.keeper.error, self._attempts = None, 0
            if gaps := [gap for run in runs for gap in run.facts.commit.gaps if gap.reason is GapReason.THINNED]:
                self.tools.missed(gaps)
        self._cancellation.check()
        return states

    def _next(self, keeps_moments: bool) -> tuple[RunFile, ...]:
        if keeps_moments:
            return self.keeper.spool.next_bundle(MOST_AHEAD)
        return self.keeper.spool.next_bundle(MOST_RUNS, joining=True)

    def _must_take(self, states: dict[ActionId, ActionState]) -> None:
        found = self.keeper.heard(states)
        if found.error is not None:
            raise error_from(found.error)

    def _send_as_one(self, kept: Kept, states: Mapping[ActionId, ActionState], runs: Sequence[RunFile]) -> Sequence[Acknowledgement]:
        kept.session.begin(*self._taken(begin_of(runs), states))
        self._send(kept, runs)
        return kept.session.commit(commit_of(runs))

    def _send_one_by_one(self, kept: Kept, states: Mapping[ActionId, ActionState], runs: Sequence[RunFile]) -> Sequence[Acknowledgement]:
        """What the actions say of the last tells it of all: who does not take one takes none that builds on it."""
        states, before = dict(states), None
        for run in runs:
            begin, chosen = self._taken(run.facts.begin, states)
            if before is None:
                kept.session.begin(begin, chosen)
            else:
                kept.session.go_on(before, begin, chosen)
            self._send(kept, [run])
            states |= {action: ActionState(action=action, cursor=run.cursor) for action in chosen}
            before = run.facts.commit
        return kept.session.commit(runs[-1].facts.commit)

    def _taken(self, begin: Begin, states: Mapping[ActionId, ActionState]) -> tuple[Begin, list[ActionId]]:
        """How the commit begins, and for which actions."""
        actions = self.keeper.keeping if self._is_narrow else self.keeper.delivery.actions
        chosen = [action for action in actions if _can_take(states[action], begin)]
        exact = all(states[action].cursor == begin.base for action in chosen)
        return begin if exact else msgspec.structs.replace(begin, moves=()), chosen

    def _send(self, kept: Kept, runs: Sequence[RunFile]) -> None:
        for outgoing in self.keeper.spool.outgoing(runs):
            self._cancellation.check()
            kept.session.send(outgoing)

    def _tell(self, said: Acknowledgement, run: RunFile) -> None:
        """Of a bundle only the last run can be a point."""
        self._has_told = True
        delivery, commit = self.keeper.delivery, run.facts.commit
        self.tools.told(
            Delivered(
                dataset=delivery.dataset,
                delivery=delivery.id,
                action=said.action,
                operations=answered(self.keeper.rule, delivery, ActionId(said.action), commit),
                captured_at_ns=ns_of(commit.captured_at),
                error=shortfall(said, run.cursor),
            )
        )


def _can_take(state: ActionState, begin: Begin) -> bool:
    """Whether the action stands where the run builds on, and lacks it. One that is further behind is caught up by a run of the source."""
    at, base = state.cursor, begin.base
    if state.error is not None or at is None or base is None or at.epoch != begin.epoch:
        return False
    return base.seq <= at.seq < begin.seq
