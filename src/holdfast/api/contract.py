"""The OpenAPI document: what FastAPI knows of paths and bodies, and the JSON Schema that msgspec makes of the answers' structs.

An answer has every field in it, defaults too (`replies`), so every property of an answer is required: clients generated from this need no
questions. Names of components are class names; a test holds that none is said twice and that real answers keep to their schema.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar, get_args

import msgspec
from fastapi import APIRouter
from fastapi.routing import APIRoute

from holdfast.api.answers import ErrorAnswer
from holdfast.api.approving import needed_by
from holdfast.master.live.deltas import Delta, Snapshot
from holdfast.model.approvals import Approval

JSON = "application/json"
STREAM = "text/event-stream"
TEXTS = ("text/plain", "text/html", "text/csv")
STREAMED: tuple[type, ...] = (Snapshot, *get_args(Delta))
_REF = "#/components/schemas/{name}"
_ANSWER = "holdfast_answer"
_STREAM_TEXT = "Server-sent events. `data` of each is one of these; `id` is what to send as `Last-Event-ID` to go on from there."
Route = TypeVar("Route", bound=Callable[..., Any])


def answers(kind: type | None) -> Callable[[Route], Route]:
    """Says what a route answers with status 200. None = the stream of live events, `str` = plain text."""

    def mark(route: Route) -> Route:
        setattr(route, _ANSWER, (kind,))
        return route

    return mark


def complete(document: dict[str, Any], routers: Iterable[APIRouter]) -> dict[str, Any]:
    """FastAPI's document with the answers of these routers' routes put in."""
    known = tuple(route for router in routers for route in router.routes if isinstance(route, APIRoute))
    told: dict[str, type | None] = {route.name: getattr(route.endpoint, _ANSWER)[0] for route in known}
    held = {route.name for route in known if needed_by(route.endpoint) is not None}
    kinds = tuple(dict.fromkeys(kind for kind in told.values() if kind not in (None, str)))
    _, made = msgspec.json.schema_components((ErrorAnswer, Approval, *kinds, *STREAMED), ref_template=_REF)
    schemas: dict[str, Any] = document.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    if twice := schemas.keys() & made.keys():
        raise AssertionError(f"bodies and answers share the names {', '.join(sorted(twice))}")
    schemas.update({name: _as_written(name, schema) for name, schema in made.items()})
    for item in document["paths"].values():
        for operation in item.values():
            operation["responses"] = _responses(told[operation["operationId"]], operation["operationId"] in held)
    return document


def _responses(kind: type | None, may_be_held: bool) -> dict[str, Any]:
    if kind is None:
        schema = {"oneOf": [_reference(each) for each in STREAMED]}
        right = {"description": _STREAM_TEXT, "content": {STREAM: {"schema": schema}}}
    elif kind is str:
        right = {"description": "Text.", "content": {each: {"schema": {"type": "string"}} for each in TEXTS}}
    else:
        right = {"description": "Done.", "content": {JSON: {"schema": _reference(kind)}}}
    wrong = {"description": "What is wrong, and what to do.", "content": {JSON: {"schema": _reference(ErrorAnswer)}}}
    held = {"description": "It waits for a second person; nothing is done yet.", "content": {JSON: {"schema": _reference(Approval)}}}
    return {"200": right, **({"202": held} if may_be_held else {}), "default": wrong}


def _reference(kind: type) -> dict[str, str]:
    return {"$ref": _REF.format(name=kind.__name__)}


def _as_written(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of a struct as `replies` writes it: all fields, and no tag (which tells kinds apart on the hub's wire only)."""
    if "properties" not in schema:
        return schema
    properties = {key: value for key, value in schema["properties"].items() if not (key == "type" and value == {"enum": [name]})}
    return {**schema, "properties": properties, "required": list(properties)}
