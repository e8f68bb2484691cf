"""How repositories grow: on record once a day, and when something has changed; with a gap while their owner is away."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.errors import ErrorFacts
from holdfast.master.records.sizes import Size
from holdfast.master.showing.growth import CHANGED_BY, DAILY, SOONEST, is_due
from holdfast.model.node_status import NodeStatus
from tests.master.masters import Running, with_master
from tests.master.monitor.test_monitor import office

AT = datetime(2026, 1, 2, tzinfo=UTC)
DAY_S = 86_400
sizes = st.builds(
    Size,
    at=st.just(AT),
    points=st.integers(0, 10_000),
    points_bytes=st.integers(0, 2**50),
    unique_bytes=st.integers(0, 2**50),
    stored_bytes=st.integers(0, 2**50),
)


def holds(machine: Any, **changes: Any) -> None:
    """What the owner says of its repository from now on."""
    status: NodeStatus = machine.status
    repositories = tuple(msgspec.structs.replace(repository, **changes) for repository in status.repositories)
    machine.status = msgspec.structs.replace(status, repositories=repositories)


async def growth(running: Running, days: int = 400) -> list[int]:
    return [size["stored_bytes"] for size in (await running.get("/repositories/main/growth", days=days))["sizes"]]


@with_master
async def test_a_repository_is_on_record_each_day_and_when_it_changes(running: Running) -> None:
    vault = (await office(running))["vault"]
    holds(vault, stored_bytes=1_000, points=1)
    await running.master.growth.record()
    holds(vault, stored_bytes=2_000)
    await running.master.growth.record()
    assert await growth(running) == [1_000], "it was looked at a moment ago"
    running.clock.offset_s += 3_600
    await running.master.growth.record()
    assert await growth(running) == [1_000, 2_000]
    holds(vault, stored_bytes=2_001)
    running.clock.offset_s += 3_600
    await running.master.growth.record()
    assert await growth(running) == [1_000, 2_000], "that is next to nothing"
    running.clock.offset_s += DAY_S
    await running.master.growth.record()
    assert await growth(running) == [1_000, 2_000, 2_001]
    assert await growth(running, days=1) == [2_001]


@with_master
async def test_looking_asks_the_owner_too(running: Running) -> None:
    vault = (await office(running))["vault"]
    holds(vault, stored_bytes=5_000, points=3)
    found = await running.get("/repositories/main/growth")
    assert (found["now"]["stored_bytes"], found["now"]["points"]) == (5_000, 3)
    assert [size["stored_bytes"] for size in found["sizes"]] == [5_000]
    await running.get("/repositories/nothere/growth", status=404)


@with_master
async def test_trouble_and_absence_leave_a_gap(running: Running) -> None:
    vault = (await office(running))["vault"]
    holds(vault, stored_bytes=7, error=ErrorFacts("repository-damaged", "damaged", "", False))
    await running.master.growth.record()
    assert await growth(running) == []
    assert (await running.get("/repositories/main/growth"))["now"] is None
    await vault.node.disconnect()
    await running.until_offline(vault.node.identity.node)
    await running.master.growth.record()
    found = await running.get("/repositories/main/growth")
    assert (found["sizes"], found["now"]) == ([], None)


@given(sizes, sizes, st.integers(0, 3 * DAY_S))
def test_what_is_due(before: Size, after: Size, passed_s: int) -> None:
    later = msgspec.structs.replace(after, at=AT + timedelta(seconds=passed_s))
    due = is_due(before, later)
    if timedelta(seconds=passed_s) >= DAILY:
        assert due
    elif timedelta(seconds=passed_s) < SOONEST:
        assert not due
    elif abs(after.stored_bytes - before.stored_bytes) > CHANGED_BY * before.stored_bytes:
        assert due


@with_master
async def test_what_was_looked_at_just_now_is_one_row(running: Running) -> None:
    """It went on record a moment before it was said to be so now, and was shown twice."""
    vault = (await office(running))["vault"]
    holds(vault, stored_bytes=1_000, points=1)
    found = await running.get("/repositories/main/growth")
    assert [size["at"] for size in found["sizes"]] == [found["now"]["at"]]
