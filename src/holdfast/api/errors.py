"""One table from error codes to HTTP status, one shape for every error: `{"error": {code, message, hint, retryable, context}}`."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from holdfast.api.approving import Held
from holdfast.api.replies import reply
from holdfast.core.errors import ErrorFacts, HoldfastError, NoSpace, facts_of

STATUS = {
    "usage": 400,
    "invalid-document": 422,
    "unknown-name": 404,
    "refused": 403,
    "not-authenticated": 401,
    "not-granted": 403,
    "outside-limits": 403,
    "limits-refused": 403,
    "join-refused": 403,
    "not-authorised": 403,
    "approval-wanted": 202,
    "throttled": 429,
    "stale-rules": 409,
    "conflict": 409,
    "not-adopted": 409,
    "repository-outdated": 409,
    "not-reachable": 503,
    "receiver-busy": 503,
    "source": 409,
    "source-vanished": 409,
    "watch-unavailable": 409,
    "watch-limited": 409,
    "hook-failed": 409,
    "window-closed": 409,
    "repository-busy": 409,
    "mount-unavailable": 409,
    "store": 500,
    "repository-missing": 500,
    "repository-locked": 423,
    "repository-paused": 423,
    "repository-moved": 423,
    "wrong-password": 500,
    "store-denied": 500,
    "repository-damaged": 500,
    "export-damaged": 500,
    "read-only": 500,
    "no-space": 507,
    "protocol": 502,
    "cancelled": 409,
    "internal": 500,
}
_log = logging.getLogger(__name__)


def error_reply(facts: ErrorFacts, status: int | None = None) -> Response:
    """A code that is not in the table, from a newer node perhaps, counts as our own failure."""
    answer = reply({"error": facts}, status or STATUS.get(facts.code, 500))
    if answer.status_code == 401:
        answer.headers["WWW-Authenticate"] = "Bearer"
    return answer


def add_error_handlers(app: FastAPI) -> None:
    app.add_exception_handler(Held, _held)
    app.add_exception_handler(HoldfastError, _ours)
    app.add_exception_handler(RequestValidationError, _bad_request)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _fault)


async def _ours(_: Request, error: Exception) -> Response:
    return error_reply(facts_of(error))


async def _held(_: Request, error: Exception) -> Response:
    """No error to who calls: the request for approval."""
    assert isinstance(error, Held)
    return reply(error.approval, STATUS[error.code])


async def _bad_request(_: Request, error: Exception) -> Response:
    problems = error.errors() if isinstance(error, RequestValidationError) else []
    said = "; ".join(f"{'.'.join(str(part) for part in p['loc'][1:]) or p['loc'][0]}: {_complaint(p)}" for p in problems)
    return error_reply(ErrorFacts("usage", f"the request cannot be understood: {said}", "/api/v1/openapi.json describes it"))


def _complaint(problem: Mapping[str, Any]) -> str:
    """Of a word that is none of those there are, which they are; the empty one, which chooses all, nobody types."""
    expected = (problem.get("ctx") or {}).get("expected")
    if problem["type"] in ("literal_error", "enum") and isinstance(expected, str):
        words = expected.removeprefix("'', ").removeprefix("'' or ")
        return f"{problem['input']!r} is none of {words}"
    return str(problem["msg"])


async def _http(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    if status == 404:
        facts = ErrorFacts("unknown-name", f"there is nothing at {request.url.path}", "/api/v1/openapi.json lists what there is")
    else:
        facts = ErrorFacts("usage", f"{request.method} {request.url.path}: {getattr(error, 'detail', status)}")
    return error_reply(facts, status)


async def _fault(request: Request, error: Exception) -> Response:
    facts = facts_of(error)
    if facts.code == NoSpace.code:
        return error_reply(facts)
    _log.error("a request failed", exc_info=error, extra={"facts": {"path": request.url.path, "method": request.method}})
    hint = "This is a fault in Holdfast; the Master's log has the details."
    return error_reply(ErrorFacts("internal", f"{type(error).__name__} in the Master", hint))
