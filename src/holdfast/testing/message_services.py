"""Services that take messages, for tests of notifications: a web hook and a mail server, real ones, on loopback ports of their own."""

from __future__ import annotations

import asyncio
import email
import email.policy
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any


@dataclass
class WebHook:
    """What was posted to it, oldest first. `status`: what it answers; not 200 = it takes nothing. `paths`: what was asked for. `asked`: it
    was; `answers`: cleared, it hangs."""

    port: int = 0
    status: int = 200
    taken: list[dict[str, Any]] = field(default_factory=list)
    refused: int = 0
    paths: list[str] = field(default_factory=list)
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    answers: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = next(int(line.split(":")[1]) for line in head.splitlines() if line.lower().startswith("content-length"))
        body = json.loads(await reader.readexactly(length))
        self.paths.append(head.split(" ", 2)[1])
        self.asked.set()
        await self.answers.wait()
        if self.status == 200:
            self.taken.append(body)
        else:
            self.refused += 1
        writer.write(f"HTTP/1.1 {self.status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
        writer.close()


@dataclass
class MailServer:
    port: int = 0
    taken: list[EmailMessage] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """As much of RFC 5321 as a client needs that logs in nowhere."""
        writer.write(b"220 mail.test\r\n")
        while line := await reader.readline():
            word = line.split(b" ", 1)[0].strip().upper()
            if word == b"DATA":
                writer.write(b"354 go on\r\n")
                content = (await reader.readuntil(b"\r\n.\r\n")).removesuffix(b".\r\n")
                self.taken.append(email.message_from_bytes(content, policy=email.policy.default))
            writer.write(b"221 bye\r\n" if word == b"QUIT" else b"250 ok\r\n")
            if word == b"QUIT":
                break
        writer.close()


@asynccontextmanager
async def web_hook() -> AsyncIterator[WebHook]:
    hook = WebHook()
    hook.answers.set()
    server = await asyncio.start_server(hook.serve, "127.0.0.1", 0)
    async with server:
        hook.port = server.sockets[0].getsockname()[1]
        yield hook


@asynccontextmanager
async def mail_server() -> AsyncIterator[MailServer]:
    mail = MailServer()
    server = await asyncio.start_server(mail.serve, "127.0.0.1", 0)
    async with server:
        mail.port = server.sockets[0].getsockname()[1]
        yield mail
