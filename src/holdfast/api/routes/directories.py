"""Signing in by a directory outside, and logging a command line in from a browser."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from holdfast.api.answers import CallerView
from holdfast.api.audited import signed_in_as
from holdfast.api.callers import MasterOf, User, check_own_page, peer_host
from holdfast.api.contract import answers
from holdfast.api.directory_bodies import (
    DirectoryChecks,
    DirectoryCheckWanted,
    DirectoryList,
    DirectorySessionBegun,
    DirectorySessionReturn,
    DirectorySessionWanted,
    LoginRequestTake,
    LoginRequestTaken,
    NewLoginRequestView,
    SignInWays,
    directory_view,
)
from holdfast.api.permits import does
from holdfast.api.replies import reply
from holdfast.api.routes.sessions import signed_in
from holdfast.master.directories.directories import Answered
from holdfast.master.directories.round_trips import LIFETIME
from holdfast.master.people.login_requests import LoginRequest
from holdfast.model.access import Activity

TRIP_COOKIE = "__Host-holdfast-signin"
public = APIRouter(tags=["access"])
router = APIRouter(tags=["access"])


@public.get("/session/ways")
@answers(SignInWays)
async def sign_in_ways(master: MasterOf) -> Response:
    """The directories by which one can sign in here."""
    return reply(SignInWays(directories=master.directories.ways))


@public.post("/session/directory")
@answers(DirectorySessionBegun)
async def begin_directory_session(body: DirectorySessionWanted, request: Request, master: MasterOf) -> Response:
    """For the console: where the provider asks who one is. The cookie ties the answer to this browser."""
    check_own_page(request)
    own_url = f"https://{request.headers.get('host', '')}"
    begun = await master.directories.begin(body.directory, own_url, peer_host(request))
    answer = reply(DirectorySessionBegun(url=begun.url))
    age_s = int(LIFETIME.total_seconds())
    answer.set_cookie(TRIP_COOKIE, begun.secret, max_age=age_s, path="/", secure=True, httponly=True, samesite="strict")
    return answer


@public.post("/session/directory/return")
@answers(CallerView)
async def finish_directory_session(body: DirectorySessionReturn, request: Request, master: MasterOf) -> Response:
    """For the console, with what the provider sent the browser back with. Opens a session as `POST /session` does."""
    check_own_page(request)
    answered = Answered(state=body.state, code=body.code, issuer=body.issuer, error=body.error)
    browser, agent = request.cookies.get(TRIP_COOKIE, ""), request.headers.get("user-agent", "")
    opened = await master.directories.finish(answered, browser, peer_host(request), agent)
    signed_in_as(request, opened.session.user)
    answer = signed_in(opened)
    answer.delete_cookie(TRIP_COOKIE, path="/", secure=True, httponly=True, samesite="strict")
    return answer


@router.get("/directories")
@answers(DirectoryList)
@does(Activity.ACCESS_READ)
async def directories(master: MasterOf) -> Response:
    """As the Master's configuration has them, without what is secret."""
    return reply(DirectoryList(directories=tuple(map(directory_view, master.directories.configured))))


@router.post("/directories/{directory}/check")
@answers(DirectoryChecks)
@does(Activity.ACCESS_MANAGE)
async def check_directory(directory: str, body: DirectoryCheckWanted, master: MasterOf) -> Response:
    """Tries whether the directory answers, and fits its configuration. Nobody is signed in."""
    return reply(DirectoryChecks(checks=await master.directories.check(directory, body.user)))


@public.post("/login/requests")
@answers(NewLoginRequestView)
async def ask_login(request: Request, master: MasterOf) -> Response:
    """For a command line whose user signs in at a browser: it shows link and code, and asks `POST /login/requests/take`."""
    made = master.login_requests.create(peer_host(request))
    url = master.api_url(request.url.hostname or "localhost", request.url.port or 443)
    return reply(NewLoginRequestView(code=made.code, secret=made.secret, url=f"{url}/command-line/{made.code}", expires_at=made.expires_at))


@public.post("/login/requests/take")
@answers(LoginRequestTaken)
async def take_login(body: LoginRequestTake, request: Request, master: MasterOf) -> Response:
    """The token, once somebody has allowed it."""
    taken = await master.login_requests.take(body.secret, peer_host(request))
    if taken is None:
        return reply(LoginRequestTaken(user="", token=None, expires_at=None))
    user, made = taken
    signed_in_as(request, user)
    return reply(LoginRequestTaken(user=user, token=made.token, expires_at=made.expires_at))


@router.get("/login/requests/{code}")
@answers(LoginRequest)
@does(Activity.OWN_CREDENTIALS)
async def login_request(code: str, master: MasterOf) -> Response:
    """A command line that waits: from where it asks."""
    return reply(master.login_requests.show(code))


@router.post("/login/requests/{code}/allow")
@answers(LoginRequest)
@does(Activity.OWN_CREDENTIALS)
async def allow_login(code: str, user: User, master: MasterOf) -> Response:
    """It is logged in as the caller."""
    return reply(master.login_requests.settle(code, user, True))


@router.post("/login/requests/{code}/refuse")
@answers(LoginRequest)
@does(Activity.OWN_CREDENTIALS)
async def refuse_login(code: str, user: User, master: MasterOf) -> Response:
    return reply(master.login_requests.settle(code, user, False))
