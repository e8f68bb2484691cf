"""Which deliveries have a spool, and what the receiver's words mean for it."""

from __future__ import annotations

from holdfast.core.errors import ErrorFacts
from holdfast.core.ids import ActionId, DatasetId, Epoch, NodeId
from holdfast.model.change import Acknowledgement, Cursor, Durability
from holdfast.model.document import Classification
from holdfast.model.rules import DatasetRule, Delivery, OperationRule
from holdfast.operations.spooling.standing import after, keeping_actions, keeps_moments, standing
from holdfast.wire.data_messages import ActionState

STORE, MIRROR = ActionId("store"), ActionId("mirror")
RULE = DatasetRule(
    id=DatasetId("d"),
    label="files1/d",
    policy="d",
    classification=Classification(paths=("/srv",)),
    operations=tuple(
        OperationRule(name=name, kind=kind)
        for name, kind in (("days", "cdp"), ("hours", "live"), ("copy", "replicate"), ("nightly", "backup"))
    ),
)


def delivery(mode: str, **operations: str) -> Delivery:
    actions = tuple(map(ActionId, operations))
    return Delivery(
        id="x",
        dataset=RULE.id,
        label=RULE.label,
        receiver=NodeId("n"),
        receiver_name="vault",
        actions=actions,
        operations=tuple(operations.values()),
        action_operations=tuple((ActionId(action), (name,)) for action, name in operations.items()),
        mode="continuous" if mode == "continuous" else "batch",
    )


def at(seq: int) -> Cursor:
    return Cursor(Epoch("e"), seq)


def test_only_what_needs_each_moment_has_a_spool() -> None:
    assert keeping_actions(RULE, delivery("continuous", store="days", mirror="copy")) == (STORE,)
    assert keeping_actions(RULE, delivery("continuous", mirror="copy")) == ()
    assert keeping_actions(RULE, delivery("continuous", store="nightly")) == ()
    assert keeping_actions(RULE, delivery("batch", store="days")) == ()


def test_states_between_points_count_where_an_operation_keeps_them() -> None:
    assert keeps_moments(RULE, delivery("continuous", store="days", mirror="copy"))
    assert not keeps_moments(RULE, delivery("continuous", store="hours", mirror="copy"))
    assert keeps_moments(RULE, delivery("continuous", store="hours", other="of a later version"))


def test_the_action_furthest_behind_counts() -> None:
    states = {STORE: ActionState(action=STORE, cursor=at(9), sealed=at(4)), MIRROR: ActionState(action=MIRROR, cursor=at(7))}
    both = standing(states, (STORE, MIRROR), is_local=False)
    assert (both.cursor, both.sealed, both.error) == (at(7), at(4), None)
    assert standing(states, (STORE,), is_local=True).sealed == at(9)
    assert standing(states, (MIRROR,), is_local=False).sealed == at(7)


def test_actions_that_do_not_answer_or_stand_nowhere() -> None:
    assert standing({}, (STORE,), is_local=False).error is not None
    nowhere = standing({STORE: ActionState(action=STORE)}, (STORE,), is_local=False)
    assert (nowhere.cursor, nowhere.error) == (None, None)
    apart = {STORE: ActionState(action=STORE, cursor=at(1)), MIRROR: ActionState(action=MIRROR, cursor=Cursor(Epoch("other"), 1))}
    assert standing(apart, (STORE, MIRROR), is_local=False).cursor is None
    away = ErrorFacts("repository-paused", "it rests", "", True)
    assert standing({STORE: ActionState(action=STORE, error=away)}, (STORE,), is_local=False).error == away


def test_what_is_held_leaves_sealed_where_it_was() -> None:
    before = ActionState(action=STORE, cursor=at(4))
    held = after(before, Acknowledgement(action=STORE, durability=Durability.HELD, cursor=at(5)))
    assert (held.cursor, held.sealed) == (at(5), at(4))
    said = after(held, Acknowledgement(action=STORE, durability=Durability.HELD, cursor=at(6), sealed=at(5)))
    assert (said.cursor, said.sealed) == (at(6), at(5))
    assert after(said, Acknowledgement(action=STORE, cursor=at(7))) == ActionState(action=STORE, cursor=at(7))
    failed = after(said, Acknowledgement(action=STORE, cursor=at(6), error=ErrorFacts("no-space", "full")))
    assert failed.error is not None
