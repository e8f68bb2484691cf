"""How a worker process comes to be: as a program of its own, or forked by the fork server."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, Protocol

from holdfast.node.records.job_book import Role


class WorkerProcess(Protocol):
    """As `asyncio.subprocess.Process`, what of it a worker's supervisor needs."""

    @property
    def pid(self) -> int: ...

    @property
    def returncode(self) -> int | None:
        """None while it lives; minus a signal's number when that has ended it."""
        ...

    def terminate(self) -> None:
        """Raises `ProcessLookupError` when it has ended."""
        ...

    def kill(self) -> None:
        """Raises `ProcessLookupError` when it has ended."""
        ...

    async def wait(self) -> int: ...


Start = Callable[[Role, Path, int, int], Coroutine[Any, Any, WorkerProcess]]
"""Starts a worker of this role and home. The descriptors, which stay the caller's, are its end of the link and where its errors go."""

Command = Callable[[Role, Path, int], Sequence[str]]


def worker_arguments(role: Role, home: Path, credentials: Path | None = None) -> list[str]:
    """What `worker_main` is told, but for the descriptor. `credentials`: the folder in which systemd has laid passwords of repositories;
    only its name is in the arguments."""
    return [role, "--home", str(home), *(() if credentials is None else ("--credentials", str(credentials)))]


def worker_command(role: Role, home: Path, descriptor: int, credentials: Path | None = None) -> Sequence[str]:
    words = worker_arguments(role, home, credentials)
    return [sys.executable, "-m", "holdfast.node.processes.worker_main", *words, "--fd", str(descriptor)]


def as_program(command: Command = worker_command) -> Start:
    async def start(role: Role, home: Path, link: int, errors: int) -> WorkerProcess:
        return await asyncio.create_subprocess_exec(
            *command(role, home, link),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=errors,
            stderr=errors,
            pass_fds=(link,),
            start_new_session=True,
        )

    return start
