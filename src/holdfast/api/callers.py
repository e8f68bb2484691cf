"""Who calls, and which Master is called: what routes ask for by annotation.

A script shows a bearer token, a browser the cookie of its session. Because a browser sends its cookie whoever wrote the page, calls with
a cookie, and the one that gets it, must come from our own pages: the fetch metadata says so, and what changes something bears a header
that no foreign page can set without asking first (https://cheatsheetseries.owasp.org/cheatsheets/Cross-Site_Request_Forgery_Prevention_Cheat_Sheet.html).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from fastapi import Depends, Request

from holdfast.core.errors import NotAuthenticated, Refused
from holdfast.master.master import Master
from holdfast.model.access import Rights
from holdfast.model.approvals import Approval

APPROVED = "holdfast.approved"
"""Where a call that the Master makes itself says whose it is (`api.approving`): no header comes here."""
COOKIE = "__Host-holdfast"
PAGE_HEADER = "x-holdfast-page"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def _master(request: Request) -> Master:
    master = request.app.state.master
    assert isinstance(master, Master)
    return master


MasterOf = Annotated[Master, Depends(_master)]


@dataclass(frozen=True)
class Caller:
    """`id` is the token's or session's, or that of the request by which a call of this user was approved; `recheck` tells what the caller
    may by now, raises `NotAuthenticated` once it has ended, and counts as no use of it."""

    user: str
    kind: Literal["token", "session", "approval"]
    id: str
    expires_at: datetime | None
    rights: Rights
    recheck: Callable[[], Awaitable[Rights]]


async def authenticated(request: Request, master: MasterOf) -> Caller:
    """The caller by token, else by cookie; raises `NotAuthenticated`, or `Refused` for a page that is not ours."""
    approved = request.scope.get(APPROVED)
    if approved is not None:
        return await _by_approval(approved, master)
    header = request.headers.get("authorization", "")
    if header:
        return await _by_token(header, master)
    secret = request.cookies.get(COOKIE, "")
    if not secret:
        hint = "send `Authorization: Bearer TOKEN`; `holdfast login` gets a token"
        raise NotAuthenticated("this needs a login", hint=hint)
    check_own_page(request)
    session, rights = await master.sessions.authenticate(secret)

    async def recheck() -> Rights:
        return (await master.sessions.authenticate(secret, is_use=False))[1]

    return Caller(
        user=session.user,
        kind="session",
        id=session.id,
        expires_at=session.expires_at,
        rights=rights,
        recheck=recheck,
    )


async def _by_approval(approved: Approval, master: Master) -> Caller:
    """Who asked, with what they may by now."""

    async def recheck() -> Rights:
        return await master.access.rights_of(approved.asked_by, approved.credential)

    return Caller(
        user=approved.asked_by, kind="approval", id=approved.id, expires_at=approved.expires_at, rights=await recheck(), recheck=recheck
    )


async def _by_token(header: str, master: Master) -> Caller:
    scheme, _, text = header.partition(" ")
    secret = text.strip()
    if scheme.lower() != "bearer" or not secret:
        raise NotAuthenticated("this is no bearer token", hint="send `Authorization: Bearer TOKEN`; `holdfast login` gets a token")
    token, rights = await master.access.authenticate(secret)

    async def recheck() -> Rights:
        return (await master.access.authenticate(secret))[1]

    return Caller(user=token.user, kind="token", id=token.id, expires_at=token.expires_at, rights=rights, recheck=recheck)


CallerOf = Annotated[Caller, Depends(authenticated)]


async def _user(caller: CallerOf) -> str:
    return caller.user


User = Annotated[str, Depends(_user)]


def check_own_page(request: Request) -> None:
    """Raises `Refused` unless the call comes from a page of this Master. Another port of this host is another site here."""
    headers = request.headers
    is_safe = request.method in SAFE_METHODS
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    allowed_sites = ("same-origin", "none") if is_safe else ("same-origin",)
    is_own = site in (None, *allowed_sites) and origin in (None, f"https://{headers.get('host', '')}")
    if not is_own:
        raise Refused("this call comes from a page of another site", hint="use the console of this Master, or a bearer token")
    if not is_safe and (PAGE_HEADER not in headers or (site is None and origin is None)):
        hint = f"a page sends the header {PAGE_HEADER}; scripts use a bearer token instead of the cookie"
        raise Refused("a call with a cookie must show that it comes from the console", hint=hint)


def peer_host(request: Request) -> str:
    """The address the caller has, for the brake on logins."""
    return request.client.host if request.client else "unknown"
