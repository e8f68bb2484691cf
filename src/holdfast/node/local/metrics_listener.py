"""A node's own metrics, for a Prometheus on the same machine: on a loopback address or a unix socket, and only where somebody wants it.

It answers without a login, so it listens nowhere that another machine reaches. It speaks as much HTTP as a scrape needs.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
from collections.abc import Awaitable, Callable
from pathlib import Path

from holdfast.core.errors import Conflict, UsageError
from holdfast.model.metrics import OF_NODES, OF_PROCESSES, of_node
from holdfast.model.node_status import NodeStatus
from holdfast.model.questions import Answer, AskStatus
from holdfast.wire.exposition import CONTENT_TYPE, exposed, of_process
from holdfast.wire.unix_socket import listen_on

_REQUEST_TIMEOUT_S = 10.0
_MAX_HEAD_BYTES = 16 * 1024
_HINT = "127.0.0.1:9742, [::1]:9742 or unix:/run/holdfast/metrics.sock"


class MetricsListener:
    """Listens from `start` to `stop`. `address`: `HOST:PORT` on loopback or `unix:PATH`. Raises `UsageError` for others."""

    def __init__(self, address: str, name: str, ask: Callable[[AskStatus], Awaitable[Answer]]) -> None:
        self._name = name
        self._ask = ask
        self._unix = Path(address.removeprefix("unix:")) if address.startswith("unix:") else None
        self._place = None if self._unix is not None else _loopback(address)
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """0 on a unix socket, and before `start`."""
        sockets = self._server.sockets if self._server is not None and self._unix is None else ()
        return int(sockets[0].getsockname()[1]) if sockets else 0

    async def start(self) -> None:
        """Raises `Conflict` when the place is taken or cannot be listened at."""
        if self._unix is not None:
            self._server = await asyncio.start_unix_server(self._serve, sock=listen_on(self._unix), limit=_MAX_HEAD_BYTES)
            return
        assert self._place is not None
        host, port = self._place
        try:
            self._server = await asyncio.start_server(self._serve, host, port, limit=_MAX_HEAD_BYTES)
        except OSError as error:
            raise Conflict(
                f"metrics cannot be given at {host}:{port}: {error.strerror}", hint="choose another port with --metrics"
            ) from None

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        if self._unix is not None:
            self._unix.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), _REQUEST_TIMEOUT_S)
            writer.write(await self._answer(head.split(b"\r\n", 1)[0]))
            await asyncio.wait_for(writer.drain(), _REQUEST_TIMEOUT_S)
        writer.close()

    async def _answer(self, request_line: bytes) -> bytes:
        method, _, rest = request_line.partition(b" ")
        if method != b"GET" or rest.split(b" ")[0].split(b"?")[0] != b"/metrics":
            return _response(404, "text/plain", b"GET /metrics is all there is here\n")
        told = await self._ask(AskStatus())
        samples = [*of_process(), *(of_node(self._name, told) if isinstance(told, NodeStatus) else ())]
        return _response(200, CONTENT_TYPE, exposed((*OF_PROCESSES, *OF_NODES), samples))


def _response(status: int, kind: str, body: bytes) -> bytes:
    words = {200: "OK", 404: "Not Found"}[status]
    head = f"HTTP/1.1 {status} {words}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body


def _loopback(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    name = "127.0.0.1" if host == "localhost" else host.strip("[]")
    if not port.isdecimal() or int(port) > 65_535 or not host:
        raise UsageError(f"{address!r} is no place for metrics", hint=f"write it like {_HINT}")
    try:
        is_loopback = ipaddress.ip_address(name).is_loopback
    except ValueError:
        is_loopback = False
    if not is_loopback:
        raise UsageError(
            f"metrics of a node are given without a login, and {host!r} is not this machine alone",
            hint=f"use {_HINT}; other machines get them from the Master, or through a proxy that asks for a login",
        )
    return name, int(port)
