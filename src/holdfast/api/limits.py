"""No request body is larger than 8 MiB; what is, is refused before any route sees it."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from holdfast.api.errors import error_reply
from holdfast.core.errors import ErrorFacts

MAX_BODY_BYTES = 8 << 20


class BodyLimit:
    """ASGI middleware: takes the body, which every route needs whole anyway, and hands it on as one message."""

    def __init__(self, app: ASGIApp, max_bytes: int = MAX_BODY_BYTES) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = None if _claimed(scope) > self._max_bytes else await self._body(receive)
        if body is None:
            facts = ErrorFacts("usage", f"the request is larger than {self._max_bytes} bytes", "nothing that makes sense here is")
            await error_reply(facts, 413)(scope, receive, send)
            return
        first: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def replayed() -> Message:
            return first.pop() if first else await receive()

        await self._app(scope, replayed, send)

    async def _body(self, receive: Receive) -> bytes | None:
        """None when it is too large. A caller that hangs up has sent all it will."""
        body = bytearray()
        while True:
            message = await receive()
            body += message.get("body", b"")
            if len(body) > self._max_bytes:
                return None
            if not message.get("more_body", False):
                return bytes(body)


def _claimed(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value[:20])
    return 0
