"""Who writes a restore: this process, or for a large one several of their own beside it, so that none waits for another's Python.

A writer process gets its target and then works over an inherited socket, the chunks beside it in shared memory, and ends when the socket
is closed: at the end, when the restore is broken off, and when this process dies. What it was at is then finished or left as a temporary
file, which the next restore clears away.
"""

from __future__ import annotations

import os
import queue
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Protocol

import msgspec

from holdfast.core.errors import StoreError
from holdfast.model.change import Payload
from holdfast.model.decoding import UNREADABLE_FILE
from holdfast.operations.restore_work import Done, Hand, Work
from holdfast.wire.arena import Arena, Region, marked_of

# Works given to one writer ahead: while it writes one the next is on its way.
_AHEAD = 2
# Chunks of the works given to one writer; what finds no room goes over the socket, which copies it four times more.
_ARENA_BYTES = 4 << 20
# Of a body: its length, and the region of the arena that holds its chunks (a span of 0: they are in it).
_HEADER = struct.Struct("<IQQ")
_END_S = 10.0


class Crew(Protocol):
    """`done` gives what has been finished since it was last asked; with `wait` it waits for at least one, if anything is under way.

    Both raise `StoreError` when a writer is gone. `close` breaks off what is under way; nothing is written after it has returned.
    """

    def submit(self, work: Work) -> None: ...

    def done(self, *, wait: bool = False) -> Iterator[Done]: ...

    def close(self) -> None: ...


class HereCrew:
    """Writes in the caller's thread."""

    def __init__(self, target: bytes) -> None:
        self._hand = Hand(target)
        self._done: list[Done] = []

    def submit(self, work: Work) -> None:
        self._done.append(self._hand.do(work))

    def done(self, *, wait: bool = False) -> Iterator[Done]:
        finished, self._done = self._done, []
        return iter(finished)

    def close(self) -> None:
        self._hand.close()


class ProcessCrew:
    """`count` writer processes."""

    def __init__(self, target: bytes, count: int) -> None:
        self._finished: queue.SimpleQueue[tuple[int, Done | None]] = queue.SimpleQueue()
        self._ready: list[tuple[int, Done | None]] = []
        self._under_way = [0] * count
        self._writers: list[_Writer] = []
        try:
            for number in range(count):
                self._writers.append(_Writer(target, number, self._finished))
        except BaseException:
            self.close()
            raise

    def submit(self, work: Work) -> None:
        """Waits while all writers have enough to do."""
        while min(self._under_way) >= _AHEAD:
            self._ready.append(self._take())
        number = self._under_way.index(min(self._under_way))
        self._writers[number].send(work)
        self._under_way[number] += 1

    def done(self, *, wait: bool = False) -> Iterator[Done]:
        if wait and not self._ready and any(self._under_way):
            self._ready.append(self._take())
        while not self._finished.empty():
            self._ready.append(self._take())
        finished, self._ready = self._ready, []
        for _, done in finished:
            if done is not None:
                yield done

    def close(self) -> None:
        for writer in self._writers:
            writer.hang_up()
        for writer in self._writers:
            writer.wait()

    def _take(self) -> tuple[int, Done | None]:
        number, done = self._finished.get()
        if done is None:
            raise _gone()
        self._under_way[number] -= 1
        return number, done


class _Writer:
    """One process and the thread that listens to it, which never lets it wait."""

    def __init__(self, target: bytes, number: int, finished: queue.SimpleQueue[tuple[int, Done | None]]) -> None:
        self._end, theirs = socket.socketpair()
        self._arena = Arena.create(_ARENA_BYTES)
        handed = (theirs.fileno(), *self._arena.descriptors)
        with theirs:
            command = [sys.executable, "-m", "holdfast.operations.restore_writer", os.fsdecode(target), *map(str, handed)]
            try:
                self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=handed, close_fds=True)
            except OSError as error:
                self._end.close()
                self._arena.close()
                raise StoreError(
                    f"a writer process cannot be started: {error.strerror}", hint="see the machine's limits of processes and memory"
                ) from error
        self._number = number
        self._encode = msgspec.msgpack.Encoder().encode
        self._finished = finished
        self._thread = threading.Thread(target=self._listen, name=f"restore-writer-{number}", daemon=True)
        self._thread.start()

    def send(self, work: Work) -> None:
        region = self._place(work.payloads)
        if region is not None:
            work = msgspec.structs.replace(work, payloads=marked_of(work.payloads))
        try:
            send_body(self._end, self._encode(work), region)
        except OSError as error:
            raise _gone() from error

    def _place(self, payloads: Sequence[Payload]) -> Region | None:
        """Where the chunks lie now; None = there is no room for them."""
        pieces = [payload.data for payload in payloads]
        size = sum(map(len, pieces))
        return self._arena.place(pieces, size) if self._arena.fits(size) else None

    def hang_up(self) -> None:
        with suppress(OSError):
            self._end.shutdown(socket.SHUT_WR)

    def wait(self) -> None:
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._thread.join()
        self._end.close()
        self._arena.close()

    def _listen(self) -> None:
        decode = msgspec.msgpack.Decoder(Done).decode
        with suppress(*UNREADABLE_FILE):
            while (received := receive(self._end)) is not None:
                self._finished.put((self._number, decode(received[0])))
        self._finished.put((self._number, None))


def send_body(end: socket.socket, body: bytes, region: Region | None = None) -> None:
    """Raises `OSError`."""
    end.sendall(_HEADER.pack(len(body), *((region.offset, region.span) if region is not None else (0, 0))) + body)


def receive(end: socket.socket) -> tuple[bytes, Region | None] | None:
    """The next body, and where its chunks lie; None when the other end has closed or died. Raises `OSError`."""
    head = end.recv(_HEADER.size, socket.MSG_WAITALL)
    if len(head) < _HEADER.size:
        return None
    size, offset, span = _HEADER.unpack(head)
    body = end.recv(size, socket.MSG_WAITALL)
    while len(body) < size:
        more = end.recv(size - len(body), socket.MSG_WAITALL)
        if not more:
            return None
        body += more
    return body, Region(offset, span) if span else None


def serve(end: socket.socket, arena: Arena, target: bytes) -> None:
    """The writer's side, until the other end closes."""
    encode = msgspec.msgpack.Encoder().encode
    decode = msgspec.msgpack.Decoder(Work).decode
    hand = Hand(target)
    try:
        while (received := receive(end)) is not None:
            body, region = received
            work = decode(body)
            if region is not None:
                work = msgspec.structs.replace(work, payloads=arena.fill(work.payloads, region))
            del body, received
            send_body(end, encode(hand.do(work)))
    finally:
        hand.close()


def _gone() -> StoreError:
    return StoreError("a writer process of the restore has died", hint="see the node's log, then run it again: it goes on from there")
