"""Users, roles, groups and grants by the API: what is given holds at the next call, what is taken away is refused at once."""

from __future__ import annotations

from typing import Any

from sqlalchemy import event

from holdfast.master.config import load_config
from holdfast.master.people.passwords import set_password
from tests.master.masters import ONE_TO_TWO, Running, with_master

PASSWORD = "correct horse battery"


class As:
    """Calls of the API as one user."""

    def __init__(self, running: Running, token: str) -> None:
        self._running = running
        self._headers = {"Authorization": f"Bearer {token}"}

    async def call(self, method: str, path: str, /, body: object = None, status: int = 200, **query: Any) -> Any:
        answer = await self._running.anonymous.request(method, f"/api/v1{path}", headers=self._headers, json=body, params=query or None)
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text}"
        self._running.answers.check(method, f"/api/v1{path}", status, answer.json())
        return answer.json()

    async def get(self, path: str, /, status: int = 200, **query: Any) -> Any:
        return await self.call("GET", path, status=status, **query)

    async def refused(self, method: str, path: str, body: object = None) -> str:
        error = (await self.call(method, path, body, status=403))["error"]
        assert error["code"] == "refused"
        return str(error["message"])


async def as_user(running: Running, name: str, role: str = "", group: str = "everything") -> As:
    await running.post("/users", {"name": name, "password": PASSWORD})
    if role:
        await running.post("/grants", {"user": name, "role": role, "group": group})
    return As(running, (await running.post("/login", {"user": name, "password": PASSWORD}))["token"])


@with_master
async def test_a_user_may_what_is_granted_until_it_is_taken_back(running: Running) -> None:
    eva = await as_user(running, "eva")
    assert "status.read" in await eva.refused("GET", "/nodes")
    assert (await eva.get("/session/access"))["rows"] == []
    await running.post("/grants", {"user": "eva", "role": "operator"})
    assert (await eva.get("/nodes"))["nodes"] == []
    assert "environment.change" in await eva.refused("PUT", "/environment", {"text": ONE_TO_TWO})
    await running.call("DELETE", "/grants/eva/operator/everything")
    await eva.refused("GET", "/nodes")


@with_master
async def test_who_reads_the_document_may_try_an_edit_of_it_and_no_more(running: Running) -> None:
    await running.call("PUT", "/environment", {"text": ONE_TO_TWO})
    eva = await as_user(running, "eva", "auditor")
    newest = await eva.get("/environment")
    edit = {"base_revision": newest["revision"], "operations": [{"op": "set", "path": ["environment"], "value": "works"}], "dry_run": True}
    assert "environment: works" in (await eva.call("POST", "/environment/edit", edit))["text"]
    assert "environment.change" in await eva.refused("POST", "/environment/edit", {**edit, "dry_run": False})
    assert await eva.get("/environment") == newest


@with_master
async def test_a_role_of_ones_own_changes_what_its_users_may(running: Running) -> None:
    await running.call("PUT", "/roles/clerk", {"activities": ["status.read"]})
    eva = await as_user(running, "eva", "clerk")
    await eva.get("/flows")
    await eva.refused("GET", "/points")
    await running.call("PUT", "/roles/clerk", {"activities": ["points.read"]})
    await eva.get("/points")
    await eva.refused("GET", "/flows")
    assert (await running.call("DELETE", "/roles/clerk", status=409))["error"]["code"] == "conflict"
    await running.call("PUT", "/roles/admin", {"activities": ["points.read"]}, status=403)
    await running.call("PUT", "/roles/none", {"activities": ["points.eat"]}, status=400)


@with_master
async def test_a_disabled_user_is_out_at_once_and_comes_back(running: Running) -> None:
    eva = await as_user(running, "eva", "viewer")
    page = {"X-Holdfast-Page": "1", "Origin": "https://master.test:7440"}
    await running.anonymous.post("/api/v1/session", json={"user": "eva", "password": PASSWORD}, headers=page)
    running.anonymous.cookies.clear()
    assert len((await running.get("/sessions"))["sessions"]) == 1
    await running.post("/users/eva/disable")
    await eva.get("/nodes", status=401)
    await running.post("/login", {"user": "eva", "password": PASSWORD}, status=401)
    assert (await running.get("/sessions"))["sessions"] == []
    await running.post("/users/eva/enable")
    await eva.get("/nodes")
    await running.call("DELETE", "/users/eva")
    await eva.get("/nodes", status=401)
    assert [user["name"] for user in (await running.get("/users"))["users"]] == ["admin"]


@with_master
async def test_the_last_who_manages_access_stays(running: Running) -> None:
    for method, path in (("POST", "/users/admin/disable"), ("DELETE", "/users/admin"), ("DELETE", "/grants/admin/admin/everything")):
        error = (await running.call(method, path, status=403))["error"]
        assert "nobody could manage access" in error["message"]
    await running.get("/users")
    await as_user(running, "eva", "admin")
    await running.post("/users/admin/disable")
    await running.get("/users", status=401)


@with_master
async def test_a_token_is_narrowed_and_makes_no_wider_one(running: Running) -> None:
    made = await running.post("/tokens", {"name": "ci", "activities": ["status.read"], "ttl_s": 60})
    ci = As(running, made["token"])
    await ci.get("/nodes")
    await ci.refused("GET", "/users")
    for path in ("/tokens", "/session/links"):
        await ci.refused("POST", path, {"name": "wider"})
    shown = next(token for token in (await running.get("/tokens"))["tokens"] if token["name"] == "ci")
    assert shown["scope"] == {"activities": ["status.read"], "group": "everything"}
    running.clock.offset_s += 61
    await ci.get("/nodes", status=401)
    await running.post("/tokens", {"name": "x", "group": "nowhere"}, status=404)


@with_master
async def test_tokens_and_sessions_of_others_are_for_who_manages_access(running: Running) -> None:
    eva, max_ = await as_user(running, "eva", "viewer"), await as_user(running, "max", "viewer")
    await eva.call("POST", "/tokens", {"name": "mine"})
    assert {token["user"] for token in (await max_.get("/tokens"))["tokens"]} == {"max"}
    await max_.call("DELETE", "/tokens/mine", status=404)
    await running.call("DELETE", "/tokens/mine")
    assert {token["user"] for token in (await running.get("/tokens"))["tokens"]} == {"admin", "eva", "max"}


@with_master
async def test_ones_own_password_needs_the_old_one(running: Running) -> None:
    eva = await as_user(running, "eva", "viewer")
    body = {"old_password": "wrong wrong", "password": "another horse"}
    await eva.call("POST", "/session/password", body, status=401)
    await eva.call("POST", "/session/password", {**body, "old_password": PASSWORD})
    await running.post("/login", {"user": "eva", "password": "another horse"})
    assert b"another horse" not in running.records_as_stored()


@with_master
async def test_who_can_and_what_can(running: Running) -> None:
    await running.connect("files1", "vault", "dr")
    await running.apply(ONE_TO_TWO)
    await running.call("PUT", "/resource-groups/files", {"nodes": ["files1"]})
    await as_user(running, "eva", "restorer", "files")
    rows = {row["activity"]: row for row in (await running.get("/access/of/eva"))["rows"]}
    assert rows["data.restore"]["nodes"] == ["files1"]
    assert not rows["data.restore"]["everything"]
    who = (await running.get("/access/to", kind="node", name="files1"))["rows"]
    assert {row["user"] for row in who if row["activity"] == "data.restore"} == {"admin", "eva"}
    assert next(row["why"] for row in who if row["user"] == "eva") == "role restorer on files"
    who = (await running.get("/access/to", kind="dataset", name="files1/documents"))["rows"]
    assert "eva" in {row["user"] for row in who}
    who = (await running.get("/access/to", kind="repository", name="main"))["rows"]
    assert {row["user"] for row in who} == {"admin"}
    await running.get("/access/to", status=404, kind="node", name="nowhere")


@with_master
async def test_a_call_costs_one_transaction_and_no_more_queries_while_nothing_changes(running: Running) -> None:
    """The caller, and one number that says whether anything changed. Another process that changes something is seen, too."""
    await running.get("/session")
    asked: list[str] = []
    engine = running.master.base.database._engine
    about = ("api_tokens", "access_version", "users", "grants", "roles", "resource_groups")

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        asked.extend(table for table in about if f"FROM {table}" in statement)

    event.listen(engine, "before_cursor_execute", note)
    await running.get("/session")
    event.remove(engine, "before_cursor_execute", note)
    assert asked == ["api_tokens", "access_version"]
    eva = await as_user(running, "eva", "viewer")
    tables = await running.master.permissions.tables()
    assert await running.master.permissions.tables() is tables
    set_password(load_config(running.home), "eva", "another horse")
    await eva.get("/nodes")
