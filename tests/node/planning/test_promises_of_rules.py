"""Which promises a node answers for: what it captures and what it forwards from a repository, not what it only hands on."""

from __future__ import annotations

import msgspec

from holdfast.core.clock import utc
from holdfast.model.promises import promises_of
from holdfast.node.planning.protections import judge, reconcile
from holdfast.testing.node_rules import DOCUMENTS, DR, MIRROR, STORE, delivery, source_rules, store_rules


def test_a_source_answers_for_all_it_delivers() -> None:
    assert {(p.operation, p.action) for p in promises_of(source_rules())} == {("backup", STORE), ("replicate", MIRROR)}


def test_a_repository_node_answers_for_its_cascades() -> None:
    assert [p.cascade for p in promises_of(store_rules())] == ["cascade-1"]


def test_a_relay_answers_for_nothing() -> None:
    """The sender does: a forward is acknowledged when the next node has acknowledged. Here nobody could ever say how it went."""
    onward = delivery(DOCUMENTS, (STORE, ("backup",)), receiver=DR, receiver_name="dr")
    relay = msgspec.structs.replace(store_rules(), repositories=(), cascades=(), deliveries=(onward,))
    assert list(promises_of(relay)) == []
    rows, _ = reconcile(relay, {}, 0)
    assert judge(relay, rows, {}, utc(0)) == ()
