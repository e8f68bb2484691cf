"""Calls that need a second person: a dependency on all private routes holds them, and what is approved comes through the same door.

A route says `@needs_approval(ApprovalAct.X)`. Such a call, where the environment wants it, is answered 202 with the request for approval.
When somebody else approves, the very call is made again inside the Master: who asked is looked up anew, what they may is checked anew,
the audit log has it, and the route meets what is there by then.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

from fastapi import Request
from pydantic import BaseModel
from starlette.types import ASGIApp, Message, Scope

from holdfast.api.callers import APPROVED, CallerOf, MasterOf, peer_host
from holdfast.api.permits import done_by
from holdfast.core.errors import ApprovalWanted
from holdfast.master.people.approvals import HeldCall
from holdfast.model.approvals import Approval, ApprovalAct
from holdfast.model.audit import arguments_text

_NEEDS = "holdfast_needs_approval"
Route = TypeVar("Route", bound=Callable[..., Any])


@dataclass(frozen=True)
class Needs:
    """`unless`: a body with which the call takes nothing away."""

    act: ApprovalAct
    unless: Callable[[Any], bool]


class Held(ApprovalWanted):
    """This call waits."""

    def __init__(self, approval: Approval) -> None:
        hint = f"`holdfast approvals show {approval.id[:8]}` tells"
        super().__init__("this needs the approval of a second person; nothing is done yet", hint=hint, approval=approval.id)
        self.approval = approval


def _is_dry_run(body: Any) -> bool:
    return bool(getattr(body, "dry_run", False))


def needs_approval(act: ApprovalAct, unless: Callable[[Any], bool] = _is_dry_run) -> Callable[[Route], Route]:
    """Says which act a route is. A dry run is none."""

    def mark(route: Route) -> Route:
        setattr(route, _NEEDS, Needs(act, unless))
        return route

    return mark


def needed_by(endpoint: Callable[..., Any]) -> Needs | None:
    found = getattr(endpoint, _NEEDS, None)
    assert found is None or isinstance(found, Needs)
    return found


async def held_for_approval(request: Request, caller: CallerOf, master: MasterOf) -> None:
    """Raises `Held` for a call that needs a second person and has none yet. What is no such call at all is left to be refused."""
    route = request.scope["route"]
    needs = needed_by(route.endpoint)
    if needs is None or caller.kind == "approval" or not await master.approvals.is_required(needs.act):
        return
    body = await request.body()
    understood, is_wrong = _understood(route.body_field, body)
    if is_wrong or needs.unless(understood):
        return
    call = HeldCall(
        act=needs.act,
        activity=done_by(route.endpoint).activity,
        operation=route.name,
        user=caller.user,
        credential=f"{caller.kind}:{caller.id}",
        peer=peer_host(request),
        method=request.method,
        path=request.scope["path"],
        query=request.url.query,
        body=body,
        arguments=arguments_text(dict(request.query_params), body),
    )
    raise Held(await master.approvals.ask(call))


async def make_again(app: ASGIApp, approval: Approval, body: bytes) -> tuple[int, str]:
    """Make an approved call; gives status and text of its answer."""
    answered: list[Message] = []
    sent: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return sent.pop() if sent else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        answered.append(message)

    await app(_scope_of(approval, body), receive, send)
    status = next(int(message["status"]) for message in answered if message["type"] == "http.response.start")
    text = b"".join(message.get("body", b"") for message in answered if message["type"] == "http.response.body")
    return status, text.decode(errors="replace")


def _scope_of(approval: Approval, body: bytes) -> Scope:
    """No header of it says who asks: that stands where nobody outside can write."""
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": approval.method,
        "scheme": "https",
        "path": approval.path,
        "raw_path": quote(approval.path).encode(),
        "query_string": approval.query.encode(),
        "root_path": "",
        "headers": [(b"host", b"localhost"), (b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())],
        "client": (approval.peer, 0),
        "server": ("localhost", 443),
        "state": {},
        APPROVED: approval,
    }


def _understood(field: Any, body: bytes) -> tuple[BaseModel | None, bool]:
    """The body as the route will see it, and whether the route will refuse it."""
    if field is None or not body:
        return None, field is not None and bool(field.field_info.is_required())
    try:
        value, errors = field.validate(json.loads(body), {}, loc=("body",))
    except (ValueError, RecursionError):
        return None, True
    return value, bool(errors)
