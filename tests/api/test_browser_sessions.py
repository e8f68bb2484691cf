"""Browsers: a cookie that only our own pages can use, that ends, and that is worth nothing elsewhere."""

from __future__ import annotations

import httpx
import pytest

from holdfast.api.callers import COOKIE
from tests.master.masters import Running, with_master

ORIGIN = {"Origin": "https://master.test:7440"}
PAGE = {"X-Holdfast-Page": "1", **ORIGIN}


async def log_in(running: Running, headers: dict[str, str] = PAGE, password: str = "") -> httpx.Response:
    body = {"user": "admin", "password": password or running.made.admin_password}
    return await running.anonymous.post("/api/v1/session", json=body, headers={**headers, "User-Agent": "test"})


def cookie_of(opened: httpx.Response) -> dict[str, str]:
    """As a header, for calls that say themselves which headers they bear."""
    return {"Cookie": f"{COOKIE}={opened.cookies[COOKIE]}"}


async def call(running: Running, method: str, path: str, headers: dict[str, str], body: object = None) -> httpx.Response:
    running.anonymous.cookies.clear()
    return await running.anonymous.request(method, f"/api/v1{path}", headers=headers, json=body)


@with_master
async def test_a_session_is_opened_shown_and_closed(running: Running) -> None:
    opened = await log_in(running)
    running.answers.check("POST", "/api/v1/session", opened.status_code, opened.json())
    cookie = opened.headers["set-cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    parts = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert parts >= {"httponly", "secure", "samesite=strict", "path=/"}
    assert not any(part.startswith("domain") for part in parts)
    assert opened.cookies[COOKIE] not in opened.text
    mine = cookie_of(opened)
    shown = await call(running, "GET", "/session", mine)
    assert (shown.json()["user"], shown.json()["kind"]) == ("admin", "session")
    assert (await call(running, "GET", "/nodes", mine)).status_code == 200
    closed = await call(running, "DELETE", "/session", {**mine, **PAGE})
    running.answers.check("DELETE", "/api/v1/session", closed.status_code, closed.json())
    assert "max-age=0" in closed.headers["set-cookie"].lower()
    assert (await call(running, "GET", "/session", mine)).status_code == 401


@with_master
async def test_the_records_hold_no_secret(running: Running) -> None:
    opened = await log_in(running)
    stored = running.records_as_stored()
    assert b"admin" in stored
    assert opened.cookies[COOKIE].encode() not in stored


@with_master
async def test_foreign_pages_can_use_nothing(running: Running) -> None:
    mine = cookie_of(await log_in(running))
    body = {"name": "n"}
    refused = [
        {},
        ORIGIN,
        {"X-Holdfast-Page": "1"},
        {"X-Holdfast-Page": "1", "Origin": "https://evil.test"},
        {"X-Holdfast-Page": "1", "Origin": "https://master.test"},
        {"X-Holdfast-Page": "1", "Origin": "http://master.test:7440"},
        {"X-Holdfast-Page": "1", "Origin": "null"},
        {**PAGE, "Sec-Fetch-Site": "cross-site"},
        {**PAGE, "Sec-Fetch-Site": "same-site"},
        {**PAGE, "Sec-Fetch-Site": "none"},
    ]
    for headers in refused:
        answer = await call(running, "POST", "/nodes/tokens", {**mine, **headers}, body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "refused"), headers
        assert (await log_in(running, headers)).status_code == 403, headers
    for headers in (PAGE, {"X-Holdfast-Page": "1", "Sec-Fetch-Site": "same-origin"}, {**PAGE, "Sec-Fetch-Site": "same-origin"}):
        assert (await call(running, "POST", "/nodes/tokens", {**mine, **headers}, body)).status_code == 200, headers
    for site, status in (("cross-site", 403), ("same-site", 403), ("same-origin", 200), ("none", 200)):
        assert (await call(running, "GET", "/nodes", {**mine, "Sec-Fetch-Site": site})).status_code == status, site


@with_master
async def test_a_token_needs_no_page(running: Running) -> None:
    mine = cookie_of(await log_in(running))
    bearer = {"Authorization": f"Bearer {running.made.api_token}", "Origin": "https://elsewhere.test"}
    assert (await call(running, "POST", "/nodes/tokens", bearer, {"name": "n"})).status_code == 200
    wrong = {**mine, **PAGE, "Authorization": "Bearer hft_wrong"}
    assert (await call(running, "GET", "/nodes", wrong)).status_code == 401
    assert (await call(running, "GET", "/nodes", {**mine, "Authorization": "Basic eDp5"})).status_code == 401
    shown = await running.get("/session")
    assert (shown["kind"], shown["idle_s"]) == ("token", None)
    await running.call("DELETE", "/session", status=400)


@with_master
async def test_idle_and_old_sessions_end(running: Running) -> None:
    mine = cookie_of(await log_in(running))
    for hours, status in ((11, 200), (22, 200), (35, 401)):
        running.clock.offset_s = hours * 3600
        assert (await call(running, "GET", "/nodes", mine)).status_code == status, hours
    running.clock.offset_s = 0
    mine = cookie_of(await log_in(running))
    for hours in range(11, 7 * 24, 11):
        running.clock.offset_s = hours * 3600
        assert (await call(running, "GET", "/nodes", mine)).status_code == 200, hours
    running.clock.offset_s = 7 * 86_400
    answer = await call(running, "GET", "/nodes", mine)
    assert "expired" in answer.json()["error"]["message"]
    assert (await running.get("/sessions"))["sessions"] == []


@with_master
async def test_sessions_are_listed_and_revoked(running: Running) -> None:
    first, second = await log_in(running), await log_in(running)
    listed = (await call(running, "GET", "/sessions", cookie_of(second))).json()["sessions"]
    assert {each["id"]: each["current"] for each in listed} == {first.json()["id"]: False, second.json()["id"]: True}
    assert {each["agent"] for each in listed} == {"test"}
    assert all(secret not in str(listed) for secret in (first.cookies[COOKIE], second.cookies[COOKIE]))
    await running.call("DELETE", f"/sessions/{first.json()['id']}")
    await running.call("DELETE", f"/sessions/{first.json()['id']}", status=404)
    assert (await call(running, "GET", "/nodes", cookie_of(first))).status_code == 401
    assert (await call(running, "GET", "/nodes", cookie_of(second))).status_code == 200


@with_master
async def test_guessing_is_slowed_down_together_with_logins(running: Running) -> None:
    answers = [(await log_in(running, password="guess")).status_code for _ in range(5)]
    assert answers == [401] * 5
    assert (await log_in(running)).status_code == 429
    body = {"user": "admin", "password": running.made.admin_password}
    assert (await running.anonymous.post("/api/v1/login", json=body)).status_code == 429


@with_master
async def test_a_cookie_of_nobody_opens_nothing(running: Running) -> None:
    for value in ("", "x", "x" * 5000, "%00"):
        answer = await call(running, "GET", "/nodes", {"Cookie": f"{COOKIE}={value}"})
        assert answer.status_code == 401


@pytest.mark.parametrize("path", ["/api/v1/nodes", "/api/v1/health", "/api/v1/nothing", "/nothing", "/api/v1/find"])
def test_every_answer_bears_the_headers(path: str, tmp_path: object) -> None:
    @with_master
    async def scenario(running: Running) -> None:
        async with httpx.AsyncClient(transport=running.http._transport, base_url="https://master.test:7440") as client:
            answers = [await running.http.get(path), await client.get(path)]
        for answer in answers:
            policy = answer.headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "frame-ancestors 'none'" in policy
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["referrer-policy"] == "no-referrer"
            assert "strict-transport-security" not in answer.headers
            assert not path.startswith("/api/") or answer.headers["cache-control"] == "no-store"

    scenario(tmp_path)  # type: ignore[arg-type]


@with_master
async def test_a_fault_of_ours_bears_the_headers_too(running: Running) -> None:
    running.master.base.database.close()
    answer = await running.http.get("/api/v1/nodes")
    assert answer.status_code == 500
    assert answer.headers["cache-control"] == "no-store"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
