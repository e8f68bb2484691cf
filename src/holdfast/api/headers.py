"""What every answer tells the browser: run nothing, guess nothing, show it in no frame, keep nothing of the API.

No Strict-Transport-Security: the certificate is from the environment's own authority, and a browser that once was told would lock people
out of the very page that helps them. A route that needs something else (the console's pages) sets it itself and is left alone.
"""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.types import Message, Send

API_PREFIX = "/api/"
ON_ALL = {
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


def with_headers(send: Send, path: str) -> Send:
    """`send` that adds them to the answer for `path`."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in ON_ALL.items():
                headers.setdefault(name, value)
            if path.startswith(API_PREFIX):
                headers.setdefault("Cache-Control", "no-store")
        await send(message)

    return sending
