"""The HTTP application of one Master."""

from __future__ import annotations

from fastapi import Depends, FastAPI, Response

import holdfast
from holdfast.api.callers import authenticated
from holdfast.api.errors import add_error_handlers
from holdfast.api.limits import BodyLimit
from holdfast.api.replies import reply
from holdfast.api.routes import access, environment, flows, happenings, nodes, repositories, status
from holdfast.master.master import Master

PREFIX = "/api/v1"


def create_app(master: Master) -> FastAPI:
    """Everything but login, health, and what a machine needs before it is a node wants a bearer token."""
    app = FastAPI(title="Holdfast", version=holdfast.__version__, openapi_url=None, docs_url=None, redoc_url=None)
    app.state.master = master
    app.add_middleware(BodyLimit)
    add_error_handlers(app)
    for router in (access.public, nodes.public):
        app.include_router(router, prefix=PREFIX)
    for module in (access, environment, flows, happenings, nodes, repositories, status):
        app.include_router(module.router, prefix=PREFIX, dependencies=[Depends(authenticated)])

    @app.get(f"{PREFIX}/openapi.json", include_in_schema=False, dependencies=[Depends(authenticated)])
    async def openapi() -> Response:
        return reply(app.openapi())

    return app
