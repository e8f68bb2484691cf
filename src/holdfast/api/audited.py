"""Every call that changes something, and every search, is in the audit log: these dependencies stand on all routes, so that a new one
cannot be forgotten."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from dataclasses import replace

from fastapi import Request
from fastapi.exceptions import RequestValidationError

from holdfast.api.callers import SAFE_METHODS, CallerOf, MasterOf, peer_host
from holdfast.core.errors import HoldfastError, Throttled, facts_of
from holdfast.master.master import Master
from holdfast.master.people.audit import Act
from holdfast.model.audit import arguments_text

_log = logging.getLogger(__name__)

SEARCHES = frozenset({"find", "search", "history", "explain", "diff"})
"""Calls that change nothing, and tell what is in whose files."""
SIGNED_IN = "holdfast.signed-in"


async def audited(request: Request, caller: CallerOf, master: MasterOf) -> AsyncIterator[None]:
    """Of a call by somebody who is logged in: what is asked before it is done, and how it ended."""
    is_change = request.method not in SAFE_METHODS
    if not is_change and request.scope["route"].name not in SEARCHES:
        yield
        return
    act = await _act(request, user=caller.user, credential=f"{caller.kind}:{caller.id}")
    if not is_change:
        await master.audit.looked(act)
        yield
        return
    number = await master.audit.asked(act)
    try:
        yield
    except Exception as error:
        await _ended(master, act, number, _code(error))
        raise
    await _ended(master, act, number)


async def audited_entry(request: Request, master: MasterOf) -> AsyncIterator[None]:
    """Of a call by somebody unknown (login, joining): how it ended, and as whom where that is known only then. Whoever is sent away for
    trying too often fills no log."""
    if request.method in SAFE_METHODS:
        yield
        return
    act = await _act(request)
    try:
        yield
    except Exception as error:
        if not isinstance(error, Throttled):
            await _ended(master, act, 0, _code(error))
        raise
    await _ended(master, replace(act, user=request.scope.get(SIGNED_IN, "")), 0)


def signed_in_as(request: Request, user: str) -> None:
    """For the audit log, of a call in which nobody said a name."""
    request.scope[SIGNED_IN] = user


async def _ended(master: Master, act: Act, number: int, error: str = "") -> None:
    """It is done by now: that its end cannot be written down makes no failure of it. The log then shows an end that is unknown."""
    try:
        await master.audit.ended(act, of=number, error=error)
    except HoldfastError as problem:
        _log.error("the end of a call is not in the audit log", extra={"facts": {"activity": act.activity, "reason": problem.message}})


async def _act(request: Request, *, user: str = "", credential: str = "") -> Act:
    return Act(
        user=user,
        credential=credential,
        peer=peer_host(request),
        activity=request.scope["route"].name,
        target=f"{request.method} {request.url.path}",
        arguments=arguments_text(dict(request.query_params), await request.body()),
    )


def _code(error: Exception) -> str:
    if isinstance(error, RequestValidationError):
        return "usage"
    return (error if isinstance(error, HoldfastError) else facts_of(error)).code
