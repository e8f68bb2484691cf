"""Dialling another node's data server."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any, Literal

import grpc

from holdfast.core.errors import HoldfastError, NotReachable
from holdfast.core.ids import NodeId
from holdfast.wire.data_server import SERVICE
from holdfast.wire.grpc_options import ACCEPTED, DEFAULT_KEEPALIVE, END, Keepalive, client_credentials, client_options, error_of
from holdfast.wire.identity import Credentials
from holdfast.wire.queue_channel import QueueChannel

Method = Literal["Deliver", "Read", "Line"]
# How long a close lets the peer take what was sent and end the session by itself.
CLOSE_GRACE_S = 3.0


def dial(
    address: str,
    credentials: Credentials,
    peer: NodeId,
    method: Method,
    connect_timeout_s: float = 10.0,
    keepalive: Keepalive = DEFAULT_KEEPALIVE,
) -> QueueChannel:
    """A session with the node `peer` at `address` (`host:port`). Returns when the peer has taken the session.

    Raises `NotReachable` (nobody there, or no answer in time) or `Refused` (it is not `peer`, is of another authority, or has revoked us).
    """
    transport = grpc.secure_channel(address, client_credentials(credentials), client_options(peer, keepalive))
    channel = _ClientChannel(address, peer, transport)
    channel.start(method, connect_timeout_s)
    return channel


class _ClientChannel(QueueChannel):
    def __init__(self, address: str, peer: NodeId, transport: grpc.Channel) -> None:
        super().__init__(peer)
        self._address = address
        self._transport: Any = transport
        self._answered = threading.Event()
        self._failure: HoldfastError | None = None
        self._closing = threading.Lock()
        self._closed = False

    def start(self, method: Method, connect_timeout_s: float) -> None:
        self._call = self._transport.stream_stream(f"/{SERVICE}/{method}")(self._drain())
        self._filler = threading.Thread(target=self._fill, name="data-client", daemon=True)
        self._filler.start()
        failure = self._failure if self._answered.wait(connect_timeout_s) else None
        if not self._answered.is_set():
            failure = NotReachable(
                f"{self._address} took no session within {connect_timeout_s:g} s",
                hint="check the network, and whether the other machine is busy with other deliveries",
                address=self._address,
            )
        if failure is not None:
            self._call.cancel()
            self.close()
            raise failure

    def close(self) -> None:
        with self._closing:
            if self._closed:
                return
            self._closed = True
        super().close()
        self._filler.join(CLOSE_GRACE_S)
        self._call.cancel()
        self._transport.close()

    def _drain(self) -> Iterator[bytes]:
        if (yield from self.drain()):
            yield END

    def _fill(self) -> None:
        try:
            if ACCEPTED not in [tuple(item) for item in self._call.initial_metadata()]:
                self._fail(error_of(self._call.code(), self._call.details() or "", self._address))
                return
            self._answered.set()
            for data in self._call:
                self._take(data)
            self.inbox.end()
            self.outbox.fail(NotReachable(f"{self.peer} ended the session", hint="see its log"), drop=True)
        except grpc.RpcError:
            self._fail(error_of(self._call.code(), self._call.details() or "", self._address))

    def _take(self, data: bytes) -> None:
        try:
            self.inbox.put(data, max(1, len(data)))
        except HoldfastError:
            # Closed on this side: go on reading to the end, so that the peer can finish what it is at.
            return

    def _fail(self, error: HoldfastError) -> None:
        if not self._answered.is_set():
            self._failure = error
            self._answered.set()
        self.broken(error)
