"""All spools of a source: one that cannot be read keeps its delivery waiting, and is read again."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace

from holdfast.core.errors import NotReachable
from holdfast.core.ids import EnvironmentId, NodeId
from holdfast.model.rules import Rules
from holdfast.operations.following.session_pool import SessionPool
from holdfast.operations.spooling.keepers import Keepers
from holdfast.operations.spooling.patience import GIVEN_UP_AFTER_S
from holdfast.operations.spooling.sending import SendTools
from holdfast.testing.virtual_clock import SeededEntropy, VirtualClock
from holdfast.wire.channel import Channel
from tests.delivery.spool.test_unread import Refusing
from tests.operations.spooling.test_standing import RULE, delivery

KEPT = delivery("continuous", store="days")
RULES = Rules(
    environment=EnvironmentId("e" * 32),
    environment_name="office",
    node=NodeId("a" * 32),
    node_name="files1",
    generation=1,
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
    datasets=(RULE,),
    deliveries=(KEPT,),
)


def _away(receiver: NodeId) -> Channel:
    raise NotReachable(f"{receiver} is away")


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(RULES.created_at)


@pytest.fixture
def keepers(tmp_path: Path, clock: VirtualClock) -> Iterator[Keepers]:
    found = Keepers(tmp_path, clock, SeededEntropy(2))
    yield found
    found.close()


def _begin(keepers: Keepers, clock: VirtualClock) -> None:
    tools = SendTools(clock=clock, pool=SessionPool(clock), dial=_away, generation=1, told=lambda _: None, missed=lambda _: None)
    keepers.configure(RULES, 1 << 20, tools)


@pytest.mark.parametrize("number", [errno.EIO, errno.EMFILE])
def test_what_cannot_be_read_keeps_its_delivery_waiting_and_is_read_again(
    keepers: Keepers, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """What went to the receiver meanwhile would pass what waits there by, and moments would be missing of which nothing says so."""
    disk = Refusing(monkeypatch, "stand", number)
    _begin(keepers, clock)
    assert keepers.of(KEPT.id) is None
    waiting = keepers.waiting(KEPT.id)
    assert waiting is not None
    assert (waiting.code, waiting.retryable) == ("store", True)
    clock.advance(GIVEN_UP_AFTER_S / 2)
    assert keepers.waiting(KEPT.id) is not None
    assert disk.fired > 1
    disk.number = None
    clock.advance(60)
    assert keepers.of(KEPT.id) is not None
    assert keepers.waiting(KEPT.id) is None


def test_rules_without_it_end_the_wait(keepers: Keepers, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    Refusing(monkeypatch, "stand", errno.EIO)
    _begin(keepers, clock)
    tools = SendTools(clock=clock, pool=SessionPool(clock), dial=_away, generation=2, told=lambda _: None, missed=lambda _: None)
    keepers.configure(replace(RULES, deliveries=()), 1 << 20, tools)
    assert keepers.waiting(KEPT.id) is None
