"""Two-person approval at the API's door: held, let through once by somebody else, refused, expired; and no way around."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx

from holdfast.api.app import private_routes
from holdfast.api.approving import needed_by
from holdfast.api.permits import done_by
from holdfast.model.access import Activity, Grant, Scope
from holdfast.model.approvals import ApprovalAct
from holdfast.model.point_changes import AskChangePoints
from tests.api.test_contract import an_owner
from tests.master.masters import ONE_TO_TWO, Running, running_master, with_master

FORGET = {"points": ["a" * 8], "newest": True}
PASSWORD = "correct horse battery"


class Person:
    """Somebody with a token."""

    def __init__(self, running: Running, secret: str) -> None:
        self._running = running
        self._headers = {"Authorization": f"Bearer {secret}"}

    async def call(self, method: str, path: str, body: object = None) -> httpx.Response:
        body = {} if body is None and method != "GET" else body
        answer = await self._running.anonymous.request(method, f"/api/v1{path}", json=body, headers=self._headers)
        self._running.answers.check(method, f"/api/v1{path}", answer.status_code, answer.json())
        return answer


async def somebody(running: Running, name: str, role: str = "admin", scope: Scope | None = None) -> Person:
    if name not in {user.name for user in await running.master.permissions.users()}:
        await running.master.permissions.add_user(name, PASSWORD)
        await running.master.permissions.add_grant(Grant(user=name, role=role, group="everything"))
    return Person(running, (await running.master.access.create_token(name, f"of {name}", None, scope)).token)


async def an_office_of_two(running: Running, *acts: str) -> Person:
    """Its admin, and ben, who may approve; `acts` need it."""
    ben = await somebody(running, "ben")
    await running.connect("files1", "vault", "dr")
    for node in running.nodes.values():
        node.answer = an_owner
    await running.apply(ONE_TO_TWO)
    await running.post("/flows/office/activate")
    await running.call("PUT", "/approvals/rules", {"acts": list(acts)})
    return ben


def forgotten(running: Running) -> int:
    """How often it was done; each time it is asked first what it would do."""
    return sum(isinstance(question, AskChangePoints) and not question.dry_run for question in running.nodes["vault"].asked)


async def held(running: Running, method: str, path: str, body: object = None) -> dict[str, Any]:
    answer: dict[str, Any] = await running.call(method, path, {} if body is None else body, status=202)
    assert answer["state"] == "waiting"
    return answer


@with_master
async def test_nothing_is_held_until_somebody_says_so(running: Running) -> None:
    await an_office_of_two(running)
    await running.post("/points/forget", FORGET)
    assert forgotten(running) == 1
    assert (await running.get("/approvals"))["approvals"] == []


@with_master
async def test_a_held_call_is_done_once_when_somebody_else_approves(running: Running) -> None:
    ben = await an_office_of_two(running, "forget")
    request = await held(running, "POST", "/points/forget", FORGET)
    assert (request["act"], request["asked_by"], request["path"]) == ("forget", "admin", "/api/v1/points/forget")
    assert forgotten(running) == 0
    # Asked once more it is the same request, and other words are another.
    assert (await held(running, "POST", "/points/forget", FORGET))["id"] == request["id"]
    assert (await held(running, "POST", "/points/forget", {"points": ["b" * 8]}))["id"] != request["id"]
    lines = [line for line in (await running.get("/logs"))["events"] if line["code"] == "approval-wanted"]
    assert len(lines) == 2
    assert lines[-1]["message"].startswith(f"admin asks for approval: forget, request {request['id'][:8]}")
    answers = await asyncio.gather(*(ben.call("POST", f"/approvals/{request['id']}/approve") for _ in range(3)))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409]
    assert forgotten(running) == 1
    done = await running.get(f"/approvals/{request['id'][:8]}")
    assert (done["state"], done["decided_by"], done["status"]) == ("done", "ben", 200)
    assert '"changes"' in done["outcome"]


@with_master
async def test_nobody_approves_their_own_by_any_credential(running: Running) -> None:
    await an_office_of_two(running, "forget")
    request = await held(running, "POST", "/points/forget", FORGET)
    again = await somebody(running, "admin")
    for who in (
        running.http.request("POST", f"/api/v1/approvals/{request['id']}/approve", json={}),
        again.call("POST", f"/approvals/{request['id']}/approve"),
    ):
        refused = await who
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "refused")
    assert forgotten(running) == 0


@with_master
async def test_who_may_not_do_it_may_not_approve_it_nor_see_it(running: Running) -> None:
    await an_office_of_two(running, "forget")
    request = await held(running, "POST", "/points/forget", FORGET)
    viewer, auditor = await somebody(running, "vic", "viewer"), await somebody(running, "aud", "auditor")
    narrow = await somebody(running, "ben", scope=Scope(activities=frozenset({Activity.STATUS_READ})))
    for person, status in ((viewer, 404), (narrow, 404), (auditor, 403)):
        for verb in ("approve", "refuse"):
            assert (await person.call("POST", f"/approvals/{request['id']}/{verb}")).status_code == status
    assert (await viewer.call("GET", "/approvals")).json() == {"approvals": []}
    assert len((await auditor.call("GET", "/approvals")).json()["approvals"]) == 1
    assert (await running.get(f"/approvals/{request['id']}"))["state"] == "waiting"


@with_master
async def test_it_is_refused_withdrawn_or_too_late(running: Running) -> None:
    ben = await an_office_of_two(running, "prune")
    refused, late = [await held(running, "POST", f"/repositories/{name}/prune") for name in ("main", "offsite")]
    await ben.call("POST", f"/approvals/{refused['id']}/refuse", {"comment": "not before the audit"})
    told = await running.get(f"/approvals/{refused['id']}")
    assert (told["state"], told["comment"]) == ("refused", "not before the audit")
    running.clock.offset_s += 24 * 3600
    assert (await ben.call("POST", f"/approvals/{late['id']}/approve")).status_code == 409
    assert (await running.get(f"/approvals/{late['id']}"))["state"] == "expired"
    anew = await held(running, "POST", "/repositories/offsite/prune")
    assert anew["id"] != late["id"]
    withdrawn = await running.post(f"/approvals/{anew['id']}/refuse")
    assert withdrawn["state"] == "withdrawn"
    assert (await ben.call("POST", f"/approvals/{anew['id']}/approve")).status_code == 409


@with_master
async def test_what_is_there_by_then_decides_and_what_the_asker_may_by_then(running: Running) -> None:
    ben = await an_office_of_two(running, "deactivate", "forget")
    cyd = await somebody(running, "cyd")
    deactivate = (await cyd.call("POST", "/flows/office/deactivate")).json()
    forget = (await cyd.call("POST", "/points/forget", FORGET)).json()
    await running.master.permissions.remove_grant(Grant(user="cyd", role="admin", group="everything"))
    told = (await ben.call("POST", f"/approvals/{deactivate['id']}/approve")).json()
    assert (told["state"], told["status"]) == ("failed", 403)
    assert (await running.get("/flows"))["flows"][0]["state"] == "active"
    await running.master.access.drop_token("of cyd")
    told = (await ben.call("POST", f"/approvals/{forget['id']}/approve")).json()
    assert (told["state"], told["status"]) == ("failed", 401)
    assert forgotten(running) == 0


@with_master
async def test_the_rules_are_changed_by_two_and_never_lock_everybody_out(running: Running) -> None:
    alone = await running.call("PUT", "/approvals/rules", {"acts": ["prune"]}, status=403)
    assert "nobody else" in alone["error"]["message"]
    ben = await an_office_of_two(running, "prune")
    off = await held(running, "PUT", "/approvals/rules", {"acts": []})
    assert [act["act"] for act in (await running.get("/approvals/rules"))["acts"] if act["required"]] == ["prune", "approvals"]
    assert (await ben.call("POST", f"/approvals/{off['id']}/approve")).json()["state"] == "done"
    assert not any(act["required"] for act in (await running.get("/approvals/rules"))["acts"])
    await running.post("/repositories/main/prune")


@with_master
async def test_what_takes_nothing_away_is_not_held_and_what_is_no_call_is_refused(running: Running) -> None:
    await an_office_of_two(running, "prune", "forget", "release")
    await running.post("/repositories/main/prune", {"dry_run": True})
    await running.post("/repositories/main/repair", {})
    await running.post("/points/forget", {**FORGET, "dry_run": True})
    await running.post("/anomalies/ffff/judge", {"confirmed": True})
    await held(running, "POST", "/anomalies/ffff/judge", {"confirmed": False})
    await held(running, "POST", "/repositories/main/repair", {"forget_damaged": True})
    await running.call("POST", "/points/forget", {"points": "all"}, status=400)
    answer = await running.http.post("/api/v1/points/forget", content=b"{", headers={"content-type": "application/json"})
    assert answer.status_code == 400


@with_master
async def test_all_of_it_is_in_the_audit_log(running: Running) -> None:
    ben = await an_office_of_two(running, "forget")
    request = await held(running, "POST", "/points/forget", FORGET)
    await ben.call("POST", f"/approvals/{request['id']}/approve")
    records = (await running.get("/audit", activity="forget_points"))["records"]
    told = [(record["phase"], record["user"], record["credential"].partition(":")[0], record["error"]) for record in reversed(records)]
    assert told == [
        ("asked", "admin", "token", ""),
        ("ended", "admin", "token", "approval-wanted"),
        ("asked", "admin", "approval", ""),
        ("ended", "admin", "approval", ""),
    ]
    assert [record["user"] for record in (await running.get("/audit", activity="approve"))["records"]] == ["ben", "ben"]


def test_what_ran_when_the_master_died_is_not_run_again(tmp_path: Any) -> None:
    async def main() -> None:
        async with running_master(tmp_path) as running:
            await an_office_of_two(running, "forget")
            request = await held(running, "POST", "/points/forget", FORGET)
            await running.master.approvals.approve(request["id"], "ben")
            home = running.home
        async with running_master(tmp_path, home) as running:
            assert (await running.get(f"/approvals/{request['id']}"))["state"] == "unknown"
            ben = await somebody(running, "ben")
            assert (await ben.call("POST", f"/approvals/{request['id']}/approve")).status_code == 409

    asyncio.run(main())


def test_whatever_destroys_can_need_approval() -> None:
    """A new route of these activities says it, or says here why not."""
    destroying = {Activity.POINTS_DESTROY, Activity.REPOSITORIES_DESTROY}
    told = {route.name: needed_by(route.endpoint) for route in private_routes() if _activity(route.endpoint) in destroying}
    assert {name for name, needs in told.items() if needs is None} == set()
    assert {"forget_points", "expire_points", "prune", "release_archive", "forget_dataset"} <= set(told)
    needed = {route.name: needed_by(route.endpoint) for route in private_routes()}
    activating = {name for name, needs in needed.items() if needs is not None and needs.act is ApprovalAct.ACTIVATE}
    assert activating == {"activate", "protect", "draw_master_backup"}


def _activity(endpoint: Any) -> Activity:
    return done_by(endpoint).activity
