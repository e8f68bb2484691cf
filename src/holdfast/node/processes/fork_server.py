"""A process that has loaded all that workers need and forks them when the agent asks.

A worker is ready in milliseconds in place of a second of one processor, and the three processes of a node share the memory of the program.
The server is forked from the agent before that has a thread or an open door, and does nothing but fork, wait and signal. It dies with the
agent, and workers die with it. An agent whose server is gone starts its workers as programs of their own.

Over a pair of sockets, one JSON text a message: `{"number": N, "arguments": [...]}` with the two descriptors of `Start`, or
`{"signal": S, "pid": P}` one way; `{"number": N, "pid": P}`, where 0 = it could not be forked, and `{"pid": P, "code": C}` the other.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import json
import logging
import os
import selectors
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Never

from holdfast.core.ready_types import make_types_ready
from holdfast.node.processes.start import Start, WorkerProcess, as_program, worker_arguments, worker_command
from holdfast.node.processes.worker_main import die_with_parent
from holdfast.node.records.job_book import Role

logger = logging.getLogger(__name__)

_MOST_BYTES = 64 * 1024
_PR_SET_NAME = 15


@contextlib.contextmanager
def fork_server(credentials: Path | None = None) -> Iterator[Start]:
    """Forks the server at once: call it before the process has threads. To be used in one event loop."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    # What both have loaded now stays shared as long as neither's collector writes into it.
    gc.collect()
    gc.freeze()
    agent = os.getpid()
    if os.fork() == 0:
        ours.close()
        _end_with(_serve, theirs, agent)
    theirs.close()
    server = _Server(ours, credentials)
    try:
        yield server.start
    finally:
        ours.close()


class _Server:
    """The agent's side."""

    def __init__(self, line: socket.socket, credentials: Path | None) -> None:
        self._line = line
        self._credentials = credentials
        self._as_program = as_program(lambda role, home, descriptor: worker_command(role, home, descriptor, credentials))
        self._is_heard = False
        self._is_gone = False
        self._number = 0
        self._asked: dict[int, asyncio.Future[int]] = {}
        self._living: dict[int, _Forked] = {}

    async def start(self, role: Role, home: Path, link: int, errors: int) -> WorkerProcess:
        """As `Start` says."""
        loop = asyncio.get_running_loop()
        if not self._is_heard:
            self._is_heard = True
            self._line.setblocking(False)
            loop.add_reader(self._line, self._hear)
        self._number += 1
        answer = self._asked[self._number] = loop.create_future()
        message = {"number": self._number, "arguments": worker_arguments(role, home, self._credentials)}
        if not self._say(message, link, errors):
            return await self._as_program(role, home, link, errors)
        pid = await answer
        return self._living[pid] if pid else await self._as_program(role, home, link, errors)

    def signal(self, pid: int, number: int) -> None:
        """By the server, which knows whether the process is still there. Raises `ProcessLookupError` when it has ended."""
        if pid not in self._living or not self._say({"signal": number, "pid": pid}):
            raise ProcessLookupError(pid)

    def _say(self, message: dict[str, Any], *descriptors: int) -> bool:
        if self._is_gone:
            return False
        try:
            socket.send_fds(self._line, [json.dumps(message).encode()], descriptors)
        except OSError:
            # The end of the line is told by the reader, too, which tells all who wait.
            return False
        return True

    def _hear(self) -> None:
        try:
            said = self._line.recv(_MOST_BYTES)
        except BlockingIOError:
            return
        except OSError:
            said = b""
        if not said:
            self._end()
            return
        message = json.loads(said)
        pid = message["pid"]
        if "number" in message:
            if pid:
                self._living[pid] = _Forked(pid, self)
            _answer(self._asked.pop(message["number"]), pid)
        elif (ended := self._living.pop(pid, None)) is not None:
            ended.end(message["code"])

    def _end(self) -> None:
        asyncio.get_running_loop().remove_reader(self._line)
        self._is_gone = True
        logger.error("the fork server has died, and the workers with it: from now on they are started as programs of their own")
        for answer in self._asked.values():
            _answer(answer, 0)
        self._asked.clear()
        for process in self._living.values():
            process.end(-signal.SIGKILL)
        self._living.clear()


def _answer(asked: asyncio.Future[int], pid: int) -> None:
    # Who asked may have been cancelled: the agent ends, and with its link the worker.
    if not asked.done():
        asked.set_result(pid)


class _Forked:
    """A worker that the server has forked, as `WorkerProcess`."""

    def __init__(self, pid: int, server: _Server) -> None:
        self.pid = pid
        self._server = server
        self._ended = asyncio.get_running_loop().create_future()

    @property
    def returncode(self) -> int | None:
        return self._ended.result() if self._ended.done() else None

    def end(self, code: int) -> None:
        self._ended.set_result(code)

    def terminate(self) -> None:
        self._server.signal(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        self._server.signal(self.pid, signal.SIGKILL)

    async def wait(self) -> int:
        return int(await asyncio.shield(self._ended))


def _serve(line: socket.socket, agent: int) -> int:
    """The server's life: until the agent's end of the line is closed."""
    _die_with(agent)
    os.setsid()
    _call_itself("holdfast-forks", "holdfast", "fork-server", "of", str(agent))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    from holdfast.node.processes import worker_main  # noqa: F401
    from holdfast.node.source import worker as source_worker  # noqa: F401
    from holdfast.node.store import worker as store_worker  # noqa: F401

    make_types_ready()
    gc.collect()
    gc.freeze()
    with selectors.DefaultSelector() as selector:
        selector.register(line, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is not line:
                    _report_end(selector, line, key)
                    continue
                said, descriptors, _, _ = socket.recv_fds(line, _MOST_BYTES, 2)
                if not said:
                    return 0
                _obey(selector, line, json.loads(said), descriptors)


def _obey(selector: selectors.BaseSelector, line: socket.socket, message: dict[str, Any], descriptors: list[int]) -> None:
    if "signal" in message:
        # By the descriptor that holds the process: a number alone may be another's by now.
        for key in list(selector.get_map().values()):
            if key.data == message["pid"]:
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(key.fd, message["signal"])
        return
    link, errors = descriptors
    server = os.getpid()
    try:
        pid = os.fork()
    except OSError:
        # Too many processes, or no memory: what runs goes on.
        traceback.print_exc()
        pid = -1
    if pid == 0:
        # What the server has open is none of the worker's: the line, and descriptors of its other children.
        for key in list(selector.get_map().values()):
            os.close(key.fd)
        selector.close()
        _end_with(_become_worker, message["arguments"], link, errors, server)
    os.close(link)
    os.close(errors)
    if pid > 0:
        selector.register(os.pidfd_open(pid), selectors.EVENT_READ, pid)
    line.send(json.dumps({"number": message["number"], "pid": max(pid, 0)}).encode())


def _report_end(selector: selectors.BaseSelector, line: socket.socket, key: selectors.SelectorKey) -> None:
    selector.unregister(key.fileobj)
    os.close(key.fd)
    _, status = os.waitpid(key.data, 0)
    line.send(json.dumps({"pid": key.data, "code": os.waitstatus_to_exitcode(status)}).encode())


def _become_worker(arguments: list[str], link: int, errors: int, server: int) -> int:
    from holdfast.node.processes import worker_main

    _die_with(server)
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDONLY)
    for number, opened in enumerate((nothing, errors, errors)):
        os.dup2(opened, number)
    os.close(nothing)
    os.close(errors)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    _call_itself(f"holdfast-{arguments[0]}", "holdfast.node.processes.worker_main", *arguments)
    return worker_main.main([*arguments, "--fd", str(link)])


def _end_with(work: Any, *arguments: object) -> Never:
    """A forked process never returns into what its parent was at."""
    code = 1
    try:
        code = work(*arguments)
        # As an interpreter does at its end: threads that are no daemons come to theirs (so does multiprocessing in what it forks).
        threading._shutdown()  # type: ignore[attr-defined]
        logging.shutdown()
    except BaseException:  # noqa: BLE001
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _die_with(parent: int) -> None:
    die_with_parent()
    if os.getppid() != parent:
        os._exit(1)


def _call_itself(name: str, *words: str) -> None:
    """What `ps` shows: the name (15 bytes), and the command line, written over that of the agent as far as there is room, between
    `arg_start` and `arg_end` of proc_pid_stat(5)."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_NAME, name.encode()[:15], 0, 0, 0)
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    start, end = int(fields[45]), int(fields[46])
    if 0 < start < end:
        line = "\0".join(words).encode(errors="surrogateescape")[: end - start - 1]
        ctypes.memmove(start, line.ljust(end - start, b"\0"), end - start)
