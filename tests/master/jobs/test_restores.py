"""Restores: signed orders for the right reader, from the right copy, mirrors among them."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import msgspec

from holdfast.core.errors import OutsideLimits
from holdfast.core.ids import Epoch
from holdfast.model.change import Cursor
from holdfast.model.jobs import State
from holdfast.model.mirrors import AskMirrors, Mirrors, MirrorState, Stand
from holdfast.model.orders import RestoreOrder, signed_bytes_of_order
from holdfast.model.questions import Answer, Question
from holdfast.model.restoring import AskRestore
from holdfast.model.rules import MirrorAction
from holdfast.wire.authority import verify_signature
from tests.master.machines import Machine, a_point, asked, finished, with_points
from tests.master.masters import Running, with_master


@with_master
async def test_a_restore_order_is_signed_for_the_right_reader(running: Running) -> None:
    machines = await with_points(running)
    point = a_point(2, "main", 3, "").id
    body = {"point": point[:8], "paths": ["/srv/documents/a%FF"], "to": "/back", "dry_run": True, "limit_bytes_s": 5}
    started = await running.post("/restores", body)
    assert started["point"]["id"] == point
    assert set(started) == {"trigger", "job", "point", "lacks", "refusal"}
    (ask,) = asked(machines["files1"], AskRestore)
    order = msgspec.json.decode(ask.order.body, type=RestoreOrder)
    assert verify_signature(running.master.base.authority.signing_public, signed_bytes_of_order(ask.order.body), ask.order.signature)
    assert (order.reader, order.owner) == (machines["files1"].node.identity.node, machines["vault"].node.identity.node)
    assert order.owner_address == "vault.test:7442"
    assert order.paths == ask.paths == (b"/srv/documents/a\xff",)
    assert order.repository == machines["vault"].node.taken[-1].repositories[0].id
    assert timedelta(minutes=55) < order.expires_at - running.master.base.now() <= timedelta(hours=1)
    assert (ask.request.target, ask.request.dry_run, ask.request.limit_bytes_s) == ("/back", True, 5)
    assert ask.trigger == started["trigger"]
    assert (await finished(running, started["trigger"]))["state"] == "succeeded"
    second = await running.post("/restores", body)
    assert second["job"] != started["job"]
    orders = [msgspec.json.decode(a.order.body, type=RestoreOrder).id for a in asked(machines["files1"], AskRestore)]
    assert len(set(orders)) == 2


@with_master
async def test_a_mount_gets_lasting_orders_for_each_copy_and_one_reader(running: Running) -> None:
    machines = await with_points(running)
    granted = await running.post("/mounts", (of := {"dataset": "files1/documents", "node": "files1"}) | {"at": "2026-01-01T02:00:00Z"})
    assert granted["point"]["time"] == "2026-01-01T01:00:00Z"
    bodies = [base64.b64decode(each["body"]) for each in granted["orders"]]
    orders = [msgspec.json.decode(body, type=RestoreOrder) for body in bodies]
    assert {order.owner for order in orders} == {machines[name].node.identity.node for name in ("vault", "dr")}
    assert all(order.lasting and order.reader == machines["files1"].node.identity.node and order.paths == () for order in orders)
    signature = base64.b64decode(granted["orders"][0]["signature"])
    assert verify_signature(running.master.base.authority.signing_public, signed_bytes_of_order(bodies[0]), signature)
    assert "2026-01-01T01:00:00Z" in str(await running.post("/mounts", of | {"at": "2025-12-31T00:00:00Z"}, status=404)), "the oldest"
    for wrong, status in (({"node": ""}, 400), ({"node": "nobody"}, 404), ({"point": "abcd"}, 400)):
        await running.post("/mounts", of | wrong, status=status)


@with_master
async def test_a_dataset_at_a_time_is_the_newest_point_before_it(running: Running) -> None:
    machines = await with_points(running)
    wish = {"dataset": "files1/documents", "to": "/back"}
    early = await running.post("/restores", {**wish, "at": "2026-01-01T02:00:00Z"})
    assert early["point"]["time"] == "2026-01-01T01:00:00Z"
    assert (await running.post("/restores", wish))["point"]["time"] == "2026-01-01T03:00:00Z"
    await running.post("/restores", {**wish, "at": "2025-01-01"}, status=404)
    await running.post("/restores", {**wish, "point": "abcd"}, status=400)
    await running.post("/restores", {"to": "/back"}, status=400)
    await running.post("/restores", {**wish, "node": "nobody"}, status=404)
    assert len(asked(machines["files1"], AskRestore)) == 2


@with_master
async def test_a_copy_on_the_readers_own_machine_is_preferred(running: Running) -> None:
    machines = await with_points(running)
    point = a_point(1, "main", 1, "").id
    await running.post("/restores", {"point": point, "to": "/back", "node": "dr"})
    (ask,) = asked(machines["dr"], AskRestore)
    order = msgspec.json.decode(ask.order.body, type=RestoreOrder)
    assert order.owner == order.reader == machines["dr"].node.identity.node


@with_master
async def test_what_the_reader_refuses_is_the_answer(running: Running) -> None:
    machines = await with_points(running)
    answer = machines["files1"].answer

    def refuse(question: Question) -> Answer:
        if isinstance(question, AskRestore):
            raise OutsideLimits("/etc is outside", hint="limits.toml")
        return answer(question)

    machines["files1"].node.answer = refuse
    said = await running.post("/restores", {"point": a_point(1, "main", 1, "").id, "to": "/etc"}, status=403)
    assert (said["error"]["code"], said["error"]["message"]) == ("outside-limits", "files1 refuses: /etc is outside")


@with_master
async def test_a_job_is_known_as_soon_as_its_id_is(running: Running) -> None:
    """Before the node reports it, when it is reported late or out of turn, and when the node has gone."""
    machines = await with_points(running)
    files1 = machines["files1"]
    files1.ends = None
    first, second = [await running.post("/restores", {"dataset": "files1/documents", "to": "/back"}) for _ in range(2)]
    for started in (first, second):
        job = await running.get(f"/jobs/{started['job']}")
        assert (job["state"], job["node_name"], job["trigger"]) == ("running", "files1", started["trigger"])
        assert [known["id"] for known in (await running.get(f"/triggers/{started['trigger']}"))["jobs"]] == [started["job"]]
    await files1.node.disconnect()
    await running.until_offline(files1.node.identity.node)
    assert (await running.get(f"/jobs/{second['job']}"))["state"] == "running"
    await running.post(f"/jobs/{second['job']}/cancel", status=503)
    await running.post("/restores", {"dataset": "files1/documents", "to": "/back"}, status=503)
    await running.connect("files1")
    await files1.end_all(State.FAILED)
    assert (await finished(running, first["trigger"]))["state"] == "failed"
    assert (await running.get(f"/jobs/{first['job']}"))["state"] == "failed"


def _mirror(running: Running, machines: dict[str, Machine], seq: int, hour: int) -> MirrorState:
    receive = next(r for r in machines["dr"].node.taken[-1].receives if any(isinstance(a, MirrorAction) for a in r.actions))
    action = next(a for a in receive.actions if isinstance(a, MirrorAction))
    stand = Stand(cursor=Cursor(Epoch("e"), seq), captured_at=datetime(2026, 1, 1, hour, tzinfo=UTC), files=3, size_bytes=9)
    return MirrorState(action=action.id, dataset=receive.label, dataset_id=receive.dataset, targets=action.targets, stand=stand)


async def _with_a_mirror(running: Running, seq: int, hour: int) -> dict[str, Machine]:
    machines = await with_points(running)
    stands = [msgspec.structs.replace(p, seq=p.time.hour, epoch=Epoch("e")) for p in machines["vault"].points]
    machines["vault"].points = tuple(stands)
    dr, state = machines["dr"], _mirror(running, machines, seq, hour)
    answer = dr.answer
    dr.points = ()
    dr.node.answer = lambda question: Mirrors(mirrors=(state,)) if isinstance(question, AskMirrors) else answer(question)
    return machines


def _orders(ask: AskRestore) -> list[RestoreOrder]:
    return [msgspec.json.decode(signed.body, type=RestoreOrder) for signed in (ask.order, *ask.spares) if signed is not None]


@with_master
async def test_a_mirror_that_is_equal_to_the_point_is_one_of_its_copies(running: Running) -> None:
    machines = await _with_a_mirror(running, 3, 3)
    wish = {"dataset": "files1/documents", "to": "/back"}
    await running.post("/restores", wish)
    orders = _orders(asked(machines["files1"], AskRestore)[-1])
    assert [(bool(o.mirror), o.stands_at, o.names_only) for o in orders] == [(False, None, False), (True, Cursor(Epoch("e"), 3), False)]
    # Of an older point it is none, but for its own machine.
    await running.post("/restores", {**wish, "at": "2026-01-01T02:00:00Z"})
    assert len(_orders(asked(machines["files1"], AskRestore)[-1])) == 1
    await running.post("/restores", {**wish, "at": "2026-01-01T02:00:00Z", "node": "dr"})
    orders = _orders(asked(machines["dr"], AskRestore)[-1])
    assert [(bool(o.mirror), o.stands_at) for o in orders] == [(True, None), (False, None)]


@with_master
async def test_a_mirror_that_is_named_gives_the_content_and_repositories_the_names(running: Running) -> None:
    machines = await _with_a_mirror(running, 3, 3)
    (row,) = (await running.get("/mirrors"))["mirrors"]
    assert (row["name"], row["dataset"], row["online"], row["stand"]["cursor"]["seq"]) == ("dr:/srv/mirror", "files1/documents", True, 3)
    wish = {"dataset": "files1/documents", "to": "/back", "repository": "dr:/srv/mirror"}
    started = await running.post("/restores", wish)
    assert started["point"]["repository"] == "dr:/srv/mirror"
    orders = _orders(asked(machines["files1"], AskRestore)[-1])
    assert [(bool(o.mirror), o.names_only) for o in orders] == [(True, False), (False, True)]
    await running.post("/restores", {**wish, "at": "2026-01-01T02:00:00Z"}, status=409)
    await running.post("/restores", {**wish, "repository": "vault:/srv/mirror"}, status=404)
    await running.post("/restores", {**wish, "dataset": "", "point": a_point(1, "main", 1, "").id}, status=409)
    assert (await running.post("/restores", {**wish, "dataset": "", "point": a_point(2, "main", 3, "").id}))["job"]
    explained = await running.get("/explain", path="/srv/documents/a")
    assert [(m["name"], m["path"], m["online"]) for m in explained["mirrors"]] == [("dr:/srv/mirror", "/srv/mirror/a", True)]


@with_master
async def test_where_no_repository_answers_the_newest_mirror_is_taken(running: Running) -> None:
    machines = await _with_a_mirror(running, 9, 9)
    await machines["vault"].node.disconnect()
    await running.until_offline(machines["vault"].node.identity.node)
    wish = {"dataset": "files1/documents", "to": "/back"}
    assert (await running.post("/restores", wish))["point"]["time"] == "2026-01-01T09:00:00Z"
    (order,) = _orders(asked(machines["files1"], AskRestore)[-1])
    assert (bool(order.mirror), order.stands_at) == (True, Cursor(Epoch("e"), 9))
    await running.post("/restores", {**wish, "at": "2026-01-01T08:00:00Z"}, status=503)
    await machines["dr"].node.disconnect()
    await running.until_offline(machines["dr"].node.identity.node)
    (row,) = (await running.get("/mirrors"))["mirrors"]
    assert (row["online"], row["stand"]) == (False, None)
