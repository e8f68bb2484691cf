"""What is said over HTTP to who shows a link: an ASGI application. One address, GET and HEAD; everything else is not there.

Nothing that is stored is ever shown by a browser as a page: it is an attachment, of no type that is guessed at, in a sandbox. A page of
another origin may read it by script only where the link names that origin.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from holdfast.core.errors import HoldfastError, NotReachable, Refused, Throttled, UnknownName, UsageError, facts_of
from holdfast.model.downloads import LINK_PATH, DownloadOrder, disposition_of
from holdfast.model.entry import display_path
from holdfast.model.jobs import Severity
from holdfast.node.downloads.byte_ranges import OutOfRange, Span, span_of
from holdfast.node.downloads.gate import ForgedLink, Gate, Opened
from holdfast.node.downloads.pump import Pump

logger = logging.getLogger(__name__)

MOST_AT_ONCE = 16
# Who takes nothing for so long holds a point for nobody.
_STALLED_S = 120.0
_WRITE_DOWN_BYTES = 64 << 20
_ON_ALL = {
    "Content-Security-Policy": "default-src 'none'; sandbox; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_SHOWN_TO_SCRIPTS = "Accept-Ranges, Content-Disposition, Content-Length, Content-Range, ETag, X-Holdfast-Error"

RecordEvent = Callable[[str, Severity, str, DownloadOrder], None]
"""Code, severity and words of an event, and the link it is about."""


@dataclass
class _Told:
    """How far an answer has got; `is_told`: why it broke off is in the log."""

    size: int = 0
    done: bool = False
    is_told: bool = False


class Answers:
    """The application. `last_busy` is called whenever somebody comes or goes, with how many are being answered."""

    def __init__(self, gate: Gate, event: RecordEvent, busy: Callable[[int], None]) -> None:
        self._gate = gate
        self._event = event
        self._busy = busy
        self._open = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError("only HTTP is answered")
        self._open += 1
        self._busy(self._open)
        try:
            await self._answer(scope, receive, send)
        finally:
            self._open -= 1
            self._busy(self._open)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        order: DownloadOrder | None = None
        try:
            if not path.startswith(LINK_PATH) or scope["method"] not in ("GET", "HEAD", "OPTIONS"):
                raise UnknownName("nothing is here", hint="downloads have links, which the console and `holdfast download` give")
            if self._open > MOST_AT_ONCE:
                raise Throttled("too many downloads at once", hint="try again in a minute")
            token = path[len(LINK_PATH) :].partition("/")[0]
            order = await asyncio.to_thread(self._gate.order_of, token)
            if scope["method"] == "OPTIONS":
                await Response(status_code=204, headers=_headers(order, scope, preflight=True))(scope, receive, send)
                return
            opened = await asyncio.to_thread(self._gate.open, order)
        except HoldfastError as error:
            self._refused(error, order)
            await _refusal(error, order, scope)(scope, receive, send)
            return
        try:
            await self._give(opened, order, (scope, receive, send))
        finally:
            await asyncio.to_thread(opened.close)

    async def _give(self, opened: Opened, order: DownloadOrder, http: tuple[Scope, Receive, Send]) -> None:
        scope, receive, send = http
        asked = Headers(scope=scope)
        download = opened.download
        tag = f'"{download.tag}"'
        try:
            size = download.size_bytes
            span = None if size is None else span_of(asked.get("range", ""), asked.get("if-range", ""), tag, size)
            headers = {**_headers(order, scope), **_headers_of(opened, span, tag)}
            status = 206 if span is not None and span.partial else 200
            if scope["method"] == "HEAD":
                await _start(send, status, headers)
                await send({"type": "http.response.body", "body": b""})
                return
            start = 0 if span is None else span.start
            await asyncio.to_thread(lambda: self._gate.book.begin(order, start, is_file=span is not None))
        except OutOfRange as error:
            await _refusal(error, order, scope, {"Content-Range": f"bytes */{download.size_bytes}"})(scope, receive, send)
            return
        except HoldfastError as error:
            self._refused(error, order)
            await _refusal(error, order, scope)(scope, receive, send)
            return
        what = f"{display_path(order.path)} of {order.label} as {download.format}"
        words = f"{order.user} downloads {what}" if start == 0 else f"{order.user} goes on downloading {what} at byte {start}"
        self._event("download", Severity.INFO, words, order)
        await self._stream(opened, order, (span, status, headers), receive, send)

    async def _stream(
        self, opened: Opened, order: DownloadOrder, head: tuple[Span | None, int, dict[str, str]], receive: Receive, send: Send
    ) -> None:
        span, status, headers = head
        begin, end = (0, None) if span is None else (span.start, span.end)
        pump, told = Pump(opened.download.blocks(begin, end)), _Told()
        gone = asyncio.create_task(_until_gone(receive, pump))
        try:
            await _start(send, status, headers)
            written = 0
            async for block in pump.taken():
                await asyncio.wait_for(send({"type": "http.response.body", "body": block, "more_body": True}), _STALLED_S)
                told.size += len(block)
                if gone.done():
                    break
                if span is not None and told.size - written >= _WRITE_DOWN_BYTES:
                    written = told.size
                    await asyncio.to_thread(self._gate.book.reached, order, begin + written)
            else:
                await send({"type": "http.response.body", "body": b""})
                told.done = not gone.done()
        except HoldfastError as error:
            told.is_told = True
            self._event("download-broken", Severity.ERROR, f"a download of {order.user} broke off: {error.message}", order)
            # Raised on: the server hangs up, so that nobody takes what came for the whole.
            raise
        except TimeoutError:
            logger.info("a download stalled", extra={"facts": {"user": order.user}})
            raise
        finally:
            gone.cancel()
            pump.stop()
            with contextlib.suppress(asyncio.CancelledError):
                await pump.finished.wait()
            whole = told.done and (span is None or span.end == opened.download.size_bytes)
            self._gate.book.reached(order, begin + told.size, is_done=whole)
            if not told.done and not told.is_told:
                words = f"a download of {order.user} ended early, after {told.size} bytes: {display_path(order.path)}"
                self._event("download-broken", Severity.WARNING, words, order)

    def _refused(self, error: HoldfastError, order: DownloadOrder | None) -> None:
        if isinstance(error, Refused) and not isinstance(error, ForgedLink) and order is not None:
            self._event("download-refused", Severity.WARNING, f"a download of {order.user} was refused: {error.message}", order)
        logger.info("no download", extra={"facts": {"code": error.code, "reason": error.message}})


async def _until_gone(receive: Receive, pump: Pump) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    pump.stop()


async def _start(send: Send, status: int, headers: dict[str, str]) -> None:
    raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})


def _headers(order: DownloadOrder | None, scope: Scope, *, preflight: bool = False) -> dict[str, str]:
    found = dict(_ON_ALL)
    asked = Headers(scope=scope)
    if order is not None and order.origin and asked.get("origin") == order.origin:
        found["Access-Control-Allow-Origin"] = order.origin
        found["Vary"] = "Origin"
        found["Access-Control-Expose-Headers"] = _SHOWN_TO_SCRIPTS
        found["Cross-Origin-Resource-Policy"] = "cross-origin"
        if preflight:
            found["Access-Control-Allow-Methods"] = "GET, HEAD"
            found["Access-Control-Allow-Headers"] = "Range, If-Range"
            if asked.get("access-control-request-private-network") == "true":
                found["Access-Control-Allow-Private-Network"] = "true"
    return found


def _headers_of(opened: Opened, span: Span | None, tag: str) -> dict[str, str]:
    download = opened.download
    found = {"Content-Type": download.media_type, "Content-Disposition": disposition_of(download.name)}
    if span is None:
        return {**found, "Accept-Ranges": "none"}
    found |= {"Accept-Ranges": "bytes", "ETag": tag, "Content-Length": str(span.end - span.start)}
    if span.partial:
        found["Content-Range"] = f"bytes {span.start}-{span.end - 1}/{download.size_bytes}"
    return found


def _refusal(error: HoldfastError, order: DownloadOrder | None, scope: Scope, more: dict[str, str] | None = None) -> Response:
    facts = facts_of(error)
    body = {"error": {"code": facts.code, "message": facts.message, "hint": facts.hint, "retryable": facts.retryable}}
    response = Response(json.dumps(body), _status_of(error), media_type="application/json")
    headers = MutableHeaders(scope={"type": "http", "headers": response.raw_headers})
    for name, value in {**_headers(order, scope), "X-Holdfast-Error": facts.code, **(more or {})}.items():
        headers[name] = value
    response.raw_headers = headers.raw
    return response


def _status_of(error: HoldfastError) -> int:
    match error:
        case OutOfRange():
            return 416
        case UnknownName():
            return 404
        case UsageError():
            return 400
        case Throttled():
            return 429
        case Refused():
            return 403
        case NotReachable():
            return 503
        case _:
            return 500
