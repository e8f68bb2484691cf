"""What is done with a copy that is a part of a point (`only`), and with the beginning of an id that fits points on two machines."""

from __future__ import annotations

from typing import Any

import msgspec

from holdfast.core.ids import Epoch, PointId
from holdfast.model.points import Point
from holdfast.model.restoring import AskRestore
from holdfast.model.subsets import epoch_of_part
from tests.master.machines import Machine, asked, with_points
from tests.master.masters import ONE_TO_TWO, Running, with_master

WHOLE, PART = ("/srv/a", "/srv/b"), ("/srv/a",)
EPOCH = Epoch("e" * 32)
TWO_ROOTS = ONE_TO_TWO.replace("[/srv/documents]", "[/srv/a, /srv/b]").replace("path: /srv/mirror", 'path: "/srv/mirror/{path}"')


async def _one_whole_one_part(running: Running) -> tuple[dict[str, Machine], Point]:
    """`main` on vault has points of all, `offsite` on dr what `only: [/srv/a]` lets through."""
    machines = await with_points(running, TWO_ROOTS)
    vault, dr = machines["vault"], machines["dr"]
    vault.points = tuple(msgspec.structs.replace(point, paths=WHOLE, epoch=EPOCH) for point in vault.points)
    part = epoch_of_part(EPOCH, PART)
    dr.points = tuple(msgspec.structs.replace(point, repository="offsite", paths=PART, epoch=part) for point in vault.points)
    return machines, vault.points[0]


async def _leaves(running: Running, machine: Machine) -> None:
    await machine.node.disconnect()
    await running.until_offline(machine.node.identity.node)


async def _asks(running: Running, point: Point) -> list[tuple[str, str, dict[str, Any]]]:
    at = {"dataset": "files1/documents", "at": "2026-01-01T02:00:00Z"}
    return [
        ("POST", path, {**of, **more})
        for of in ({"point": point.id}, {"point": point.id[:8]}, at, {"dataset": "files1/documents"})
        for path, more in (("/restores", {"to": "/back"}), ("/mounts", {"node": "files1"}))
    ]


@with_master
async def test_a_part_is_not_restored_for_the_whole_whose_owner_is_silent(running: Running) -> None:
    machines, point = await _one_whole_one_part(running)
    asks = await _asks(running, point)
    for method, path, body in asks:
        assert (await running.call(method, path, body))["lacks"] == []
    assert all(point.repository == "main" for point in machines["vault"].points)
    await _leaves(running, machines["vault"])
    before = len(asked(machines["files1"], AskRestore))
    for method, path, body in asks:
        refused = (await running.call(method, path, body, status=503))["error"]
        assert refused["code"] == "not-reachable"
        assert "without /srv/b; silent: main on vault" in refused["message"]
        assert "/srv/a" in refused["hint"]
        assert "--from offsite" in refused["hint"]
    link = {"point": point.id, "path": "/srv", "format": "tar"}
    assert "without /srv/b" in str(await running.call("POST", "/downloads", link, status=503))
    assert len(asked(machines["files1"], AskRestore)) == before


@with_master
async def test_what_a_part_has_is_restored_and_what_it_lacks_is_said(running: Running) -> None:
    machines, point = await _one_whole_one_part(running)
    await _leaves(running, machines["vault"])
    wish = {"point": point.id, "to": "/back"}
    within = await running.post("/restores", {**wish, "paths": ["/srv/a/x"]})
    assert (within["point"]["repository"], within["lacks"]) == ("offsite", [])
    named = await running.post("/restores", {**wish, "repository": "offsite"})
    assert (named["point"]["repository"], named["lacks"]) == ("offsite", ["/srv/b"])
    listed = await running.get("/ls", point=point.id)
    assert [each["repository"] for each in listed["unreachable"]] == ["main"]
    assert (await running.get("/ls", point=point.id, path="/srv/a"))["unreachable"] == []
    # There is no other copy to wait for.
    await running.connect("vault")
    machines["vault"].points = ()
    assert (await running.post("/restores", wish))["lacks"] == ["/srv/b"]


@with_master
async def test_an_exact_restore_wants_all_of_the_point_where_the_dataset_is(running: Running) -> None:
    """What is not in a part may well have been there."""
    machines, point = await _one_whole_one_part(running)
    exact = {"point": point.id, "to": "/", "exact": True}
    assert (await running.post("/restores", exact))["lacks"] == []
    assert asked(machines["files1"], AskRestore)[-1].request.exact
    elsewhere = await running.call("POST", "/restores", {**exact, "node": "dr"}, status=400)
    assert "not captured on dr" in elsewhere["error"]["message"]
    part = await running.call("POST", "/restores", {**exact, "repository": "offsite"}, status=400)
    assert "/srv/b" in part["error"]["message"]
    assert (await running.post("/restores", {**exact, "repository": "offsite", "paths": ["/srv/a"]}))["lacks"] == []
    await running.call("POST", "/restores", {**exact, "to": "/back"}, status=400)


@with_master
async def test_a_point_from_before_a_folder_was_captured_is_no_part(running: Running) -> None:
    machines, point = await _one_whole_one_part(running)
    older = msgspec.structs.replace(point, repository="offsite", paths=PART, epoch=EPOCH)
    newer = msgspec.structs.replace(machines["dr"].points[-1], paths=WHOLE, epoch=EPOCH)
    machines["dr"].points = (older, newer)
    await _leaves(running, machines["vault"])
    for method, path, body in await _asks(running, point):
        assert (await running.call(method, path, body))["lacks"] == []


@with_master
async def test_the_beginning_of_an_id_that_fits_points_on_two_machines_is_refused(running: Running) -> None:
    machines = await with_points(running)
    point, other = machines["vault"].points
    twin = msgspec.structs.replace(machines["dr"].points[0], id=PointId(point.id[:6] + "f" * 26))
    machines["dr"].points = (twin,)
    few, more = point.id[:6], point.id[:8]
    for path, query in (("/ls", {"point": few}), ("/diff", {"a": few, "b": other.id}), ("/diff", {"a": other.id, "b": few})):
        refused = (await running.get(path, status=404, **query))["error"]
        assert (refused["code"], refused["message"]) == ("unknown-name", f"several points begin with '{few}'")
    assert "several points" in str(await running.post("/restores", {"point": few, "to": "/back"}, status=404))
    assert (await running.get("/ls", point=more))["point"]["id"] == point.id
    assert (await running.get("/diff", a=more, b=other.id[:8]))["a"]["id"] == point.id
    await running.get("/ls", point="0123", status=404)
