"""The authorisation matrix: every operation of the API as nobody, each built-in role, scoped and ended credentials. What is expected
follows from the activity that the operation declares, so that a new one is in it by itself, and fails without a declaration."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI

from holdfast.api.app import private_routes
from holdfast.api.permits import Does, done_by
from holdfast.model.access import BUILTIN_ROLES, EVERYTHING, OF_EVERYBODY, Activity, Grant, Scope
from tests.master.masters import Running, with_master

PUBLIC = {"health", "authority", "login", "open_session", "join", "renew", "sign_in_ways", "begin_directory_session"}
PUBLIC |= {"finish_directory_session", "ask_login", "take_login"}
# Right answers of these never end, or end the credentials that the next call needs.
NOT_CALLED = {"live_events", "close_session"}
PASSWORD = "correct horse battery"


@dataclass(frozen=True)
class Operation:
    method: str
    path: str
    name: str
    does: Does | None


def operations(app: FastAPI) -> Iterator[Operation]:
    """From the OpenAPI document, which has every route."""
    routes = {route.name: route for route in private_routes()}
    for path, item in app.openapi()["paths"].items():
        for method, operation in item.items():
            name = operation["operationId"]
            does = None if name in PUBLIC else done_by(routes[name].endpoint)
            yield Operation(method.upper(), re.sub(r"\{\w+\}", "1", path), name, does)


async def ask(running: Running, operation: Operation, secret: str) -> httpx.Response:
    headers = {"Authorization": f"Bearer {secret}"} if secret else {}
    body = {} if operation.method in ("POST", "PUT", "PATCH") else None
    return await running.anonymous.request(operation.method, operation.path, headers=headers, json=body)


async def user_with(running: Running, name: str, role: str, group: str = EVERYTHING) -> str:
    """A token of a new user with this role."""
    await running.master.permissions.add_user(name, PASSWORD)
    if role:
        await running.master.permissions.add_grant(Grant(user=name, role=role, group=group))
    return (await running.master.access.create_token(name, "matrix", None)).token


def is_refusal(answer: httpx.Response) -> bool:
    """By who may what; a machine's limits refuse with other codes."""
    return answer.status_code == 403 and answer.json()["error"]["code"] == "refused"


@with_master
async def test_every_operation_says_what_it_does(running: Running) -> None:
    found = list(operations(running.app))
    assert {operation.name for operation in found if operation.does is None} == PUBLIC
    assert len(found) > 80
    assert {route.name for route in private_routes()} == {operation.name for operation in found if operation.does is not None}


@with_master
async def test_nobody_is_let_in(running: Running) -> None:
    expired = (await running.master.access.create_token("admin", "short", timedelta(seconds=1))).token
    running.clock.offset_s += 2
    of_disabled = await user_with(running, "gone", "admin")
    await running.master.permissions.set_disabled("gone", True)
    dropped = (await running.master.access.create_token("admin", "dropped", None)).token
    await running.master.access.drop_token("dropped")
    for operation in operations(running.app):
        if operation.does is not None:
            for secret in ("", expired, of_disabled, dropped, "hft_wrong"):
                answer = await ask(running, operation, secret)
                assert answer.status_code == 401, (operation, secret)


@pytest.mark.parametrize("role", ["", *BUILTIN_ROLES])
def test_each_role_may_what_it_says(role: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    given = (BUILTIN_ROLES[role].activities if role else frozenset()) | OF_EVERYBODY

    async def matrix(running: Running) -> None:
        secret = await user_with(running, "somebody", role)
        for operation in operations(running.app):
            if operation.does is None:
                continue
            is_allowed = operation.does.activity in given
            if is_allowed and operation.name in NOT_CALLED:
                continue
            answer = await ask(running, operation, secret)
            assert is_refusal(answer) != is_allowed, (operation, answer.text)
            assert answer.status_code != 401, operation
            if not is_allowed:
                assert operation.does.activity in answer.json()["error"]["message"]

    with_master(matrix)(tmp_path_factory.mktemp("matrix"))


@with_master
async def test_a_scoped_token_may_no_more_than_its_scope(running: Running) -> None:
    scope = Scope(activities=frozenset({Activity.STATUS_READ, Activity.AUDIT_READ}))
    secret = (await running.master.access.create_token("admin", "narrow", None, scope)).token
    for operation in operations(running.app):
        if operation.does is None or operation.name in NOT_CALLED:
            continue
        is_allowed = operation.does.activity in scope.activities | {Activity.OWN}
        answer = await ask(running, operation, secret)
        assert is_refusal(answer) != is_allowed, (operation, answer.text)
