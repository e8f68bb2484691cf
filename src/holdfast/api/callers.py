"""Who calls, and which Master is called: what routes ask for by annotation."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from holdfast.core.errors import NotAuthenticated
from holdfast.master.master import Master


def _master(request: Request) -> Master:
    master = request.app.state.master
    assert isinstance(master, Master)
    return master


MasterOf = Annotated[Master, Depends(_master)]


async def authenticated(request: Request, master: MasterOf) -> str:
    """The user of the bearer token; raises `NotAuthenticated`."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise NotAuthenticated("this needs a login", hint="send `Authorization: Bearer TOKEN`; `holdfast login` gets a token")
    return await master.access.authenticate(token.strip())


User = Annotated[str, Depends(authenticated)]


def peer_host(request: Request) -> str:
    """The address the caller has, for the brake on logins."""
    return request.client.host if request.client else "unknown"
