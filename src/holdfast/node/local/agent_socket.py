"""Questions from this machine: `HOME/run/agent.sock`, answered to the agent's own user and root alone.

Messages are msgpack in frames (`wire.framing`); a connection may ask any number of questions, one after another.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from holdfast.core.errors import HoldfastError, NotAuthenticated, ProtocolError, facts_of
from holdfast.model.decoding import UNREADABLE
from holdfast.model.questions import Answer, Failed, Question
from holdfast.node.config import socket_path
from holdfast.wire.framing import frame, read_frame
from holdfast.wire.unix_socket import listen_on, peer_uid

logger = logging.getLogger(__name__)

_MAX_QUESTION_BYTES = 16 * 1024 * 1024

Answering = Callable[[Question], Awaitable[Answer]]


class LocalSocket:
    """Listens from `start` to `stop`."""

    def __init__(self, home: Path, answer: Answering) -> None:
        self._path = socket_path(home)
        self._answer = answer
        self._server: asyncio.AbstractServer | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Raises `Conflict` when another agent listens there; a dead one's socket is replaced."""
        self._server = await asyncio.start_unix_server(self._serve, sock=listen_on(self._path))

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._converse(reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        refusal = _refusal(writer)
        while True:
            try:
                body = await read_frame(reader, _MAX_QUESTION_BYTES)
                if body is None:
                    return
                answer = Failed(error=refusal.facts()) if refusal else await self._answer_one(body)
            except ProtocolError as error:
                answer = Failed(error=error.facts())
            writer.write(frame(msgspec.msgpack.encode(answer)))
            with contextlib.suppress(ConnectionError):
                await writer.drain()
            if isinstance(answer, Failed) and answer.error.code == ProtocolError.code:
                return

    async def _answer_one(self, body: bytes) -> Answer:
        try:
            question: Question = msgspec.msgpack.decode(body, type=Question)
        except UNREADABLE as error:
            raise ProtocolError(f"not a question: {error}", hint="command and agent must be of one version; restart the node") from error
        try:
            return await self._answer(question)
        except HoldfastError as error:
            return Failed(error=error.facts())
        except Exception as error:  # one bad question must not end the agent; the asker learns of it
            logger.exception("a question failed", extra={"facts": {"question": type(question).__name__}})
            return Failed(error=facts_of(error))


def _refusal(writer: asyncio.StreamWriter) -> NotAuthenticated | None:
    """Why this peer gets no answers; None = it is our own user or root."""
    peer: socket.socket = writer.get_extra_info("socket")
    if peer_uid(peer) in (0, os.getuid()):
        return None
    return NotAuthenticated("the agent answers its own user and root only", hint="run the command as that user")
