"""The data channel inside one machine: a Unix socket for messages, shared memory for the chunks they carry.

A frame on the socket is a header (length of the body, kind, region in the arena) and a body (msgpack). Of a `Carried` whose chunks lie in
the arena, the body holds each chunk's length in place of its bytes. An orderly end is a frame of its own, so that a killed process is
not mistaken for one.
"""

from __future__ import annotations

import logging
import os
import select
import socket
import struct
import threading
import time
from contextlib import suppress
from pathlib import Path

import msgspec

from holdfast.core.errors import HoldfastError, NotReachable, ProtocolError
from holdfast.core.ids import NodeId
from holdfast.wire.arena import ARENA_BYTES, Arena, Region, marked_of
from holdfast.wire.codec import MAX_MESSAGE_BYTES, check_data, decode_unchecked, encode
from holdfast.wire.data_client import Method
from holdfast.wire.data_messages import Carried, DataMessage
from holdfast.wire.data_server import Handler, run_handler
from holdfast.wire.queue_channel import closed_here
from holdfast.wire.unix_socket import check_owner, connect_to, listen_on

_HEADER = struct.Struct("<IBQQ")
_PLAIN, _IN_ARENA, _END = 0, 1, 2
_GREETING = struct.Struct("<16s16s")
_MAGIC = b"holdfast local 1"
_HANDSHAKE_S = 10.0
logger = logging.getLogger(__name__)


def dial_local(path: Path, method: Method, node: NodeId, arena_bytes: int = ARENA_BYTES) -> LocalChannel:
    """A session with this same node's store worker. Raises `NotReachable` when it does not listen."""
    connection = connect_to(path)
    arena = Arena.create(arena_bytes)
    try:
        socket.send_fds(connection, [_GREETING.pack(_MAGIC, method.encode())], list(arena.descriptors))
    except OSError as error:
        connection.close()
        arena.close()
        raise NotReachable(f"{path} hung up: {error.strerror}", hint="see the node's log") from error
    return LocalChannel(connection, arena, node, writes=method != "Read")


class LocalChannel:
    """`writes`: this end puts chunks into the arena; the other end takes them out."""

    def __init__(self, connection: socket.socket, arena: Arena, node: NodeId, *, writes: bool) -> None:
        self._socket = connection
        self._arena = arena
        self._node = node
        self._writes = writes
        self._sending = threading.Lock()
        self._guard = threading.Lock()
        self._users = 0
        self._closed = False
        self._ended = False

    @property
    def peer(self) -> NodeId:
        return self._node

    @property
    def trusted(self) -> bool:
        return True

    def send(self, message: DataMessage) -> None:
        self._enter()
        try:
            with self._sending:
                self._send(message)
        except OSError as error:
            raise self._gone(error) from error
        finally:
            self._leave()

    def receive(self, timeout_s: float | None = None) -> DataMessage | None:
        self._enter()
        try:
            return None if self._ended else self._receive(timeout_s)
        except OSError as error:
            raise self._gone(error) from error
        finally:
            self._leave()

    def close(self) -> None:
        with self._guard:
            if self._closed:
                return
            self._closed = True
            self._users += 1
        if self._sending.acquire(blocking=False):
            try:
                with suppress(OSError):
                    self._send_end()
            finally:
                self._sending.release()
        # Not closed but shut down, which wakes both threads; the last one out releases the descriptors.
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._leave()

    def _send(self, message: DataMessage) -> None:
        if self._writes and isinstance(message, Carried) and message.payloads:
            total = sum(len(payload.data) for payload in message.payloads)
            if self._arena.fits(total):
                region = self._place([payload.data for payload in message.payloads], total)
                body = encode(msgspec.structs.replace(message, payloads=marked_of(message.payloads)))
                self._socket.sendall(_HEADER.pack(len(body), _IN_ARENA, region.offset, region.span) + body)
                return
        body = encode(message)
        self._socket.sendall(_HEADER.pack(len(body), _PLAIN, 0, 0))
        self._socket.sendall(body)

    def _send_end(self) -> None:
        poll = select.poll()
        poll.register(self._socket, select.POLLOUT)
        if poll.poll(1000):
            self._socket.send(_HEADER.pack(0, _END, 0, 0), socket.MSG_DONTWAIT)

    def _place(self, pieces: list[bytes], total: int) -> Region:
        """Waits for room: this is the back-pressure of the arena."""
        poll = None
        while (region := self._arena.place(pieces, total)) is None:
            if poll is None:
                poll = select.poll()
                poll.register(self._arena.freed_fd, select.POLLIN)
                poll.register(self._socket, select.POLLRDHUP)
            if any(descriptor != self._arena.freed_fd for descriptor, _ in poll.poll()):
                raise NotReachable("the other process closed the channel", hint="see the node's log")
        return region

    def _receive(self, timeout_s: float | None) -> DataMessage | None:
        if timeout_s is not None:
            poll = select.poll()
            poll.register(self._socket, select.POLLIN)
            if not poll.poll(timeout_s * 1000):
                raise NotReachable(f"no message from the other process within {timeout_s:g} s", hint="it hangs; see the node's log")
        header = self._read(_HEADER.size)
        length, kind, offset, span = _HEADER.unpack(header)
        if kind == _END:
            self._ended = True
            return None
        if kind not in (_PLAIN, _IN_ARENA) or length > MAX_MESSAGE_BYTES:
            raise ProtocolError(f"a frame of kind {kind} and {length} bytes")
        message = decode_unchecked(self._read(length))
        if kind == _IN_ARENA:
            message = self._take(message, Region(offset, span))
        return check_data(message)

    def _take(self, message: DataMessage, region: Region) -> DataMessage:
        if not isinstance(message, Carried):
            raise ProtocolError("a region that belongs to no chunks")
        return msgspec.structs.replace(message, payloads=self._arena.fill(message.payloads, region))

    def _read(self, size: int) -> bytes:
        parts = []
        while size:
            part = self._socket.recv(size, socket.MSG_WAITALL)
            if not part:
                raise NotReachable("the other process is gone", hint="see the node's log")
            parts.append(part)
            size -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _gone(self, error: OSError) -> HoldfastError:
        return closed_here() if self._closed else NotReachable(f"the other process is gone: {error.strerror}", hint="see the node's log")

    def _enter(self) -> None:
        with self._guard:
            if self._closed:
                raise closed_here()
            self._users += 1

    def _leave(self) -> None:
        with self._guard:
            self._users -= 1
            last = self._closed and not self._users
        if last:
            self._socket.close()
            self._arena.close()


class LocalServer:
    """Serves the sessions of this machine's own processes. `start` once; `stop` may be repeated."""

    def __init__(self, path: Path, deliver: Handler, read: Handler, node: NodeId) -> None:
        self._path = path
        self._handlers = {b"Deliver": deliver, b"Read": read}
        self._node = node
        self._guard = threading.Lock()
        self._sessions: dict[threading.Thread, LocalChannel | None] = {}
        self._listener: socket.socket | None = None

    def serve_lines(self, hand_on: Handler) -> None:
        """Also give lines, see `wire.lines`. Call it before `start`."""
        self._handlers[b"Line"] = hand_on

    def start(self) -> None:
        """Raises `Conflict` when another process serves this path."""
        self._listener = listen_on(self._path)
        self._acceptor = threading.Thread(target=self._accept, args=(self._listener,), name="local-accept", daemon=True)
        self._acceptor.start()

    def stop(self, grace_s: float = 5.0) -> None:
        """Take no new sessions; those still open after `grace_s` are broken off."""
        listener, self._listener = self._listener, None
        if listener is None:
            return
        # A name that a broken disk keeps is taken over by the next start; what follows must be done in any case.
        with suppress(OSError):
            self._path.unlink()
        listener.shutdown(socket.SHUT_RDWR)
        self._acceptor.join()
        listener.close()
        deadline = time.monotonic() + grace_s
        with self._guard:
            sessions = list(self._sessions)
        for thread in sessions:
            thread.join(max(0.0, deadline - time.monotonic()))
        with self._guard:
            channels = [channel for channel in self._sessions.values() if channel is not None]
        for channel in channels:
            channel.close()
        for thread in sessions:
            thread.join(grace_s)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(connection,), name="local-session", daemon=True)
            with self._guard:
                self._sessions[thread] = None
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        thread = threading.current_thread()
        try:
            channel, handler = self._greet(connection)
            with self._guard:
                self._sessions[thread] = channel
            run_handler(handler, channel)
        except (OSError, HoldfastError) as error:
            connection.close()
            logger.warning("a local session was refused", extra={"facts": {"error": str(error)}})
        finally:
            with self._guard:
                del self._sessions[thread]

    def _greet(self, connection: socket.socket) -> tuple[LocalChannel, Handler]:
        check_owner(connection)
        connection.settimeout(_HANDSHAKE_S)
        greeting, descriptors, _, _ = socket.recv_fds(connection, _GREETING.size, 2)
        connection.settimeout(None)
        try:
            magic, method = _GREETING.unpack(greeting)
            handler = self._handlers[method.rstrip(b"\0")]
            memory_fd, freed_fd = descriptors
        except (struct.error, KeyError, ValueError):
            for descriptor in descriptors:
                os.close(descriptor)
            raise ProtocolError("not a greeting of this version", hint="restart all processes of this node") from None
        if magic != _MAGIC:
            raise ProtocolError("not a greeting of this version", hint="restart all processes of this node")
        return LocalChannel(connection, Arena(memory_fd, freed_fd), self._node, writes=method.rstrip(b"\0") == b"Read"), handler
