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
from holdfast.delivery.spool.writing import SpoolSession
from holdfast.model.change import Cursor, Put
from holdfast.model.rules import Rules
from holdfast.operations.following.session_pool import SessionPool
from holdfast.operations.spooling.keepers import FOLDER, Keepers
from holdfast.operations.spooling.patience import GIVEN_UP_AFTER_S
from holdfast.operations.spooling.sending import SendTools
from holdfast.testing.deliveries import EPOCH, RECEIVER, begin_of, chunk_ref, commit_of, file_of, outgoing_of
from holdfast.testing.memory_action import MemoryChunks
from holdfast.testing.virtual_clock import SeededEntropy, VirtualClock
from holdfast.wire.channel import Channel
from tests.delivery.spool.spooled_source import NothingRecorded
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


def _begin(keepers: Keepers, clock: VirtualClock, rules: Rules = RULES) -> None:
    tools = SendTools(clock=clock, pool=SessionPool(clock), dial=_away, generation=1, told=lambda _: None, missed=lambda _: None)
    keepers.configure(rules, 1 << 20, tools)


def _keep_a_run(keepers: Keepers) -> None:
    keeper = keepers.of(KEPT.id)
    assert keeper is not None
    keeper.spool.align(Cursor(EPOCH, 0), None)
    session = SpoolSession(keeper.spool, begin_of(1, 0), NothingRecorded(), "off", RECEIVER)
    plain = {chunk_ref(b"content").id: b"content"}
    session.send(outgoing_of(0, [Put(file_of(b"/data/a", b"content"))], MemoryChunks(plain, frozenset()), run=1))
    session.commit(commit_of(1))


@pytest.mark.parametrize("restarts", [False, True])
def test_what_one_owner_of_a_repository_only_held_is_for_the_next_one(
    keepers: Keepers, clock: VirtualClock, tmp_path: Path, restarts: bool
) -> None:
    """It was removed with the delivery to the one before, and moments were missing of which nothing said so."""
    _begin(keepers, clock)
    _keep_a_run(keepers)
    if restarts:
        keepers.close()
        keepers = Keepers(tmp_path, clock, SeededEntropy(2))
    for owner in ("next", "last"):
        _begin(keepers, clock, replace(RULES, deliveries=(replace(KEPT, id=owner, receiver=NodeId(owner)),)))
        assert keepers.of(KEPT.id) is None
        heir = keepers.of(owner)
        assert heir is not None
        assert heir.spool.unsent().runs == 1
        (run,) = heir.spool.next_bundle()
        payload = heir.spool.payload([run], chunk_ref(b"content").id)
        assert payload is not None
        assert payload.data == b"content"
    assert len(list((tmp_path / FOLDER).iterdir())) == 1
    keepers.close()


def test_what_waits_for_one_repository_is_not_for_another(keepers: Keepers, clock: VirtualClock, tmp_path: Path) -> None:
    _begin(keepers, clock)
    _keep_a_run(keepers)
    other = replace(delivery("continuous", elsewhere="days"), id="next")
    _begin(keepers, clock, replace(RULES, deliveries=(other,)))
    heir = keepers.of("next")
    assert heir is not None
    assert heir.spool.is_empty


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
