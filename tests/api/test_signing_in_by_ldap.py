"""Signing in by a real LDAP server: passwords of the directory, groups, who is disabled there, and words that are no user."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import ldap3
import pytest

from tests.api.test_browser_sessions import PAGE, call, cookie_of, log_in
from tests.ldap.real_directory import BASE, PASSWORD, RealDirectory, real_directory
from tests.master.masters import Running, running_master

Scenario = Callable[[Running], Awaitable[None]]


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealDirectory]:
    with real_directory(tmp_path_factory.mktemp("ldap") / "slapd") as found:
        yield found


def run(scenario: Scenario, tmp_path: Path, office: RealDirectory, **more: Any) -> None:
    async def main() -> None:
        async with running_master(tmp_path, directories=(office.directory(**more),)) as running:
            await scenario(running)

    asyncio.run(main())


async def sign_in(running: Running, user: str, password: str = PASSWORD) -> httpx.Response:
    body = {"user": user, "password": password, "directory": "office"}
    return await running.anonymous.post("/api/v1/session", json=body, headers=PAGE)


async def grants(running: Running, name: str) -> list[str]:
    users = (await running.get("/users"))["users"]
    return [f"{one['role']} {one['directory']}" for user in users if user["name"] == name for one in user["grants"]]


def test_a_password_of_the_directory_signs_in_and_groups_bring_grants(tmp_path: Path, office: RealDirectory) -> None:
    async def scenario(running: Running) -> None:
        opened = await sign_in(running, "EVA@example.net")
        assert (opened.status_code, opened.json().get("user")) == (200, "eva"), opened.text
        assert await grants(running, "eva") == ["admin office"]
        login = await running.anonymous.post("/api/v1/login", json={"user": "eva", "password": PASSWORD, "directory": "office"})
        assert login.status_code == 200
        assert "nothing is granted" in (await sign_in(running, "max")).text
        assert "belongs to another user" in (await sign_in(running, "admin")).text
        # As a local account the same words are worth nothing.
        assert (await running.anonymous.post("/api/v1/login", json={"user": "eva", "password": PASSWORD})).status_code == 401
        checks = {each["name"]: each for each in (await running.post("/directories/office/check", {"user": "eva"}))["checks"]}
        assert not any(each["problem"] for each in checks.values()), checks
        assert "that brings admin on everything" in checks["user"]["told"]
        unknown = (await running.post("/directories/office/check", {"user": "ev*"}))["checks"]
        assert [each["name"] for each in unknown if each["problem"]] == ["user"]

    run(scenario, tmp_path, office)


@pytest.mark.parametrize("password", ["", "\u00ad", "wrong", "\x00", "*"])
def test_no_other_password_does(password: str, tmp_path: Path, office: RealDirectory) -> None:
    """An empty one would be an anonymous bind, which the server grants to anybody; a soft hyphen prepared as RFC 4513 says is empty."""

    async def scenario(running: Running) -> None:
        answer = await sign_in(running, "eva", password)
        assert (answer.status_code, answer.json()["error"]["message"]) == (401, "user or password is wrong")

    run(scenario, tmp_path, office)


def test_what_is_typed_is_a_name_and_never_a_filter(tmp_path: Path, office: RealDirectory) -> None:
    async def scenario(running: Running) -> None:
        odd = (
            "*",
            "e*",
            "eva)(uid=*",
            "*)(|(uid=*",
            "eva)(!(uid=x",
            "\\65va",
            "eva\x00",
            "{dn}",
            "",
            "(",
            "uid=eva,ou=people," + BASE,
            "ü" * 100,
        )
        for user in odd:
            running.clock.offset_s += 61
            answer = await sign_in(running, user)
            assert (answer.status_code, answer.json()["error"]["message"]) == (401, "user or password is wrong"), (user, answer.text)
        running.clock.offset_s += 61
        guesses = [(await sign_in(running, "eva", f"guess {number}")).status_code for number in range(6)]
        assert guesses == [401] * 5 + [429]
        assert (await log_in(running)).status_code == 429, "counted with guesses at local accounts"

    run(scenario, tmp_path, office)


def test_who_is_disabled_there_is_out_here_at_the_next_look(tmp_path: Path, office: RealDirectory) -> None:
    async def scenario(running: Running) -> None:
        opened = await sign_in(running, "eva")
        made = await call(running, "POST", "/tokens", {**cookie_of(opened), **PAGE}, {"name": "script"})
        bearer = {"Authorization": f"Bearer {made.json()['token']}"}
        await running.master.directories.look_again("office")
        assert (await call(running, "GET", "/nodes", bearer)).status_code == 200
        office.change("eva", {"employeeType": [(ldap3.MODIFY_REPLACE, ["disabled"])]})
        try:
            await running.master.directories.look_again("office")
            for mine in (bearer, cookie_of(opened)):
                assert (await call(running, "GET", "/nodes", mine)).status_code == 401
            assert (await sign_in(running, "eva")).status_code == 401
            assert await grants(running, "eva") == []
        finally:
            office.change("eva", {"employeeType": [(ldap3.MODIFY_REPLACE, [])]})
        assert (await sign_in(running, "eva")).status_code == 200
        assert (await call(running, "GET", "/nodes", bearer)).status_code == 200

    run(scenario, tmp_path, office)


def test_tls_begins_before_anything_is_said_and_groups_may_be_in_the_entry(tmp_path: Path, office: RealDirectory) -> None:
    async def scenario(running: Running) -> None:
        assert (await sign_in(running, "max")).status_code == 200
        assert await grants(running, "max") == ["viewer office"]

    run(scenario, tmp_path, office, url=f"ldap://localhost:{office.port + 1}", group_base="", group_attribute="description")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"url": "ldaps://localhost:1"}, "not-reachable"),
        ({"ca_file": ""}, "not-reachable"),
        ({"bind_dn": f"cn=nobody,{BASE}"}, "usage"),
        ({"base": "ou=nowhere," + BASE}, "usage"),
        ({"id_attribute": "employeeNumber"}, "not-authenticated"),
        ({"bind_password_file": "/nowhere"}, "usage"),
    ],
)
def test_a_directory_that_does_not_work_says_so_and_holds_up_nobody(
    wrong: dict[str, Any], said: str, tmp_path: Path, office: RealDirectory
) -> None:
    async def scenario(running: Running) -> None:
        answer = await sign_in(running, "eva")
        assert answer.json()["error"]["code"] == said, answer.text
        assert answer.json()["error"]["hint"]
        assert (await log_in(running)).status_code == 200

    run(scenario, tmp_path, office, **wrong)
