"""The process that gives downloads: `python -m holdfast.node.downloads.giver --home H --listener FD --link FD`.

Started by the agent when somebody comes, ended by itself when nobody has come for a while. It runs below the others in the order of the
kernel (`nice`), so that storing goes first.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import socket
import ssl
import sys
import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import uvicorn

from holdfast.core.clock import Clock, SystemClock, now
from holdfast.core.errors import UsageError
from holdfast.core.log import configure_logging
from holdfast.core.log_session import session_in
from holdfast.model.downloads import DownloadOrder
from holdfast.model.entry import display_path
from holdfast.model.jobs import Event, Severity
from holdfast.node.config import load_config
from holdfast.node.downloads.answers import Answers
from holdfast.node.downloads.book import DownloadBook
from holdfast.node.downloads.certificates import certificate_folder
from holdfast.node.downloads.gate import Gate
from holdfast.node.processes.worker_main import die_with_parent
from holdfast.node.workers.link import WorkerLink
from holdfast.node.workers.messages import EventNews
from holdfast.wire.identity import CERTIFICATE_FILE, KEY_FILE
from holdfast.wire.impatience import ImpatientProtocol

_IDLE_S = 300.0
_NICE = 5
_CONNECTIONS = 64


class _Server(uvicorn.Server):
    """The agent's link says when to end, not a signal."""

    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]
        return nullcontext()


class _Idle:
    """Ends the server when nobody has been answered for a while."""

    def __init__(self) -> None:
        self._timer: asyncio.TimerHandle | None = None
        self.server: uvicorn.Server | None = None

    def busy(self, count: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if count == 0:
            self._timer = asyncio.get_running_loop().call_later(_IDLE_S, self._end)

    def _end(self) -> None:
        if self.server is not None:
            self.server.should_exit = True


class _Certificates:
    """The port's certificate as it is on disk when somebody connects."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._stamp: tuple[str, int, int] | None = None
        self._context: ssl.SSLContext | None = None
        self.context = self._newest()
        self.context.sni_callback = self._chosen

    def _newest(self) -> ssl.SSLContext:
        folder = certificate_folder(self._home)
        if folder is None:
            raise UsageError("the download port has no certificate yet", hint="the Master gives it one when somebody takes a link")
        cert, key = folder / CERTIFICATE_FILE, folder / KEY_FILE
        stamp = (str(folder), cert.stat().st_mtime_ns, key.stat().st_mtime_ns)
        if self._context is None or stamp != self._stamp:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            context.load_cert_chain(cert, key)
            self._stamp, self._context = stamp, context
        return self._context

    def _chosen(self, connection: ssl.SSLObject | ssl.SSLSocket, name: str | None, context: ssl.SSLContext) -> None:
        try:
            connection.context = self._newest()
        except (OSError, ssl.SSLError, UsageError):
            # A file that is being replaced: as before.
            return


async def give(home: Path, listener: socket.socket, link: WorkerLink, *, clock: Clock) -> None:
    """Answer whoever connects until the agent's link ends, or nobody has come for `_IDLE_S`. Raises `UsageError` without a certificate."""
    node = load_config(home).node

    def tell(code: str, severity: Severity, message: str, order: DownloadOrder) -> None:
        facts = {"user": order.user, "path": display_path(order.path), "dataset": order.dataset, "point": order.point, "link": order.id}
        link.send(EventNews(event=Event(code=code, severity=severity, message=message, node=node, time=now(clock), facts=facts)))

    book = DownloadBook(home / "downloads.db", clock=clock)
    try:
        idle = _Idle()
        config = uvicorn.Config(
            Answers(Gate(home, book), tell, idle.busy),
            lifespan="off",
            http=ImpatientProtocol,
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            limit_concurrency=_CONNECTIONS,
            timeout_graceful_shutdown=2,
        )
        config.load()
        config.ssl = _Certificates(home).context
        server = idle.server = _Server(config)
        idle.busy(0)
        loop = asyncio.get_running_loop()

        def wait_for_end() -> None:
            while link.receive() is not None:
                pass
            loop.call_soon_threadsafe(setattr, server, "should_exit", True)

        threading.Thread(target=wait_for_end, name="agent", daemon=True).start()
        await server.serve(sockets=[listener])
    finally:
        book.close()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="holdfast-downloads")
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--listener", type=int, required=True)
    parser.add_argument("--link", type=int, required=True)
    chosen = parser.parse_args(arguments)
    die_with_parent()
    os.nice(_NICE)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.umask(0o077)
    configure_logging(chosen.home / "log" / "downloads.log", session=session_in(chosen.home))
    link = WorkerLink(socket.socket(fileno=chosen.link))
    listener = socket.socket(fileno=chosen.listener)
    try:
        asyncio.run(give(chosen.home, listener, link, clock=SystemClock()))
    finally:
        link.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
