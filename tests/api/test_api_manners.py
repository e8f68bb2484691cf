"""What holds for every route: who may call, how errors look, how large a body may be."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from holdfast.api.app import create_app
from holdfast.api.errors import STATUS
from holdfast.api.replies import plain
from holdfast.core import errors
from holdfast.core.errors import HoldfastError
from tests.master.masters import Running, with_master

ANONYMOUS = {("GET", "/health"), ("GET", "/ca"), ("POST", "/login"), ("POST", "/session"), ("POST", "/join"), ("POST", "/renew")}
ANONYMOUS |= {("GET", "/session/ways"), ("POST", "/session/directory"), ("POST", "/session/directory/return")}
ANONYMOUS |= {("POST", "/login/requests"), ("POST", "/login/requests/take")}
DOCS = Path(__file__).resolve().parents[2] / "docs" / "api.md"


def _routes(running: Running) -> list[tuple[str, str]]:
    paths = create_app(running.master).openapi()["paths"]
    return [(method.upper(), path.removeprefix("/api/v1")) for path, item in paths.items() for method in item]


@with_master
async def test_nothing_is_anonymous_but_what_must_be(running: Running) -> None:
    routes = _routes(running)
    assert len(routes) > 30
    assert set(routes) >= ANONYMOUS
    for method, path in [*routes, ("GET", "/openapi.json")]:
        if (method, path) in ANONYMOUS:
            continue
        called = f"/api/v1{re.sub('{.*?}', 'x', path)}"
        answer = await running.anonymous.request(method, called, json={})
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "not-authenticated"), (method, path)
        wrong = await running.anonymous.request(method, called, json={}, headers={"Authorization": "Bearer hft_wrong"})
        assert wrong.status_code == 401, (method, path)


@with_master
async def test_the_documentation_lists_every_route(running: Running) -> None:
    text = DOCS.read_text()
    missing = [f"{method} {path}" for method, path in _routes(running) if f"`{method} {path}`" not in text]
    assert missing == []
    assert (await running.get("/openapi.json"))["info"]["title"] == "Holdfast"


@with_master
async def test_login_gives_a_token_that_works_and_expires(running: Running) -> None:
    body = {"user": "admin", "password": running.made.admin_password}
    answer = await running.anonymous.post("/api/v1/login", json=body)
    token = answer.json()["token"]
    bearer = {"Authorization": f"Bearer {token}"}
    assert set(answer.json()) == {"token", "expires_at"}
    assert (await running.anonymous.get("/api/v1/environment", headers=bearer)).status_code == 200
    running.clock.offset_s = 31 * 86_400
    late = await running.anonymous.get("/api/v1/environment", headers=bearer)
    assert late.status_code == 401
    assert "expired" in late.json()["error"]["message"]


@with_master
async def test_a_word_that_there_is_not_is_answered_with_those_there_are(running: Running) -> None:
    for path, said in (
        ("/api/v1/jobs?state=sucess", "state: 'sucess' is none of 'queued', 'running', 'paused', "),
        ("/api/v1/logs?severity=bad", "severity: 'bad' is none of 'info', 'warning' or 'error'"),
    ):
        answer = await running.http.get(path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "usage")
        assert said in answer.json()["error"]["message"]


@with_master
async def test_guessing_is_slowed_down(running: Running) -> None:
    wrong = {"user": "admin", "password": "guess"}
    answers = [(await running.anonymous.post("/api/v1/login", json=wrong)).status_code for _ in range(6)]
    assert answers == [401] * 5 + [429]
    right = {"user": "admin", "password": running.made.admin_password}
    assert (await running.anonymous.post("/api/v1/login", json=right)).status_code == 429
    running.clock.offset_s = 61
    assert (await running.anonymous.post("/api/v1/login", json=right)).status_code == 200
    assert (await running.anonymous.post("/api/v1/login", json={"user": "nobody", "password": ""})).status_code == 401


@with_master
async def test_tokens_are_made_listed_and_deleted(running: Running) -> None:
    made = await running.post("/tokens", {"name": "script", "ttl_s": 60})
    bearer = {"Authorization": f"Bearer {made['token']}"}
    listed = (await running.get("/tokens"))["tokens"]
    assert "script" in {token["name"] for token in listed}
    assert all("hash" not in token and "token" not in token for token in listed)
    assert (await running.anonymous.get("/api/v1/nodes", headers=bearer)).status_code == 200
    await running.call("DELETE", "/tokens/script")
    assert (await running.anonymous.get("/api/v1/nodes", headers=bearer)).status_code == 401
    await running.call("DELETE", "/tokens/script", status=404)


@with_master
async def test_every_error_has_the_one_shape(running: Running) -> None:
    shape = {"code", "message", "hint", "retryable", "context"}
    answers = [
        await running.http.get("/api/v1/nothing"),
        await running.http.post("/api/v1/health"),
        await running.http.post("/api/v1/environment/plan", json={"txt": "x"}),
        await running.http.post("/api/v1/environment/plan", content=b"{not json"),
        await running.http.get("/api/v1/jobs", params={"limit": "many"}),
        await running.http.get("/api/v1/jobs/ffff"),
    ]
    assert [answer.status_code for answer in answers] == [404, 405, 400, 400, 400, 404]
    assert all(set(answer.json()) == {"error"} and set(answer.json()["error"]) == shape for answer in answers)
    assert "txt" in answers[2].json()["error"]["message"]


@with_master
async def test_a_body_beyond_the_limit_is_refused(running: Running) -> None:
    large = b'{"text": "' + b"x" * (8 << 20) + b'"}'
    headers = {"Content-Type": "application/json"}
    told = await running.http.post("/api/v1/environment/plan", content=large, headers=headers)
    assert told.status_code == 413

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(large), 1 << 20):
            yield large[start : start + (1 << 20)]

    untold = await running.http.post("/api/v1/environment/plan", content=pieces(), headers=headers)
    assert untold.status_code == 413
    assert untold.json()["error"]["code"] == "usage"


@with_master
async def test_a_fault_of_ours_tells_no_secrets(running: Running) -> None:
    running.master.base.database.close()
    answer = await running.http.get("/api/v1/nodes")
    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "internal"


@with_master
async def test_before_a_login_there_is_health_and_the_authority(running: Running) -> None:
    health = (await running.anonymous.get("/api/v1/health")).json()
    assert health["ok"]
    assert health["environment"] == "office"
    shown = (await running.anonymous.get("/api/v1/ca")).json()
    assert (shown["ca_pem"], shown["fingerprint"]) == (running.made.ca_pem, running.made.ca_fingerprint)
    assert shown["hub_address"].startswith("master.test:")


def test_every_error_code_has_a_status() -> None:
    def codes(kind: type[HoldfastError]) -> set[str]:
        return {kind.code}.union(*(codes(child) for child in kind.__subclasses__() if child.__module__ == errors.__name__))

    assert codes(HoldfastError) <= set(STATUS)


def test_values_without_a_json_form_are_refused() -> None:
    with pytest.raises(TypeError):
        plain(object())
