"""Connections to the API that bring no request do not stay."""

from __future__ import annotations

import asyncio
import socket

import pytest
import uvicorn

from holdfast.wire.impatience import ImpatientProtocol

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class Hasty(ImpatientProtocol):
    head_s = 0.05


async def app(scope: dict[str, object], receive: object, send: object) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})  # type: ignore[operator]
    await send({"type": "http.response.body", "body": b""})  # type: ignore[operator]


@pytest.mark.parametrize(("sent", "answers"), [(b"", 0), (b"GET / HT", 0), (REQUEST + b"GET /", 1)])
def test_who_does_not_finish_a_head_is_hung_up_on(sent: bytes, answers: int) -> None:
    async def main() -> bytes:
        listener = socket.create_server(("127.0.0.1", 0))
        config = uvicorn.Config(app, http=Hasty, ws="none", lifespan="off", log_config=None, access_log=False)  # type: ignore[arg-type]
        config.load()
        server = uvicorn.Server(config)
        server.lifespan = config.lifespan_class(config)
        await server.startup(sockets=[listener])
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        writer.write(sent)
        async with asyncio.timeout(60):
            said = await reader.read()
        writer.close()
        server.should_exit = True
        await server.shutdown(sockets=[listener])
        return said

    assert asyncio.run(main()).count(b"204 No Content") == answers
