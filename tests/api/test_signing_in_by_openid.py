"""Signing in by a real OpenID provider, and what must not let anybody in; and command lines that are logged in from a browser."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from holdfast.api.callers import COOKIE
from holdfast.api.routes.directories import TRIP_COOKIE
from holdfast.core.errors import Refused
from holdfast.model.access import Grant
from tests.api.test_browser_sessions import PAGE, call, cookie_of, log_in
from tests.master.masters import Running, running_master
from tests.openid.real_provider import ACCOUNTS, RealProvider, real_provider

Scenario = Callable[[Running], Awaitable[None]]


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealProvider]:
    with real_provider(tmp_path_factory.mktemp("openid") / "provider") as found:
        yield found


def run(scenario: Scenario, tmp_path: Path, provider: RealProvider, **more: Any) -> None:
    async def main() -> None:
        async with running_master(tmp_path, directories=(provider.directory(**more),)) as running:
            await scenario(running)

    asyncio.run(main())


async def begin(running: Running, name: str = "corp") -> httpx.Response:
    running.anonymous.cookies.clear()
    return await running.anonymous.post("/api/v1/session/directory", json={"directory": name}, headers=PAGE)


async def come_back(running: Running, begun: httpx.Response, query: dict[str, str], **changed: Any) -> httpx.Response:
    """The browser that began it brings the query that the provider sent it back with."""
    body = {"state": query["state"], "code": query.get("code", ""), "issuer": query.get("iss", ""), "error": query.get("error", "")}
    running.anonymous.cookies.clear()
    headers = {**PAGE, "Cookie": f"{TRIP_COOKIE}={begun.cookies[TRIP_COOKIE]}"}
    answer = await running.anonymous.post("/api/v1/session/directory/return", json={**body, **changed}, headers=headers)
    running.answers.check("POST", "/api/v1/session/directory/return", answer.status_code, answer.json())
    return answer


async def sign_in(running: Running, provider: RealProvider, account: str) -> httpx.Response:
    provider.comes(account)
    begun = await begin(running)
    assert begun.status_code == 200, begun.text
    return await come_back(running, begun, await provider.visit(begun.json()["url"]))


async def user(running: Running, name: str) -> dict[str, Any]:
    users = (await running.get("/users"))["users"]
    return next(each for each in users if each["name"] == name)


def test_who_signs_in_there_is_a_user_here_with_what_their_groups_bring(tmp_path: Path, provider: RealProvider) -> None:
    async def scenario(running: Running) -> None:
        assert (await running.get("/session/ways"))["directories"] == [{"name": "corp", "title": "Example Corp", "browser": True}]
        opened = await sign_in(running, provider, "s-eva")
        assert (opened.status_code, opened.json().get("user")) == (200, "eva"), opened.text
        eva = await user(running, "eva")
        assert eva["directory"] == "corp"
        assert eva["grants"] == [{"user": "eva", "role": "admin", "group": "everything", "directory": "corp"}]
        assert (await call(running, "GET", "/audit", cookie_of(opened))).status_code == 200
        newest = (await running.get("/audit"))["records"]
        ends = [each for each in newest if each["activity"] == "finish_directory_session"]
        assert [(each["user"], each["error"]) for each in ends] == [("eva", "")]
        for path, body in (("/users/eva/password", {"password": "correct horse battery"}),):
            assert "no password here" in (await running.post(path, body, status=403))["error"]["message"]
        for login in ({"user": "eva", "password": ""}, {"user": "eva", "password": "x"}):
            assert (await running.anonymous.post("/api/v1/login", json=login)).status_code == 401
        with pytest.raises(Refused):
            await running.master.permissions.remove_grant(Grant(user="eva", role="admin", group="everything"))
        # A directory may go away: somebody who has a password here always remains.
        refused = await running.post("/users/admin/disable", status=403)
        assert "nobody could manage access" in refused["error"]["message"]
        await change_groups(running, provider)

    run(scenario, tmp_path, provider)


async def change_groups(running: Running, provider: RealProvider) -> None:
    """At the next sign-in what groups bring is what they bring then; what somebody here granted stays."""
    await running.post("/grants", {"user": "eva", "role": "auditor", "group": "everything"})
    provider.knows({**ACCOUNTS, "s-eva": {**ACCOUNTS["s-eva"], "preferred_username": "renamed", "groups": ["visitors"]}})
    try:
        assert (await sign_in(running, provider, "s-eva")).json()["user"] == "eva"
        assert {(each["role"], each["directory"]) for each in (await user(running, "eva"))["grants"]} == {
            ("viewer", "corp"),
            ("auditor", ""),
        }
    finally:
        provider.knows(ACCOUNTS)


def test_who_is_not_let_in(tmp_path: Path, provider: RealProvider) -> None:
    async def scenario(running: Running) -> None:
        for account, said in (
            ("s-max", "nothing is granted"),
            ("s-imp", "belongs to another user"),
            ("s-odd", "no name here"),
            ("nobody", "access_denied"),
        ):
            answer = await sign_in(running, provider, account)
            assert answer.status_code == 401
            assert said in answer.json()["error"]["message"]
            assert COOKIE not in answer.cookies
        assert [each["name"] for each in (await running.get("/users"))["users"]] == ["admin"]
        ended = [each for each in (await running.get("/audit"))["records"] if each["activity"] == "finish_directory_session"]
        assert {each["error"] for each in ended} == {"not-authenticated"}
        assert len(ended) == 4
        running.clock.offset_s += 61
        assert (await sign_in(running, provider, "s-eva")).status_code == 200
        await running.post("/users/eva/disable")
        assert "disabled" in (await sign_in(running, provider, "s-eva")).json()["error"]["message"]

    run(scenario, tmp_path, provider)


def test_an_answer_counts_once_soon_and_in_the_browser_that_asked(tmp_path: Path, provider: RealProvider) -> None:
    async def scenario(running: Running) -> None:
        provider.comes("s-eva")
        begun, other = await begin(running), await begin(running)
        query = await provider.visit(begun.json()["url"])
        stolen = await come_back(running, other, query)
        assert "another browser" in stolen.json()["error"]["message"]
        assert (await come_back(running, begun, query)).status_code == 401, "over, however it ended"
        again = await provider.visit(other.json()["url"])
        for changed in ({"issuer": "https://evil.example.net"}, {"state": "guess"}):
            assert (await come_back(running, other, again, **changed)).status_code == 401
        # The provider's code works once, in the trip it belongs to.
        running.clock.offset_s += 61
        first, second = await begin(running), await begin(running)
        used = await provider.visit(first.json()["url"])
        own = await provider.visit(second.json()["url"])
        assert (await come_back(running, first, used)).status_code == 200
        replayed = await come_back(running, second, own, code=used["code"])
        assert "refuses the code" in replayed.json()["error"]["message"]
        late = await begin(running)
        query = await provider.visit(late.json()["url"])
        running.clock.offset_s += 601
        assert "took too long" in (await come_back(running, late, query)).json()["error"]["message"]

    run(scenario, tmp_path, provider)


def test_pages_of_others_and_places_elsewhere_get_nothing(tmp_path: Path, provider: RealProvider) -> None:
    async def scenario(running: Running) -> None:
        evil = {**PAGE, "Origin": "https://evil.test"}
        for path, body in (("/session/directory", {"directory": "corp"}), ("/session/directory/return", {"state": "x"})):
            assert (await running.anonymous.post(f"/api/v1{path}", json=body, headers=evil)).status_code == 403
        # Nobody says where a browser goes afterwards; by another host name the provider sends it nowhere.
        moved = {**PAGE, "Host": "evil.test", "Origin": "https://evil.test"}
        begun = await running.anonymous.post("/api/v1/session/directory", json={"directory": "corp"}, headers=moved)
        async with httpx.AsyncClient(verify=provider.trust()) as browser:
            assert (await browser.get(begun.json()["url"])).status_code == 400
        assert (await begin(running, "nowhere")).status_code == 404
        answers = [(await running.anonymous.post("/api/v1/session/directory/return", json={"state": "x"}, headers=PAGE)) for _ in range(6)]
        assert [each.status_code for each in answers] == [401] * 5 + [429]
        assert (await log_in(running)).status_code == 429, "counted with guesses of passwords"

    run(scenario, tmp_path, provider)


def test_what_a_directory_said_holds_for_so_long(tmp_path: Path, provider: RealProvider) -> None:
    async def scenario(running: Running) -> None:
        opened = await sign_in(running, provider, "s-eva")
        made = await call(running, "POST", "/tokens", {**cookie_of(opened), **PAGE}, {"name": "script"})
        bearer = {"Authorization": f"Bearer {made.json()['token']}"}
        running.clock.offset_s += 3_000
        assert (await call(running, "GET", "/nodes", bearer)).status_code == 200
        running.clock.offset_s += 601
        for mine in (bearer, cookie_of(opened)):
            refused = await call(running, "GET", "/nodes", mine)
            assert (refused.status_code, "has not vouched" in refused.text) == (401, True)
        assert (await sign_in(running, provider, "s-eva")).status_code == 200
        assert (await call(running, "GET", "/nodes", bearer)).status_code == 200

    run(scenario, tmp_path, provider, vouch="1h")


def test_a_provider_that_is_away_says_so_and_holds_up_nobody(tmp_path: Path, provider: RealProvider) -> None:
    async def scenario(running: Running) -> None:
        begun = await asyncio.gather(*(begin(running) for _ in range(3)))
        assert {each.status_code for each in begun} == {503}
        assert "local accounts still work" in begun[0].json()["error"]["hint"]
        assert (await log_in(running)).status_code == 200
        checks = (await running.post("/directories/corp/check"))["checks"]
        assert {each["name"]: bool(each["problem"]) for each in checks} == {
            "library": False, "secret": False, "provider": True, "mapping": False
        }  # fmt: skip

    run(scenario, tmp_path, provider, issuer="https://localhost:1")


def test_a_lean_provider_is_asked_and_its_configuration_can_be_tried(tmp_path: Path) -> None:
    async def scenario(running: Running) -> None:
        assert (await sign_in(running, lean, "s-eva")).json()["user"] == "eva@example.net"
        unverified = await sign_in(running, lean, "s-max")
        assert "has not verified" in unverified.json()["error"]["message"]
        checks = (await running.post("/directories/corp/check"))["checks"]
        assert [each["problem"] for each in checks] == [""] * 4
        told = await running.get("/directories")
        assert told["directories"][0]["roles"][0] == {"group": "backup-admins", "role": "admin", "on": "everything"}
        assert "secret" not in str(told)

    with real_provider(tmp_path / "lean", is_lean=True) as lean:
        run(scenario, tmp_path, lean, name_claim="email")


def test_a_command_line_is_logged_in_from_a_browser(tmp_path: Path, provider: RealProvider) -> None:
    async def scenario(running: Running) -> None:
        asked = await running.post("/login/requests")
        take = "/api/v1/login/requests/take", {"secret": asked["secret"]}
        assert asked["url"] == f"https://master.test:7440/command-line/{asked['code']}"
        assert (await running.anonymous.post(take[0], json=take[1])).json()["token"] is None
        opened = await sign_in(running, provider, "s-eva")
        mine = {**cookie_of(opened), **PAGE}
        assert (await call(running, "GET", f"/login/requests/{asked['code']}", mine)).json()["peer"] == "127.0.0.1"
        assert (await call(running, "POST", f"/login/requests/{asked['code']}/allow", mine)).status_code == 200
        assert (await call(running, "POST", f"/login/requests/{asked['code']}/refuse", mine)).status_code == 404
        taken = (await running.anonymous.post(take[0], json=take[1])).json()
        assert taken["user"] == "eva"
        assert (await call(running, "GET", "/nodes", {"Authorization": f"Bearer {taken['token']}"})).status_code == 200
        assert (await running.anonymous.post(take[0], json=take[1])).status_code == 401, "once"
        second = await running.post("/login/requests")
        await running.post(f"/login/requests/{second['code'].upper()}/refuse")
        refused = await running.anonymous.post("/api/v1/login/requests/take", json={"secret": second["secret"]})
        assert refused.status_code == 403
        for _ in range(5):
            await running.post("/login/requests")
        assert (await running.anonymous.post("/api/v1/login/requests", json={})).status_code == 429

    run(scenario, tmp_path, provider)
