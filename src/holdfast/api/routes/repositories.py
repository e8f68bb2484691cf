"""What repositories hold, and getting it back: points, listings, searches, restores, checks."""

from __future__ import annotations

import base64
import binascii
import os
from typing import Annotated
from urllib.parse import unquote_to_bytes

from fastapi import APIRouter, Query, Request, Response

from holdfast.api.callers import MasterOf
from holdfast.api.replies import fields, reply
from holdfast.api.schemas import Check, Restore
from holdfast.core.errors import UsageError
from holdfast.core.units import parse_time
from holdfast.master.restores import Wish
from holdfast.model.orders import RestoreRequest
from holdfast.model.questions import AskFind, AskListing

router = APIRouter(tags=["repositories"])
Limit = Annotated[int, Query(ge=1, le=100_000)]


@router.get("/points")
async def points(master: MasterOf, dataset: str = "", repository: str = "") -> Response:
    return reply(await master.queries.points(dataset, repository))


@router.get("/ls")
async def ls(request: Request, master: MasterOf, point: str, recursive: bool = False, limit: Limit = 10_000) -> Response:
    """`path` and `after` are percent-encoded bytes: a name need not be UTF-8."""
    ask = AskListing(
        point=point, path=_raw(request, "path"), recursive=recursive, limit=limit, after=_raw(request, "after")
    )
    return reply(await master.queries.listing(ask))


@router.get("/find")
async def find(master: MasterOf, pattern: str, dataset: str = "", repository: str = "", limit: Limit = 1_000) -> Response:
    return reply(await master.queries.find(AskFind(pattern=pattern, dataset=dataset, repository=repository, limit=limit)))


@router.post("/restores")
async def restore(body: Restore, master: MasterOf) -> Response:
    wish = Wish(
        request=RestoreRequest(
            target=body.to, conflict=body.conflict, dry_run=body.dry_run, limit_bytes_s=body.limit_bytes_s
        ),
        point=body.point,
        dataset=body.dataset,
        at=parse_time(body.at, master.base.now()) if body.at else None,
        paths=(*(os.fsencode(path) for path in body.paths), *(_decoded(path) for path in body.paths_raw)),
        node=body.node,
        repository=body.repository,
    )
    return reply(await master.restores.restore(wish))


@router.get("/repositories")
async def repositories(master: MasterOf) -> Response:
    found, unreachable = await master.board.repositories()
    rows = [{"node": view.node, **fields(view.status)} for view in found]
    return reply({"repositories": rows, "unreachable": unreachable})


@router.post("/repositories/{repository}/check")
async def check(repository: str, body: Check, master: MasterOf) -> Response:
    return reply({"trigger": await master.history.check(repository, body.read_data)})


def _raw(request: Request, key: str) -> bytes:
    """A query value as the bytes that were encoded, not as text."""
    for pair in request.scope["query_string"].split(b"&"):
        name, _, value = pair.partition(b"=")
        if name == key.encode():
            return unquote_to_bytes(value.replace(b"+", b" "))
    return b""


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise UsageError("`paths_raw` holds something that is not base64", hint="encode the bytes of each path in base64") from None

