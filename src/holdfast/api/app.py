"""The HTTP application of one Master."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

import holdfast
from holdfast.api import contract
from holdfast.api.approving import held_for_approval
from holdfast.api.audited import audited, audited_entry
from holdfast.api.callers import authenticated
from holdfast.api.console import Console, packaged_console
from holdfast.api.errors import add_error_handlers
from holdfast.api.headers import API_PREFIX, with_headers
from holdfast.api.latency import timed
from holdfast.api.limits import BodyLimit
from holdfast.api.permits import permitted
from holdfast.api.replies import Rows, reply
from holdfast.api.routes import (
    access,
    anomalies,
    approvals,
    archive,
    audit,
    directories,
    downloads,
    drills,
    environment,
    flows,
    happenings,
    keep,
    log,
    master_backup,
    metrics,
    nodes,
    notifications,
    points,
    report_schedules,
    reports,
    repositories,
    roles,
    schedules,
    search,
    sessions,
    status,
    users,
)
from holdfast.api.streams import Frames
from holdfast.core.errors import HoldfastError
from holdfast.master.master import Master

PREFIX = "/api/v1"
_PUBLIC = tuple(module.public for module in (access, directories, nodes, sessions))
_TELLING = (anomalies, audit, drills, happenings, keep, log, metrics, notifications, report_schedules, reports, schedules, search, status)
_ROUTES = (
    access,
    roles,
    users,
    directories,
    approvals,
    archive,
    downloads,
    environment,
    flows,
    nodes,
    points,
    repositories,
    sessions,
    *_TELLING,
)
_PRIVATE = tuple(module.router for module in (*_ROUTES, master_backup))
# In this order: what is refused is in the audit log, too.
_GUARDS = (Depends(authenticated), Depends(audited, scope="function"), Depends(permitted), Depends(held_for_approval))


class _App(FastAPI):
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Outside everything, so that answers to our own faults bear the headers too."""
        measured = timed(scope, send, self.state.master) if scope["type"] == "http" else send
        await super().__call__(scope, receive, with_headers(measured, scope.get("path", "")))

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            self.openapi_schema = contract.complete(super().openapi(), (*_PUBLIC, *_PRIVATE))
        return self.openapi_schema


def create_app(master: Master, console: Console | None = None) -> FastAPI:
    """Everything but login, health, what a machine needs before it is a node, and the console's pages (None = those of this package)
    wants a bearer token or a browser's session."""
    app = _App(
        title="Holdfast",
        version=holdfast.__version__,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        routes=[*_routes()],
        generate_unique_id_function=_operation_id,
    )
    app.state.master = master
    app.state.frames = Frames()
    app.state.rows = Rows()
    app.add_middleware(BodyLimit, knows=_is_logged_in)
    add_error_handlers(app)

    @app.get(f"{PREFIX}/openapi.json", include_in_schema=False, dependencies=[Depends(authenticated)])
    async def openapi() -> Response:
        return reply(app.openapi())

    app.router.default = _pages(console or packaged_console(), app.router.default)
    return app


@functools.cache
def _routes() -> tuple[BaseRoute, ...]:
    """The same for every Master of this process, as each finds its own in `app.state`: what FastAPI makes of them at the first request (who
    is asked before each, and for what) takes several times as long as all else of a Master's start."""
    both = APIRouter(generate_unique_id_function=_operation_id)
    for router in _PUBLIC:
        both.include_router(router, prefix=PREFIX, dependencies=[Depends(audited_entry, scope="function")])
    for router in _PRIVATE:
        both.include_router(router, prefix=PREFIX, dependencies=_GUARDS)
    return tuple(both.routes)


def ready_routes() -> None:
    """What FastAPI makes of the routes otherwise at the first request: for a process that is to fork Masters."""
    for route in _routes():
        route.matches({"type": "http", "method": "GET", "path": "/", "root_path": "", "headers": []})


def private_routes() -> Iterator[APIRoute]:
    """Those that want a login, each with an activity (`permits.does`)."""
    return (route for router in _PRIVATE for route in router.routes if isinstance(route, APIRoute))


def _pages(console: Console, otherwise: ASGIApp) -> ASGIApp:
    """The console for what no route takes. A call of the API that does not exist stays one, and gets no page."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        is_api = f"{scope['path']}/".startswith(API_PREFIX)
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD") or is_api:
            await otherwise(scope, receive, send)
            return
        request = Request(scope)
        await console.answer(request, request.app.state.master.base.entropy)(scope, receive, send)

    return answer


async def _is_logged_in(scope: Scope) -> bool:
    request = Request(scope)
    try:
        await authenticated(request, request.app.state.master)
    except HoldfastError:
        return False
    return True


def _operation_id(route: APIRoute) -> str:
    """The function's name: short, and the same as long as we do not rename it."""
    return route.name
