"""Sessions of browsers: log in with a cookie, see who is logged in, end it."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from holdfast.api.answers import CallerView, Deleted, SessionList, SessionView, SignInLink
from holdfast.api.callers import COOKIE, Caller, CallerOf, MasterOf, check_own_page, peer_host
from holdfast.api.contract import answers
from holdfast.api.permits import does
from holdfast.api.replies import reply
from holdfast.api.schemas import SessionWanted
from holdfast.core.errors import UsageError
from holdfast.master.directories.directories import Typed
from holdfast.master.people.browser_sessions import IDLE, LONGEST, OpenedSession
from holdfast.master.people.sign_in_links import Bearer
from holdfast.model.access import Activity, may_everywhere

public = APIRouter(tags=["access"])
router = APIRouter(tags=["access"])


@public.post("/session")
@answers(CallerView)
async def open_session(body: SessionWanted, request: Request, master: MasterOf) -> Response:
    """For the console: the answer sets a cookie that only this Master's own pages can use."""
    check_own_page(request)
    if body.code and (body.user or body.password or body.directory):
        raise UsageError("a code signs in alone", hint="leave out user, password and directory, or the code")
    peer, agent = peer_host(request), request.headers.get("user-agent", "")
    if body.code:
        opened = await master.sessions.open_by_code(body.code, peer, agent)
    elif body.directory:
        opened = await master.directories.open(body.directory, Typed(body.user, body.password, peer), agent)
    else:
        opened = await master.sessions.open(body.user, body.password, peer, agent)
    return signed_in(opened)


@router.post("/session/links")
@answers(SignInLink)
@does(Activity.OWN_CREDENTIALS)
async def make_link(request: Request, caller: CallerOf, master: MasterOf) -> Response:
    """A link that signs a browser in as the caller. The code stands behind the #, which browsers send to nobody."""
    made = master.links.create(Bearer(caller.user, caller.expires_at, caller.id))
    url = master.api_url(request.url.hostname or "localhost", request.url.port or 443)
    return reply(SignInLink(code=made.code, url=f"{url}/#signin={made.code}", expires_at=made.expires_at))


@router.get("/session")
@answers(CallerView)
@does(Activity.OWN)
async def show_session(caller: CallerOf) -> Response:
    """Who this call is made as, by cookie or by token."""
    return reply(_view(caller))


@router.delete("/session")
@answers(Deleted)
@does(Activity.OWN)
async def close_session(caller: CallerOf, master: MasterOf) -> Response:
    """Log out: the cookie is worth nothing any more."""
    if caller.kind != "session":
        raise UsageError("this call is made with a token, not with a session", hint="delete a token with `DELETE /tokens/{token}`")
    await master.sessions.end(caller.id)
    answer = reply(Deleted(deleted=caller.id))
    answer.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="strict")
    return answer


@router.get("/sessions")
@answers(SessionList)
@does(Activity.OWN)
async def sessions(caller: CallerOf, master: MasterOf) -> Response:
    """Newest first: the caller's own; of everybody for whoever may read about access."""
    is_all = may_everywhere(caller.rights, Activity.ACCESS_READ)
    rows = tuple(
        SessionView(
            id=each.id,
            user=each.user,
            peer=each.peer,
            agent=each.agent,
            created_at=each.created_at,
            used_at=each.used_at,
            expires_at=each.expires_at,
            current=each.id == caller.id,
        )
        for each in await master.sessions.all()
        if is_all or each.user == caller.user
    )
    return reply(SessionList(sessions=rows))


@router.delete("/sessions/{session}")
@answers(Deleted)
@does(Activity.OWN_CREDENTIALS)
async def revoke_session(session: str, caller: CallerOf, master: MasterOf) -> Response:
    """One of the caller's own; of anybody for whoever manages access."""
    await master.sessions.end(session, "" if may_everywhere(caller.rights, Activity.ACCESS_MANAGE) else caller.user)
    return reply(Deleted(deleted=session))


def signed_in(opened: OpenedSession) -> Response:
    """The answer to who has just signed in, with the cookie."""
    made = opened.session
    view = CallerView(user=made.user, kind="session", id=made.id, expires_at=made.expires_at, idle_s=IDLE.total_seconds())
    answer = reply(view)
    answer.set_cookie(COOKIE, opened.secret, max_age=int(LONGEST.total_seconds()), path="/", secure=True, httponly=True, samesite="strict")
    return answer


def _view(caller: Caller) -> CallerView:
    idle_s = IDLE.total_seconds() if caller.kind == "session" else None
    return CallerView(user=caller.user, kind=caller.kind, id=caller.id, expires_at=caller.expires_at, idle_s=idle_s)
