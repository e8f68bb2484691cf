"""All actions of one session, driven together and failing apart."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import TypeVar

import msgspec

from holdfast.core.errors import Conflict, ErrorFacts, HoldfastError, ProtocolError, facts_of
from holdfast.core.ids import ActionId
from holdfast.delivery.ports import Action, Holds, VerifiedChunk
from holdfast.model.change import Acknowledgement, Begin, Commit, Cursor, Segment
from holdfast.model.entry import ChunkRef
from holdfast.wire.data_messages import ActionState

T = TypeVar("T")
logger = logging.getLogger(__name__)


def _ignore(error: HoldfastError) -> None:
    del error


class ActionGroup:
    """An action that raises is out for the rest of the commit: its `abort` is called and its acknowledgement carries the error.

    `on_breach` hears of what only a sender that is out of order or hostile brings about: the sender's own word for it is not enough.
    """

    def __init__(
        self, actions: Sequence[Action], unavailable: Sequence[ActionState] = (), on_breach: Callable[[HoldfastError], None] = _ignore
    ) -> None:
        self._on_breach = on_breach
        self._actions = {action.id: action for action in actions}
        self._states = {state.action: state for state in unavailable}
        self._chosen: tuple[ActionId, ...] = ()
        self._live: dict[ActionId, Action] = {}
        self._errors: dict[ActionId, ErrorFacts] = {}

    @property
    def reads_plain(self) -> bool:
        """Whether some action takes the plain bytes of what comes compressed."""
        return any(action.reads_plain for action in self._actions.values())

    def states(self, order: Iterable[ActionId]) -> tuple[ActionState, ...]:
        """Ask every action where it stands; one that cannot tell is unavailable for this session."""
        for action_id, action in self._actions.items():
            try:
                self._states[action_id] = _state_of(action)
            except Exception as error:  # noqa: BLE001 - reported to the sender, one action must not stop the others
                self._states[action_id] = ActionState(action=action_id, error=_noted(action_id, error))
        missing = ErrorFacts("not-granted", "the receiver's rules do not name this action", "activate the flow again")
        return tuple(self._states.get(i, ActionState(action=i, error=missing)) for i in order)

    def begin(self, begin: Begin, chosen: Sequence[ActionId]) -> None:
        """Raises `ProtocolError` when an action is named that this session did not open."""
        self._chosen, self._errors, self._live = tuple(dict.fromkeys(chosen)), {}, {}
        for action_id in self._chosen:
            state = self._states.get(action_id)
            if state is None:
                raise ProtocolError(f"Started names action {action_id}, which Open did not")
            if state.error is not None:
                self._errors[action_id] = state.error
                continue
            action = self._live[action_id] = self._actions[action_id]
            self._attempt(action, partial(_begin, action, begin, state.cursor))

    def recorded(self, path: bytes) -> tuple[ChunkRef, ...]:
        """What some action knows of the version before. One that fails here fails nothing: it is but asked for less to send."""
        for action in self._live.values():
            with suppress(HoldfastError):
                if refs := action.recorded(path):
                    return refs
        return ()

    def wanted(self, segment: Segment) -> frozenset[bytes]:
        """What some action needs, of what is offered."""
        union: frozenset[bytes] = frozenset()
        for action in list(self._live.values()):
            union |= self._attempt(action, partial(action.wanted, segment)) or frozenset()
        return union.intersection(ref.id for ref in segment.offered) if union else union

    def apply(self, segment: Segment, chunks: Mapping[bytes, VerifiedChunk], withdrawn: frozenset[bytes]) -> None:
        for action in list(self._live.values()):
            self._attempt(action, partial(action.apply, segment, chunks, withdrawn))

    def commit(self, commit: Commit) -> tuple[Acknowledgement, ...]:
        """One acknowledgement for each action that began, in that order."""
        done: dict[ActionId, Acknowledgement] = {}
        for action_id, action in list(self._live.items()):
            # A conflict at the very end is over something of others, such as the id of their point.
            acknowledgement = self._attempt(action, partial(action.commit, commit), breaches=(ProtocolError, Conflict))
            if acknowledgement is None:
                continue
            done[action_id] = msgspec.structs.replace(acknowledgement, action=action_id)
            if acknowledgement.error is None:
                self._states[action_id] = ActionState(action=action_id, cursor=acknowledgement.cursor)
        self._live = {}
        return tuple(done[i] if i in done else self._refusal(i) for i in self._chosen)

    def abort(self) -> None:
        for action in list(self._live.values()):
            _abort(action)
        self._live = {}

    def close(self) -> None:
        self.abort()
        for action in self._actions.values():
            try:
                action.close()
            except Exception:
                logger.exception("an action failed to close", extra={"facts": {"action": action.id}})

    def _attempt(self, action: Action, call: Callable[[], T], breaches: tuple[type[HoldfastError], ...] = (ProtocolError,)) -> T | None:
        try:
            return call()
        except Exception as error:  # noqa: BLE001 - reported to the sender, one action must not stop the others
            if isinstance(error, breaches):
                self._on_breach(error)
            self._errors[action.id] = _noted(action.id, error)
            self._live.pop(action.id, None)
            _abort(action)
            return None

    def _refusal(self, action_id: ActionId) -> Acknowledgement:
        return Acknowledgement(action=action_id, cursor=self._states[action_id].cursor, error=self._errors.get(action_id))


def _state_of(action: Action) -> ActionState:
    cursor = action.cursor()
    sealed = action.sealed() if isinstance(action, Holds) else None
    return ActionState(action=action.id, cursor=cursor, sealed=None if sealed == cursor else sealed)


def _begin(action: Action, begin: Begin, cursor: Cursor | None) -> None:
    """Changes since `base` are of no use to an action that has not got as far as `base`."""
    base = begin.base
    if base is not None and (base.epoch != begin.epoch or cursor is None or cursor.epoch != base.epoch or cursor.seq < base.seq):
        raise Conflict(
            f"the commit builds on {base.epoch}:{base.seq}, this action stands elsewhere",
            hint="the next run sends everything that is missing",
            action=action.id,
        )
    action.begin(begin)


def _abort(action: Action) -> None:
    try:
        action.abort()
    except Exception:
        logger.exception("an action failed to abort", extra={"facts": {"action": action.id}})


def _noted(action_id: ActionId, error: Exception) -> ErrorFacts:
    if not isinstance(error, HoldfastError):
        logger.error("an action failed", exc_info=error, extra={"facts": {"action": action_id}})
    return facts_of(error)
