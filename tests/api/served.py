"""A Master on a loop of its own thread, for generated calls: Hypothesis draws in the test's thread, the Master answers in the other."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx

from tests.master.masters import Running, running_master

T = TypeVar("T")
CALL_TIMEOUT_S = 60.0


class Served:
    """`running` belongs to the loop's thread; `do` runs something there and waits for it."""

    def __init__(self, running: Running, loop: asyncio.AbstractEventLoop) -> None:
        self.running = running
        self._loop = loop

    def do(self, what: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(what, self._loop).result(CALL_TIMEOUT_S)

    def send(self, request: httpx.Request) -> httpx.Response:
        return self.do(self.running.http.send(request))


@contextmanager
def served_master(tmp_path: Path) -> Iterator[Served]:
    """A Master that runs meanwhile on another thread."""
    ready: Future[Served] = Future()
    loop = asyncio.new_event_loop()
    over = asyncio.Event()

    async def main() -> None:
        async with running_master(tmp_path) as running:
            ready.set_result(Served(running, loop))
            await over.wait()

    def run() -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: loop) as runner:
                runner.run(main())
        except BaseException as error:
            if ready.done():
                raise
            ready.set_exception(error)

    thread = threading.Thread(target=run, name="master of a test")
    thread.start()
    try:
        yield ready.result(CALL_TIMEOUT_S)
    finally:
        if not loop.is_closed():
            loop.call_soon_threadsafe(over.set)
        thread.join()
