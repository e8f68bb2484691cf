"""The node's data server: gRPC with mutual TLS, service `holdfast.v1.Data`, one thread of ours per session."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc

from holdfast.core.errors import Conflict, HoldfastError, NotReachable, facts_of
from holdfast.core.ids import NodeId
from holdfast.wire.channel import Channel
from holdfast.wire.data_messages import Stopped
from holdfast.wire.grpc_options import ACCEPTED, END, CredentialSource, peer_of, server_credentials, server_options
from holdfast.wire.queue_channel import QueueChannel

SERVICE = "holdfast.v1.Data"
Handler = Callable[[Channel], None]
logger = logging.getLogger(__name__)


def run_handler(handler: Handler, channel: Channel) -> None:
    """Serve one session to its end: an error becomes `Stopped`, and the channel is closed in any case."""
    try:
        handler(channel)
    except HoldfastError as error:
        _send_last(channel, error)
    except Exception as error:
        logger.exception("a data session failed", extra={"facts": {"peer": channel.peer}})
        _send_last(channel, error)
    finally:
        channel.close()


def _send_last(channel: Channel, error: BaseException) -> None:
    try:
        channel.send(Stopped(error=facts_of(error)))
    except HoldfastError:
        # The peer is gone, which is often why the handler failed: nobody is left to tell.
        logger.info("a data session ended", extra={"facts": {"peer": channel.peer, "error": str(error)}})


def _gone(peer: NodeId) -> NotReachable:
    return NotReachable(f"{peer} is gone", hint="check the network, and that the other machine is up")


class _ServerChannel(QueueChannel):
    """`key_id` is what revocation asks about."""

    def __init__(self, peer: NodeId, key_id: str, context: grpc.ServicerContext) -> None:
        super().__init__(peer)
        self.key_id = key_id
        self._context = context

    def fill(self, requests: Iterator[bytes]) -> None:
        try:
            for data in requests:
                if data == END:
                    self.inbox.end()
                    return
                self.inbox.put(data, len(data))
            self.broken(_gone(self.peer))
        except HoldfastError:
            return
        except Exception:  # noqa: BLE001 - gRPC raises a bare Exception when a call is cancelled
            self.broken(_gone(self.peer))

    def drop(self, error: HoldfastError) -> None:
        # In this order: a channel that breaks first would let the call end as if all were well.
        self._context.cancel()  # type: ignore[no-untyped-call]
        self.broken(error)


class DataServer:
    """Call `start` once, `stop` once. `deliver` and `read` run in a thread per session and may raise: the peer is told.

    `revoked` is asked with the caller's key id at each call, and again for open sessions by `recheck`.
    At most `workers` sessions run, half of them for one key; more wait for a place, and one key's are sent away to come again.
    """

    def __init__(
        self,
        address: str,
        credentials: CredentialSource,
        deliver: Handler,
        read: Handler,
        revoked: Callable[[str], bool],
        workers: int = 64,
    ) -> None:
        self._address = address
        self._revoked = revoked
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="data-session")
        self._sessions: set[_ServerChannel] = set()
        self._threads: set[threading.Thread] = set()
        self._most_of_one = max(2, workers // 2)
        self._guard = threading.Lock()
        self._server = grpc.server(self._pool, options=server_options())
        self._credentials = credentials
        methods = {"Deliver": self._method(deliver), "Read": self._method(read)}
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, methods),))

    def serve_lines(self, park: Callable[[QueueChannel], None]) -> None:
        """Also take lines, see `wire.lines`. Call it before `start`."""

        def serve(channel: Channel) -> None:
            if isinstance(channel, QueueChannel):
                park(channel)

        methods = {"Line": self._method(serve)}
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, methods),))

    def start(self) -> int:
        """The port it listens on. Raises `Conflict` when it is taken."""
        try:
            port = self._server.add_secure_port(self._address, server_credentials(self._credentials))
        except RuntimeError as error:
            raise Conflict(f"cannot listen on {self._address}", hint="another program has this port; choose one with --port") from error
        self._server.start()
        return port

    def stop(self, grace_s: float = 5.0) -> None:
        """Take no new sessions; those still open after `grace_s` are broken off."""
        self._server.stop(grace_s).wait()
        with self._guard:
            threads = list(self._threads)
        for thread in threads:
            thread.join(grace_s)
        self._pool.shutdown(wait=False)

    def recheck(self) -> None:
        """End the open sessions of keys that are revoked by now."""
        with self._guard:
            sessions = list(self._sessions)
        for session in sessions:
            if self._revoked(session.key_id):
                session.drop(NotReachable(f"the key of {session.peer} was revoked", hint="join that node again if it is to come back"))

    def _method(self, handler: Handler) -> grpc.RpcMethodHandler[bytes, bytes]:
        def serve(requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
            return self._session(handler, requests, context)

        return grpc.stream_stream_rpc_method_handler(serve)

    def _session(self, handler: Handler, requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        try:
            peer, key_id = peer_of(context.auth_context())
        except HoldfastError as error:
            context.abort(grpc.StatusCode.UNAUTHENTICATED, error.message)
        if self._revoked(key_id):
            context.abort(grpc.StatusCode.PERMISSION_DENIED, "the key of this node was revoked")
        channel = _ServerChannel(peer, key_id, context)
        with self._guard:
            if sum(session.key_id == key_id for session in self._sessions) < self._most_of_one:
                self._sessions.add(channel)
        if channel not in self._sessions:
            # So that one node, out of order or in wrong hands, does not keep all others out.
            context.abort(grpc.StatusCode.UNAVAILABLE, f"{self._most_of_one} sessions of this node are open already")
        if not context.add_callback(lambda: self._ended(channel)):
            self._ended(channel)
            return iter(())
        context.send_initial_metadata((ACCEPTED,))
        self._spawn(channel.fill, requests)
        self._spawn(run_handler, handler, channel)
        return channel.drain()

    def _ended(self, channel: _ServerChannel) -> None:
        with self._guard:
            self._sessions.discard(channel)
        channel.broken(_gone(channel.peer))

    def _spawn(self, run: Callable[..., None], *arguments: object) -> None:
        def body() -> None:
            try:
                run(*arguments)
            finally:
                with self._guard:
                    self._threads.discard(thread)

        thread = threading.Thread(target=body, name=f"data-{run.__name__}", daemon=True)
        with self._guard:
            self._threads.add(thread)
        thread.start()
