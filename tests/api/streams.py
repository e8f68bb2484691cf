"""A subscriber to live events that drives the application by ASGI, so that it can read a stream that does not end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.types import ASGIApp, Message


@dataclass
class Received:
    """`id`, `event` and `data` of one event; a comment has `event` ":"."""

    id: str
    event: str
    data: Any


@dataclass
class Subscriber:
    """`takes` cleared: it takes nothing more, as a browser whose machine sleeps."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    task: asyncio.Task[None] | None = None
    body: bytes = b""
    takes: asyncio.Event = field(default_factory=asyncio.Event)
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    _events: asyncio.Queue[Received] = field(default_factory=asyncio.Queue)
    _rest: bytes = b""

    async def next(self, *kinds: str) -> Received:
        """The next event of these kinds (none given: of any but comments); others are passed over."""
        async with asyncio.timeout(90):
            while True:
                event = await self._events.get()
                if event.event in kinds or (not kinds and event.event != ":"):
                    return event

    async def ended(self) -> None:
        assert self.task is not None
        await asyncio.wait_for(asyncio.shield(self.task), 90)

    async def receive(self) -> Message:
        if not self.status and not self.gone.is_set():
            return {"type": "http.request", "body": b"", "more_body": False}
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        await self.takes.wait()
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode().lower(): value.decode() for name, value in message["headers"]}
            return
        self.body += message.get("body", b"")
        *frames, self._rest = (self._rest + message.get("body", b"")).split(b"\n\n")
        for frame in frames:
            if event := _parse(frame.decode()):
                self._events.put_nowait(event)


@asynccontextmanager
async def subscribed(app: ASGIApp, headers: dict[str, str], query: str = "", *, cookie: str = "") -> AsyncIterator[Subscriber]:
    subscriber = Subscriber()
    subscriber.takes.set()
    sent = {"host": "master.test:7440", **headers, **({"cookie": cookie} if cookie else {})}
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "https",
        "path": "/api/v1/events",
        "raw_path": b"/api/v1/events",
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in sent.items()],
        "client": ("127.0.0.1", 1),
        "server": ("master.test", 7440),
        "state": {},
    }
    subscriber.task = asyncio.create_task(app(scope, subscriber.receive, subscriber.send))  # type: ignore[arg-type]
    try:
        yield subscriber
    finally:
        subscriber.takes.set()
        subscriber.gone.set()
        await asyncio.wait_for(subscriber.task, 90)


def _parse(frame: str) -> Received | None:
    fields = {}
    for line in frame.splitlines():
        if line.startswith(":"):
            return Received("", ":", line)
        name, _, value = line.partition(": ")
        fields[name] = value
    if "event" not in fields:
        return None
    return Received(fields.get("id", ""), fields["event"], json.loads(fields["data"]))
