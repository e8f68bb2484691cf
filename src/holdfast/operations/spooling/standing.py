"""Which deliveries keep moments, and where their receivers say they stand. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from holdfast.core.errors import ErrorFacts
from holdfast.core.ids import ActionId
from holdfast.model.change import Acknowledgement, Cursor, Durability
from holdfast.model.operations import SPECS
from holdfast.model.rules import DatasetRule, Delivery
from holdfast.wire.data_messages import ActionState


class Standing(NamedTuple):
    """Of the actions that keep moments: what the one furthest behind has, and has for good. `error`: why one of them takes nothing now."""

    cursor: Cursor | None
    sealed: Cursor | None
    error: ErrorFacts | None


def keeping_actions(rule: DatasetRule, delivery: Delivery) -> tuple[ActionId, ...]:
    """The actions of a continuous delivery that runs are kept for: those that store. A mirror gets the newest state from the source."""
    if delivery.mode != "continuous":
        return ()
    kinds = {operation.name: operation.kind for operation in rule.operations}

    def keeps(action: ActionId) -> bool:
        names = dict(delivery.action_operations).get(action, delivery.operations)
        specs = [SPECS[kinds[name]] for name in names if name in kinds]
        return any(spec.continuous and spec.receiver == "repository" for spec in specs)

    return tuple(action for action in delivery.actions if keeps(action))


def keeps_moments(rule: DatasetRule, delivery: Delivery) -> bool:
    """Whether somebody at or beyond the receiver keeps the states between points. What an operation unknown here needs is not known."""
    kinds = {operation.name: operation.kind for operation in rule.operations}
    names = {*delivery.operations, *(name for _, found in delivery.action_operations for name in found)}
    return any(name not in kinds or SPECS[kinds[name]].keeps_moments for name in names)


def standing(states: Mapping[ActionId, ActionState], keeping: Sequence[ActionId], *, is_local: bool) -> Standing:
    """`is_local`: the repository is on this machine, and what it holds is as safe as a spool would be."""
    found = [states[action] for action in keeping if action in states]
    error = next((state.error for state in found if state.error is not None), None)
    if len(found) < len(keeping):
        error = error or ErrorFacts("not-granted", "the receiver's rules do not name this action", "activate the flow again")
    cursor = _lowest([state.cursor for state in found])
    sealed = cursor if is_local else _lowest([state.sealed or state.cursor for state in found])
    return Standing(cursor, sealed, error)


def after(state: ActionState, said: Acknowledgement) -> ActionState:
    """Where an action stands when it has said so of a commit."""
    if said.error is not None:
        return ActionState(action=state.action, cursor=said.cursor, sealed=state.sealed, error=said.error)
    is_sealed = said.durability is Durability.SEALED
    return ActionState(action=state.action, cursor=said.cursor, sealed=None if is_sealed else said.sealed or state.sealed or state.cursor)


def _lowest(cursors: Sequence[Cursor | None]) -> Cursor | None:
    known = [cursor for cursor in cursors if cursor is not None]
    if not known or len(known) < len(cursors) or len({cursor.epoch for cursor in known}) > 1:
        return None
    return min(known, key=lambda cursor: cursor.seq)
