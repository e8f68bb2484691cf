"""The agent's part of downloads: it holds the port, and starts the process that gives them when somebody comes.

Nobody comes for days on most machines, so nothing runs there until then. A process that dies takes nothing along; the next who comes
starts another.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from holdfast.core.clock import Clock
from holdfast.core.errors import ErrorFacts, HoldfastError, NotReachable, ProtocolError
from holdfast.core.private_files import make_private_folder, open_to_append
from holdfast.model.downloads import AskDownloadPort, DownloadPort
from holdfast.model.jobs import Event
from holdfast.model.rules import Rules
from holdfast.node.bounds.limits import is_vault
from holdfast.node.config import NodeConfig, download_place
from holdfast.node.downloads.certificates import certificate_folder, has_own, request_for, take
from holdfast.node.downloads.gate import check_allowed
from holdfast.node.workers.link import MAX_MESSAGE_BYTES, decode_from_worker
from holdfast.node.workers.messages import EventNews
from holdfast.wire.framing import read_frame

logger = logging.getLogger(__name__)

_AGAIN_S = 2.0
_TERMINATE_S, _KILL_S = 2.0, 1.0


def _giver_command(home: Path, listener: int, link: int) -> Sequence[str]:
    return [sys.executable, "-m", "holdfast.node.downloads.giver", "--home", str(home), "--listener", str(listener), "--link", str(link)]


class DownloadDoor:
    """On the agent's event loop. `on_event` gets what is to be in the log that people read."""

    def __init__(self, home: Path, config: NodeConfig, on_event: Callable[[Event], None], *, clock: Clock) -> None:
        self._home = home
        self._config = config
        self._on_event = on_event
        self._clock = clock
        self._listener: socket.socket | None = None
        self._problem: ErrorFacts | None = None
        self._owns_any = False
        self._process: asyncio.subprocess.Process | None = None
        self._changed = asyncio.Event()
        self._stopping = False

    @property
    def pid(self) -> int:
        return 0 if self._process is None or self._process.returncode is not None else self._process.pid

    def configure(self, rules: Rules) -> None:
        """Only an owner of repositories has something to give, and a vault opens no port."""
        self._owns_any = bool(rules.repositories) and not is_vault(self._home)
        self._changed.set()

    def answer(self, ask: AskDownloadPort) -> DownloadPort:
        """Where downloads are given, or why not. Never raises."""
        try:
            check_allowed(self._home)
            self._open()
            if self._listener is None:
                raise NotReachable("this node gives no downloads", hint="it was joined with --download-listen off, or owns no repository")
            host = self._config.download_host or ask.host
            if ask.certificate_pem and not has_own(self._home):
                take(self._home, ask.certificate_pem, host)
            csr_pem = request_for(self._home, host, self._clock)
        except HoldfastError as error:
            return DownloadPort(problem=error.facts())
        except OSError as error:
            return DownloadPort(problem=NotReachable(f"the download port cannot be made ready: {error}").facts())
        port = self._listener.getsockname()[1]
        return DownloadPort(port=port, host=self._config.download_host, csr_pem=csr_pem, own_certificate=has_own(self._home))

    async def run(self) -> None:
        """Until it is cancelled or stopped."""
        while not self._stopping:
            self._changed.clear()
            self._open()
            if self._listener is None:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), None if self._problem is None else _AGAIN_S)
                continue
            if await self._somebody_comes(self._listener):
                await self._answer_them(self._listener)

    async def stop(self) -> None:
        self._stopping = True
        self._changed.set()
        process = self._process
        if process is not None and process.returncode is None:
            for end, wait_s in ((process.terminate, _TERMINATE_S), (process.kill, _KILL_S)):
                with contextlib.suppress(ProcessLookupError):
                    end()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(process.wait(), wait_s)
                    break
        self._close()

    def _open(self) -> None:
        place = download_place(self._config)
        if place is None or not self._owns_any or self._stopping:
            self._close()
            return
        if self._listener is not None:
            return
        try:
            self._listener, self._problem = _listening(*place), None
        except OSError as error:
            problem = f"downloads cannot be given at {place[0]}:{place[1]}: {error.strerror}"
            if self._problem is None:
                logger.warning(problem)
            self._problem = NotReachable(problem, hint="free the port, or join with another --download-listen").facts()

    def _close(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    async def _somebody_comes(self, listener: socket.socket) -> bool:
        loop = asyncio.get_running_loop()
        came = asyncio.Event()
        loop.add_reader(listener, came.set)
        waits = [asyncio.ensure_future(came.wait()), asyncio.ensure_future(self._changed.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            return came.is_set()
        finally:
            loop.remove_reader(listener)
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)

    async def _answer_them(self, listener: socket.socket) -> None:
        if certificate_folder(self._home) is None:
            # Nobody has a link yet, so this is a stranger.
            with contextlib.suppress(OSError):
                listener.accept()[0].close()
            return
        try:
            code = await self._live_once(listener)
            end = "" if code == 0 else f"ended with {code}; see log/downloads.err"
        except OSError as error:
            end = f"could not be started: {error}"
        if end and not self._stopping:
            logger.error(f"the process that gives downloads {end}")
            await asyncio.sleep(_AGAIN_S)

    async def _live_once(self, listener: socket.socket) -> int:
        ours, theirs = socket.socketpair()
        with theirs:
            log_folder = make_private_folder(self._home / "log")
            with open(open_to_append(log_folder / "downloads.err"), "ab") as errors:
                self._process = process = await asyncio.create_subprocess_exec(
                    *_giver_command(self._home, listener.fileno(), theirs.fileno()),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=errors,
                    stderr=errors,
                    pass_fds=(listener.fileno(), theirs.fileno()),
                    start_new_session=True,
                )
        ours.setblocking(False)
        reader, writer = await asyncio.open_connection(sock=ours)
        try:
            while (body := await read_frame(reader, MAX_MESSAGE_BYTES)) is not None:
                message = decode_from_worker(body)
                if isinstance(message, EventNews):
                    self._on_event(message.event)
        except ProtocolError as error:
            logger.error("the process that gives downloads speaks another language", extra={"facts": {"error": error.message}})
            process.kill()
        finally:
            writer.close()
        return await process.wait()


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns the delay of small answers off only where the protocol is named.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(64)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener
