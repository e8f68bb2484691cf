"""Signing in without knowing anything: a link that works once and soon, and a password set anew on the Master's machine."""

from __future__ import annotations

from urllib.parse import urlsplit

import httpx
import pytest

from holdfast.core.errors import UnknownName, UsageError
from holdfast.master.people.passwords import set_password
from holdfast.master.server import load_config
from tests.api.test_browser_sessions import PAGE, call, cookie_of, log_in
from tests.master.masters import Running, with_master


async def follow(running: Running, code: str, **more: str) -> httpx.Response:
    return await running.anonymous.post("/api/v1/session", json={"code": code, **more}, headers=PAGE)


@with_master
async def test_a_link_signs_in_once(running: Running) -> None:
    made = await running.post("/session/links")
    parts = urlsplit(made["url"])
    assert (parts.scheme, parts.netloc, parts.path, parts.query) == ("https", "master.test:7440", "/", "")
    assert parts.fragment == f"signin={made['code']}"
    opened = await follow(running, made["code"])
    running.answers.check("POST", "/api/v1/session", opened.status_code, opened.json())
    assert opened.json()["user"] == "admin"
    assert (await call(running, "GET", "/nodes", cookie_of(opened))).status_code == 200
    again = await follow(running, made["code"])
    assert (again.status_code, again.json()["error"]["code"]) == (401, "not-authenticated")
    assert "holdfast console" in again.json()["error"]["hint"]


@with_master
async def test_a_link_ends_after_ten_minutes(running: Running) -> None:
    first, second = [(await running.post("/session/links"))["code"] for _ in range(2)]
    running.clock.offset_s = 9 * 60
    assert (await follow(running, first)).status_code == 200
    running.clock.offset_s = 11 * 60
    assert (await follow(running, second)).status_code == 401


@with_master
async def test_only_who_is_logged_in_makes_links(running: Running) -> None:
    assert (await running.anonymous.post("/api/v1/session/links", headers=PAGE)).status_code == 401
    mine = cookie_of(await log_in(running))
    assert (await call(running, "POST", "/session/links", mine)).status_code == 403
    made = await call(running, "POST", "/session/links", {**mine, **PAGE})
    assert made.status_code == 200
    foreign = {"X-Holdfast-Page": "1", "Origin": "https://evil.test"}
    refused = await running.anonymous.post("/api/v1/session", json={"code": made.json()["code"]}, headers=foreign)
    assert refused.status_code == 403


@with_master
async def test_no_session_outlives_the_login_that_made_its_link(running: Running) -> None:
    token = (await running.post("/tokens", {"name": "short", "ttl_s": 60}))["token"]
    made = await running.anonymous.post("/api/v1/session/links", headers={"Authorization": f"Bearer {token}"})
    opened = await follow(running, made.json()["code"])
    running.clock.offset_s = 61
    assert (await call(running, "GET", "/nodes", cookie_of(opened))).status_code == 401


@with_master
async def test_a_link_ends_with_the_login_that_made_it(running: Running) -> None:
    """Sent away, or locked out by a new password, nobody comes back by a link kept at hand."""
    token = (await running.post("/tokens", {"name": "stolen", "ttl_s": None}))["token"]
    by_token = (await running.anonymous.post("/api/v1/session/links", headers={"Authorization": f"Bearer {token}"})).json()["code"]
    mine = {**cookie_of(await log_in(running)), **PAGE}
    by_session = (await call(running, "POST", "/session/links", mine)).json()["code"]
    await running.call("DELETE", "/tokens/stolen")
    assert (await follow(running, by_token)).status_code == 401
    set_password(load_config(running.home), "admin", "correct horse battery")
    assert (await follow(running, by_session)).status_code == 401
    assert (await running.call("GET", "/sessions"))["sessions"] == []


@with_master
async def test_guessing_codes_is_slowed_down_as_passwords_are(running: Running) -> None:
    made = await running.post("/session/links")
    answers = [(await follow(running, f"guess{n}")).status_code for n in range(6)]
    assert answers == [401] * 5 + [429]
    assert (await follow(running, made["code"])).status_code == 429
    assert (await log_in(running)).status_code == 429
    running.clock.offset_s = 61
    assert (await follow(running, made["code"])).status_code == 200


@with_master
async def test_codes_stand_alone_and_are_kept_nowhere(running: Running) -> None:
    made = await running.post("/session/links")
    both = await follow(running, made["code"], user="admin", password=running.made.admin_password)
    assert (both.status_code, both.json()["error"]["code"]) == (400, "usage")
    for code in ("", "x" * 256, "\x00", "ünïcode"):
        assert (await follow(running, code)).status_code in (400, 401), code
    assert (await follow(running, "x" * 257)).status_code == 400
    running.clock.offset_s = 61
    for _ in range(150):
        await running.post("/session/links")
    assert (await follow(running, made["code"])).status_code == 401, "the oldest of very many goes"
    held = b"".join(path.read_bytes() for path in running.home.rglob("*") if path.is_file())
    assert made["code"].encode() not in held
    assert made["code"].encode() not in running.records_as_stored()


@with_master
async def test_a_new_password_ends_the_sessions_of_the_old(running: Running) -> None:
    mine, bearer = cookie_of(await log_in(running)), {"Authorization": f"Bearer {running.made.api_token}"}
    config = load_config(running.home)
    for wrong in ("short", "x" * 1025, "with\nline end"):
        with pytest.raises(UsageError):
            set_password(config, "admin", wrong)
    with pytest.raises(UnknownName):
        set_password(config, "nobody", "correct horse battery")
    assert (await call(running, "GET", "/nodes", mine)).status_code == 200
    assert set_password(config, "admin", "correct horse battery") == 1
    assert (await call(running, "GET", "/nodes", mine)).status_code == 401
    assert (await log_in(running)).status_code == 401
    assert (await log_in(running, password="correct horse battery")).status_code == 200
    assert (await call(running, "GET", "/nodes", bearer)).status_code == 200
