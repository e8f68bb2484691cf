"""Blocks from a thread to the event loop: a few ahead of who takes them, and an end on both sides whatever the other does."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Iterator

_BLOCK_BYTES = 256 << 10
_AHEAD_BYTES = 8 << 20


class Pump:
    """Takes `blocks` in a thread of its own, small ones together. For one event loop; `stop` may be called at any time, more than once."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._loop = asyncio.get_running_loop()
        self._ready = asyncio.Event()
        self._room = threading.Condition()
        self._queue: deque[bytes] = deque()
        self._size = 0
        self._stopped = False
        self._ended = False
        self._error: BaseException | None = None
        self.finished = asyncio.Event()
        """Set when the thread touches the blocks no more."""
        threading.Thread(target=self._run, name="download", daemon=True).start()

    async def taken(self) -> AsyncIterator[bytes]:
        """Raises what the blocks raise."""
        while True:
            with self._room:
                block = self._queue.popleft() if self._queue else None
                if block is not None:
                    self._size -= len(block)
                    self._room.notify()
                elif self._error is not None:
                    raise self._error
                elif self._ended:
                    return
                else:
                    self._ready.clear()
            if block is not None:
                yield block
            else:
                await self._ready.wait()

    def stop(self) -> None:
        with self._room:
            self._stopped = True
            self._room.notify()

    def _run(self) -> None:
        try:
            for block in _joined(self._blocks):
                if not self._put(block):
                    break
        except BaseException as error:  # noqa: BLE001 - it is raised where somebody waits for it
            self._error = error
        finally:
            if hasattr(self._blocks, "close"):
                self._blocks.close()
            self._ended = True
            self._tell(self._ready)
            self._tell(self.finished)

    def _put(self, block: bytes) -> bool:
        with self._room:
            while self._size >= _AHEAD_BYTES and not self._stopped:
                self._room.wait()
            if self._stopped:
                return False
            self._queue.append(block)
            self._size += len(block)
        self._tell(self._ready)
        return True

    def _tell(self, event: asyncio.Event) -> None:
        try:
            self._loop.call_soon_threadsafe(event.set)
        except RuntimeError:
            # The loop has ended: nobody waits any more.
            self._stopped = True


def _joined(blocks: Iterator[bytes]) -> Iterator[bytes]:
    some: list[bytes] = []
    size = 0
    for block in blocks:
        some.append(block)
        size += len(block)
        if size >= _BLOCK_BYTES:
            yield some[0] if len(some) == 1 else b"".join(some)
            some, size = [], 0
    if some:
        yield b"".join(some)
