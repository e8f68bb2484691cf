"""Callers without a login, and callers with a login and bad intentions or broken clients."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from holdfast.api.limits import BodyLimit
from holdfast.wire.identity import make_csr, new_key
from tests.master.masters import Running, with_master

JSON = {"Content-Type": "application/json"}


@with_master
async def test_guesses_made_at_once_are_counted_at_once(running: Running) -> None:
    async def guess(number: int) -> int:
        answer = await running.anonymous.post("/api/v1/login", json={"user": "admin", "password": f"guess {number}"})
        return answer.status_code

    answers = await asyncio.gather(*(guess(number) for number in range(20)))
    assert sorted(answers) == [401] * 5 + [429] * 15


@with_master
async def test_right_passwords_at_once_all_work_and_do_not_count(running: Running) -> None:
    right = {"user": "admin", "password": running.made.admin_password}
    answers = await asyncio.gather(*(running.anonymous.post("/api/v1/login", json=right) for _ in range(4)))
    assert [answer.status_code for answer in answers] == [200] * 4
    assert [(await running.anonymous.post("/api/v1/login", json=right)).status_code for _ in range(3)] == [200] * 3


@with_master
async def test_a_token_joins_one_of_two_that_come_at_once(running: Running) -> None:
    token = await running.token()

    async def attempt(name: str) -> int:
        body = {"token": token, "name": name, "csr_pem": make_csr(new_key()).decode()}
        return (await running.anonymous.post("/api/v1/join", json=body)).status_code

    assert sorted(await asyncio.gather(*(attempt(f"node{number}") for number in range(5)))) == [200] + [403] * 4
    assert len((await running.get("/nodes"))["nodes"]) == 1


@with_master
async def test_a_token_that_replaces_names_whom(running: Running) -> None:
    """Else whoever holds it could take the place of any machine, a repository's owner among them."""
    refused = await running.post("/nodes/tokens", {"name": "", "ttl_s": 60, "replace": True}, status=400)
    assert "name" in refused["error"]["message"]
    await running.post("/nodes/tokens", {"name": "files1", "ttl_s": 60, "replace": True})


@with_master
async def test_without_a_login_a_body_is_small(running: Running) -> None:
    large = b'{"user": "admin", "password": "' + b"x" * (128 << 10) + b'"}'
    for path in ("/login", "/join", "/renew", "/environment/plan", "/nothing"):
        for headers in (JSON, {**JSON, "Authorization": "Bearer hft_wrong"}):
            answer = await running.anonymous.post(f"/api/v1{path}", content=large, headers=headers)
            assert answer.status_code == 413, path

    async def pieces() -> AsyncIterator[bytes]:
        yield large

    assert (await running.anonymous.post("/api/v1/login", content=pieces(), headers=JSON)).status_code == 413
    assert (await running.http.post("/api/v1/environment/plan", json={"text": "#" * (1 << 20)})).status_code == 200


def test_a_body_that_never_ends_is_not_waited_for_forever() -> None:
    async def main() -> list[int]:
        statuses: list[int] = []

        async def app(*_: object) -> None:
            raise AssertionError("nothing came")

        async def receive() -> dict[str, object]:
            await asyncio.Event().wait()
            raise AssertionError

        async def send(message: dict[str, object]) -> None:
            if message["type"] == "http.response.start":
                statuses.append(int(str(message["status"])))

        limit = BodyLimit(app, patience_s=0.01)
        await limit({"type": "http", "headers": [], "method": "POST", "path": "/"}, receive, send)  # type: ignore[arg-type]
        return statuses

    assert asyncio.run(main()) == [408]


LONE = "\\ud800"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/login", f'{{"user": "{LONE}", "password": "x"}}'),
        ("POST", "/login", f'{{"user": "admin", "password": "{LONE}"}}'),
        ("POST", "/join", f'{{"token": "{LONE}", "name": "a", "csr_pem": "x"}}'),
        ("POST", "/join", f'{{"token": "hf1.a.b", "name": "{LONE}", "csr_pem": "x"}}'),
        ("POST", "/renew", f'{{"certificate_pem": "{LONE}", "csr_pem": "{LONE}", "signature": "{LONE}"}}'),
        ("POST", "/environment/plan", f'{{"text": "environment: {LONE}"}}'),
        ("PUT", "/environment", f'{{"text": "environment: {LONE}", "comment": "{LONE}"}}'),
        ("POST", "/protect", f'{{"path": "/{LONE}", "location": "/{LONE}"}}'),
        ("POST", "/restores", f'{{"point": "{LONE}", "to": "/{LONE}", "paths": ["{LONE}"]}}'),
        ("POST", "/nodes/x/recall", f'{{"paths": ["{LONE}"]}}'),
        ("POST", "/mounts", f'{{"point": "{LONE}", "node": "{LONE}"}}'),
        ("POST", "/flows/x/trigger", f'{{"policy": "{LONE}"}}'),
        ("POST", "/tokens", f'{{"name": "{LONE}"}}'),
        ("POST", "/nodes/tokens", f'{{"name": "{LONE}"}}'),
        ("POST", "/login", f'{{"{LONE}": 1}}'),
        ("POST", "/environment/plan", "[" * 100_000),
        ("POST", "/environment/plan", '{"text": "x", "text": ' + "9" * 5_000 + "}"),
        ("POST", "/tokens", '{"name": "x", "ttl_s": 1e308}'),
        ("POST", "/downloads", '{"point": "a", "path": "no/root"}'),
        ("POST", "/flows/x/trigger", '{"adopt": 0.0}'),
        ("POST", "/points/forget", '{"points": ["a"], "dry_run": "no"}'),
        ("POST", "/nodes/%00/revoke", "{}"),
        ("POST", "/nodes/%FF%FE/revoke", "{}"),
        ("DELETE", "/tokens/..%2f..%2fx", ""),
    ],
)
def test_what_no_client_of_ours_sends_is_the_callers_fault(tmp_path: object, method: str, path: str, body: str) -> None:
    @with_master
    async def scenario(running: Running) -> None:
        answer = await running.http.request(method, f"/api/v1{path}", content=body.encode(), headers=JSON)
        assert 400 <= answer.status_code < 500, (answer.status_code, answer.text)
        assert set(answer.json()) == {"error"}

    scenario(tmp_path)  # type: ignore[arg-type]


@with_master
async def test_a_refused_request_does_not_repeat_its_secrets(running: Running) -> None:
    secret = "s3cret-passw0rd"
    for body in ({"user": "admin", "password": secret, "x": secret}, {"user": [secret], "password": secret}, {"password": secret}):
        answer = await running.anonymous.post("/api/v1/login", json=body)
        assert answer.status_code == 400
        assert secret not in answer.text


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(12)
)


@pytest.mark.parametrize(
    "text", [BOMB, "a: " + "[" * 5_000, "a: " + "{x: " * 3_000, "? " * 3_000, "!!python/object/apply:os.system [id]", "a: &x [*x]"]
)
def test_a_hostile_document_is_only_a_bad_document(tmp_path: object, text: str) -> None:
    @with_master
    async def scenario(running: Running) -> None:
        async with asyncio.timeout(90):
            planned = await running.http.post("/api/v1/environment/plan", json={"text": text})
        assert planned.status_code in (200, 422), planned.text[:500]
        assert planned.status_code == 422 or planned.json()["diagnostics"]
        applied = await running.http.put("/api/v1/environment", json={"text": text})
        assert applied.status_code == 422, applied.text[:500]

    scenario(tmp_path)  # type: ignore[arg-type]
