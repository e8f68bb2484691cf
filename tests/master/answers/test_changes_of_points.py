"""Points that are changed together need not lie together."""

from __future__ import annotations

from typing import Any

import msgspec

from holdfast.core.errors import UnknownName
from holdfast.model.point_changes import AskChangePoints, ChangedPoint, PointsChanged
from holdfast.model.questions import Answer, Question
from tests.master.machines import Machine, with_points
from tests.master.masters import Running, with_master


def _owns(machine: Machine, old: bool = False) -> list[str]:
    """It changes those of its points that are named, as an owner does; the list has what it did. `old`: of a version before `partly`."""
    changed: list[str] = []
    plain = machine.node.answer

    def answer(question: Question) -> Answer:
        if not isinstance(question, AskChangePoints):
            return plain(question)
        mine = [point for point in machine.points if any(point.id.startswith(name) for name in question.points)]
        missing = [name for name in question.points if not any(point.id.startswith(name) for point in mine)]
        if missing and (old or not question.partly):
            raise UnknownName(f"there is no point {missing[0]!r}", point=missing[0])
        if not question.dry_run:
            changed.extend(point.id for point in mine)
        unknown = tuple((name, UnknownName(f"there is no point {name!r}", point=name).facts()) for name in missing)
        return PointsChanged(changes=tuple(ChangedPoint(point=point, outcome="changed") for point in mine), unknown=unknown)

    machine.node.answer = answer
    return changed


def _lock(*points: str) -> dict[str, Any]:
    return {"points": list(points), "duration": "1d"}


@with_master
async def test_each_owner_changes_those_that_it_has(running: Running) -> None:
    """`offsite` has the first point and not the second: it had been left without the lock of either."""
    machines = await with_points(running)
    here, there = _owns(machines["vault"]), _owns(machines["dr"])
    first, second = machines["vault"].points
    answer = await running.post("/points/lock", _lock(first.id, second.id))
    assert sorted((each["point"]["repository"], each["point"]["id"]) for each in answer["changes"]) == sorted(
        [("main", first.id), ("main", second.id), ("offsite", first.id)]
    )
    assert (here, there) == ([first.id, second.id], [first.id])


@with_master
async def test_what_lies_in_no_two_repositories_is_changed_too(running: Running) -> None:
    machines = await with_points(running)
    vault, dr = machines["vault"], machines["dr"]
    here, there = _owns(vault), _owns(dr)
    vault.points = vault.points[1:]
    (far,) = dr.points
    await running.post("/points/lock", _lock(far.id, vault.points[0].id))
    assert (here, there) == ([vault.points[0].id], [far.id])


@with_master
async def test_one_that_nobody_has_leaves_all_as_they_are(running: Running) -> None:
    machines = await with_points(running)
    here, there = _owns(machines["vault"]), _owns(machines["dr"])
    first = machines["vault"].points[0]
    refused = await running.call("POST", "/points/lock", _lock(first.id, "ffff"), status=404)
    assert refused["error"]["message"] == "there is no point 'ffff'"
    assert (here, there) == ([], [])
    await machines["dr"].node.disconnect()
    await running.until_offline(machines["dr"].node.identity.node)
    silent = await running.call("POST", "/points/lock", _lock(first.id, "ffff"), status=503)
    assert "silent: offsite on dr" in silent["error"]["message"]


def test_it_is_told_as_it_always_was() -> None:
    """Between machines of two versions."""
    assert msgspec.json.decode(b'{"type":"PointsChanged","changes":[]}', type=PointsChanged).unknown == ()
