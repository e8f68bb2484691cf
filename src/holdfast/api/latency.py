"""How long each call takes, for the Master's metrics."""

from __future__ import annotations

from starlette.types import Message, Scope, Send

from holdfast.master.master import Master


def timed(scope: Scope, send: Send, master: Master) -> Send:
    """`send` that notes when a call of the API begins to be answered. Pages, and what is no call at all, are not told apart from others by
    their path: they are not counted."""
    clock = master.base.clock
    began_s = clock.monotonic_s()

    async def measured(message: Message) -> None:
        route = scope.get("route")
        if message["type"] == "http.response.start" and route is not None:
            master.metrics.latency.took(route.name, message["status"], clock.monotonic_s() - began_s)
        await send(message)

    return measured
