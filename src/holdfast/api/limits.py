"""How much a caller may send, and how slowly: 64 KiB without a login, 8 MiB with one, all of it within half a minute.

What is more is refused before any route sees it, so that nobody fills the Master's memory or its connections without a login.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from holdfast.api.errors import error_reply
from holdfast.core.errors import ErrorFacts

MAX_BODY_BYTES = 8 << 20
MAX_ANONYMOUS_BYTES = 64 << 10
PATIENCE_S = 30.0

Knows = Callable[[Scope], Awaitable[bool]]


async def _nobody(scope: Scope) -> bool:
    del scope
    return False


class BodyLimit:
    """ASGI middleware: takes the body, which every route needs whole anyway, and hands it on as one message.

    `knows` says whether the caller is logged in; it is asked only about bodies that are large.
    """

    def __init__(self, app: ASGIApp, knows: Knows = _nobody, max_bytes: int = MAX_BODY_BYTES, patience_s: float = PATIENCE_S) -> None:
        self._app = app
        self._knows = knows
        self._max_bytes = max_bytes
        self._patience_s = patience_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            async with asyncio.timeout(self._patience_s):
                body = await self._body(scope, receive)
        except TimeoutError:
            facts = ErrorFacts("usage", f"the request did not come within {self._patience_s:g} s", "send it again, faster", True)
            await error_reply(facts, 408)(scope, receive, send)
            return
        if body is None:
            facts = ErrorFacts(
                "usage",
                f"the request is larger than {self._max_bytes} bytes, or than {MAX_ANONYMOUS_BYTES} without a login",
                "nothing that makes sense here is",
            )
            await error_reply(facts, 413)(scope, receive, send)
            return
        first: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def replayed() -> Message:
            return first.pop() if first else await receive()

        await self._app(scope, replayed, send)

    async def _body(self, scope: Scope, receive: Receive) -> bytes | None:
        """None when it is too large. A caller that hangs up has sent all it will."""
        claimed, body = _claimed(scope), bytearray()
        limit = await self._limit(scope, claimed)
        while claimed <= limit:
            message = await receive()
            body += message.get("body", b"")
            if len(body) > limit:
                limit = await self._limit(scope, len(body))
            if len(body) > limit:
                break
            if not message.get("more_body", False):
                return bytes(body)
        return None

    async def _limit(self, scope: Scope, size: int) -> int:
        """Asks who it is only where it matters."""
        is_asked = MAX_ANONYMOUS_BYTES < size <= self._max_bytes
        return self._max_bytes if is_asked and await self._knows(scope) else MAX_ANONYMOUS_BYTES


def _claimed(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value[:20])
    return 0
