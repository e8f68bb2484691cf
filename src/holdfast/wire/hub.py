"""The long session between a node and its Master: grpc.aio with mutual TLS, service `holdfast.v1.Hub`.

No task or thread of ours per session beyond the handler's own coroutine, so thousands of idle nodes cost little.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Protocol
from urllib.parse import unquote

import grpc
import grpc.aio

from holdfast.core.errors import Conflict, HoldfastError, NotReachable, facts_of
from holdfast.core.ids import NodeId
from holdfast.wire.authority import MASTER_NAME
from holdfast.wire.codec import decode_hub, encode
from holdfast.wire.grpc_options import (
    ACCEPTED,
    END,
    HUB_KEEPALIVE,
    CredentialSource,
    client_credentials,
    client_options,
    error_of,
    peer_of,
    server_credentials,
    server_options,
)
from holdfast.wire.hub_messages import Farewell, HubMessage
from holdfast.wire.identity import Credentials

SERVICE = "holdfast.v1.Hub"
CLOSE_GRACE_S = 2.0
DIAL_TIMEOUT_S = 30.0
"""Long, since a Master that comes back has thousands of handshakes to make, and who gives up in the queue has to be served twice."""
logger = logging.getLogger(__name__)
# The type stubs do not know this part of gRPC's asyncio interface.
_aio: Any = grpc.aio
_EOF = _aio.EOF
_BROKEN = (grpc.RpcError, grpc.aio.BaseError, asyncio.InvalidStateError)
"""What gRPC says of a stream that has ended, or ends meanwhile: to a client the first, to a server the second."""


class _Pipe(Protocol):
    """What the two ends of a gRPC stream have in common."""

    async def read(self) -> Any: ...

    async def write(self, message: bytes, /) -> None: ...


class HubStream:
    """One session. Any number of tasks may `send`; one task may `receive`. Errors as in `channel.Channel`; `close` is idempotent
    and wakes the receiver, which then gets None. `host`: where the peer dials from, where this end was dialled."""

    def __init__(self, peer: NodeId, pipe: _Pipe, address: str) -> None:
        self.peer = peer
        self.key_id = ""
        self.host = ""
        self._pipe = pipe
        self._address = address
        self._sending = asyncio.Lock()
        self._is_closed = False
        # Done when this end is closed; only while somebody receives.
        self._closing: asyncio.Future[None] | None = None
        self._reading: asyncio.Future[Any] | None = None

    async def send(self, message: HubMessage) -> None:
        data = encode(message)
        async with self._sending:
            if self._is_closed:
                raise NotReachable("this end was closed", hint="open a new session")
            try:
                await self._pipe.write(data)
            except _BROKEN as error:
                raise self._failure(error) from error
            except asyncio.CancelledError:
                if _is_cancelled():
                    raise
                # Not who sends was cancelled, but the call, by who closed this end.
                raise NotReachable("this end was closed", hint="open a new session") from None

    async def receive(self) -> HubMessage | None:
        """The next message; None when the peer closed in order, or this end was closed."""
        if self._is_closed:
            return None
        if self._reading is None:
            self._reading = asyncio.ensure_future(self._pipe.read())
        # Kept here as well: whoever closes this end meanwhile takes it back. One future for all messages: a task for each would cost as
        # much as the message itself.
        reading = self._reading
        if self._closing is None:
            self._closing = asyncio.get_running_loop().create_future()
        await asyncio.wait({reading, self._closing}, return_when=asyncio.FIRST_COMPLETED)
        if self._reading is not reading or not reading.done():
            return None
        self._reading = None
        try:
            data = reading.result()
        except _BROKEN as error:
            raise self._failure(error) from error
        except asyncio.CancelledError:
            raise NotReachable(f"{self._address} is gone", hint="check the network, and that the other machine is up") from None
        if data == END:
            return None
        if data is _EOF:
            await self._end()
            return None
        return decode_hub(data)

    async def close(self) -> None:
        self._is_closed = True
        if self._closing is not None and not self._closing.done():
            self._closing.set_result(None)

    async def release(self) -> None:
        """The call is over: take back the read that is still pending. Before, this would break the call off."""
        reading, self._reading = self._reading, None
        if reading is not None:
            reading.cancel()
            await asyncio.wait({reading})
            if not reading.cancelled():
                reading.exception()

    async def _end(self) -> None:
        """Nothing more comes. A client that went in order would have said so; what is left is that it died."""
        raise NotReachable(f"{self._address} is gone", hint="check the network, and that the other machine is up")

    def _failure(self, error: BaseException) -> HoldfastError:
        if isinstance(error, grpc.aio.AioRpcError):
            return error_of(error.code(), error.details() or "", self._address)
        return NotReachable(f"{self._address} is gone", hint="check the network, and that the other machine is up")


class _ClientStream(HubStream):
    def __init__(self, address: str, name: str, transport: Any, call: Any) -> None:
        super().__init__(NodeId(name), call, address)
        self._transport = transport
        self._call = call

    async def close(self) -> None:
        if self._is_closed:
            return
        await super().close()
        try:
            async with asyncio.timeout(CLOSE_GRACE_S):
                await self._say_end()
            await asyncio.wait_for(asyncio.shield(self._call.code()), CLOSE_GRACE_S)
        except (*_BROKEN, TimeoutError):
            logger.debug("the hub session did not end in order")
        finally:
            self._call.cancel()
            await self.release()
            await self._transport.close()

    async def _say_end(self) -> None:
        # Behind a message that is under way. gRPC refuses a second write beside it and takes the call for ended on this end alone: it can
        # be cancelled no more, its connection stays, and the Master goes on with a node that is gone.
        async with self._sending:
            if not self._call.done():
                await self._call.write(END)
                await self._call.done_writing()

    async def _end(self) -> None:
        code = await self._call.code()
        if code is not grpc.StatusCode.OK:
            raise error_of(code, await self._call.details() or "", self._address)


async def dial_hub(address: str, credentials: Credentials, master_name: str = MASTER_NAME) -> HubStream:
    """A session with the Master at `address`. Raises `NotReachable`, or `Refused` when it is another Master or has revoked us."""
    transport: Any = _aio.secure_channel(address, client_credentials(credentials), client_options(master_name, HUB_KEEPALIVE))
    call = transport.stream_stream(f"/{SERVICE}/Session")()
    try:
        metadata = await asyncio.wait_for(call.initial_metadata(), DIAL_TIMEOUT_S)
        accepted = ACCEPTED in [tuple(item) for item in metadata]
        failure = None if accepted else error_of(await call.code(), await call.details() or "", address)
    except TimeoutError:
        failure = error_of(grpc.StatusCode.DEADLINE_EXCEEDED, f"no session within {DIAL_TIMEOUT_S:g} s", address)
    except grpc.RpcError:
        failure = error_of(await call.code(), await call.details() or "", address)
    if failure is not None:
        call.cancel()
        await transport.close()
        raise failure
    return _ClientStream(address, master_name, transport, call)


class HubServer:
    """The Master's end. `on_session` runs once per session; when it returns the session ends, when it raises the node gets a `Farewell`.

    `revoked` is asked with the key id at each new session; an open one ends when its handler says so.
    """

    def __init__(
        self,
        address: str,
        credentials: CredentialSource,
        on_session: Callable[[HubStream], Awaitable[None]],
        revoked: Callable[[str], bool],
    ) -> None:
        self._address = address
        self._credentials = credentials
        self._on_session = on_session
        self._revoked = revoked
        self._sessions: dict[HubStream, asyncio.Task[Any]] = {}

    async def start(self) -> int:
        """The port it listens on. Raises `Conflict` when it is taken."""
        self._server = grpc.aio.server(options=server_options(HUB_KEEPALIVE))
        handler = grpc.stream_stream_rpc_method_handler(self._session)
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {"Session": handler}),))
        try:
            port = self._server.add_secure_port(self._address, server_credentials(self._credentials))
        except RuntimeError as error:
            raise Conflict(f"cannot listen on {self._address}", hint="another program has this port; choose one with --port") from error
        await self._server.start()
        return int(port)

    async def stop(self, grace_s: float = 2.0) -> None:
        for stream in list(self._sessions):
            await stream.close()
        await self._server.stop(grace_s)

    async def _session(self, _requests: object, context: Any) -> None:
        try:
            peer, key_id = peer_of(context.auth_context())
        except HoldfastError as error:
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, error.message)
            return
        if self._revoked(key_id):
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, "the key of this node was revoked")
        stream = HubStream(peer, context, peer)
        stream.key_id = key_id
        stream.host = _host_in(context.peer())
        await context.send_initial_metadata((ACCEPTED,))
        task = asyncio.ensure_future(self._run(stream))
        self._sessions[stream] = task
        try:
            await task
        finally:
            del self._sessions[stream]
            await stream.close()
            await stream.release()

    async def _run(self, stream: HubStream) -> None:
        try:
            await self._on_session(stream)
        except HoldfastError as error:
            await _say_farewell(stream, error)
        except Exception as error:
            logger.exception("a hub session failed", extra={"facts": {"peer": stream.peer}})
            await _say_farewell(stream, error)


def _is_cancelled() -> bool:
    """Whether the task that runs is to end."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


def _host_in(peer: str) -> str:
    """The address in what gRPC calls a peer: `ipv4:192.0.2.1:40000`, `ipv6:[2001:db8::1]:40000` (its brackets percent-encoded)."""
    kind, _, place = unquote(peer).partition(":")
    return place.rpartition(":")[0].strip("[]") if kind in ("ipv4", "ipv6") else ""


async def _say_farewell(stream: HubStream, error: BaseException) -> None:
    try:
        await stream.send(Farewell(error=facts_of(error)))
    except HoldfastError:
        # The node is gone, which is often why the handler failed: nobody is left to tell.
        logger.info("a hub session ended", extra={"facts": {"peer": stream.peer, "error": str(error)}})
