"""Every channel answers for the same promises; then what each transport promises beyond them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from holdfast.core.clock import SystemClock
from holdfast.core.errors import Conflict, NotReachable, ProtocolError, Refused
from holdfast.core.ids import NodeId
from holdfast.testing.channel_suite import OPEN, WAIT_S, ChannelSuite, in_thread
from holdfast.testing.identities import credentials_for
from holdfast.testing.memory_action import payload_of
from holdfast.testing.memory_channel import memory_pair
from holdfast.wire.authority import Authority
from holdfast.wire.channel import Channel
from holdfast.wire.data_client import dial
from holdfast.wire.data_messages import Carried, Stopped
from holdfast.wire.data_server import DataServer
from holdfast.wire.grpc_options import Keepalive
from holdfast.wire.identity import Credentials, key_id_of
from holdfast.wire.local import LocalServer, dial_local

SERVER, CLIENT, OTHER = NodeId("5" * 32), NodeId("c" * 32), NodeId("0" * 32)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.create(clock=SystemClock())


class Held:
    """A handler that hands its channel to the test and keeps the session until released."""

    def __init__(self) -> None:
        self.arrived = threading.Semaphore(0)
        self.release = threading.Event()
        self.channels: list[Channel] = []

    def __call__(self, channel: Channel) -> None:
        self.channels.append(channel)
        self.arrived.release()
        assert self.release.wait(60)

    def take(self) -> Channel:
        assert self.arrived.acquire(timeout=WAIT_S)
        return self.channels[-1]


def fails(channel: Channel) -> None:
    raise Conflict("no such thing today", hint="come back tomorrow", peer=channel.peer)


@contextmanager
def data_server(authority: Authority, handler: Held, revoked: frozenset[str] = frozenset()) -> Iterator[tuple[DataServer, str]]:
    server = DataServer("127.0.0.1:0", credentials_for(authority, SERVER), handler, fails, revoked.__contains__, workers=4)
    address = f"127.0.0.1:{server.start()}"
    try:
        yield server, address
    finally:
        handler.release.set()
        server.stop(0.5)


class TestMemoryChannel(ChannelSuite):
    @contextmanager
    def pair(self) -> Iterator[tuple[Channel, Channel]]:
        here, there = memory_pair(CLIENT, SERVER)
        yield here, there
        here.close()
        there.close()


class TestGrpcChannel(ChannelSuite):
    @pytest.fixture(autouse=True)
    def _authority(self, authority: Authority) -> None:
        self.authority = authority

    @contextmanager
    def pair(self) -> Iterator[tuple[Channel, Channel]]:
        held = Held()
        with data_server(self.authority, held) as (_, address):
            here = dial(address, credentials_for(self.authority, CLIENT), SERVER, "Deliver")
            there = held.take()
            assert (here.peer, there.peer, here.trusted, there.trusted) == (SERVER, CLIENT, False, False)
            yield here, there
            held.release.set()
            here.close()


class TestLocalChannel(ChannelSuite):
    method = "Deliver"

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.path = tmp_path / "run" / "data.sock"

    @contextmanager
    def pair(self) -> Iterator[tuple[Channel, Channel]]:
        held = Held()
        server = LocalServer(self.path, held, held, CLIENT)
        server.start()
        here = dial_local(self.path, "Deliver", CLIENT)
        there = held.take()
        assert (here.peer, there.peer, here.trusted, there.trusted) == (CLIENT, CLIENT, True, True)
        yield here, there
        held.release.set()
        here.close()
        server.stop(1)


class TestLocalChannelWithASmallArena(TestLocalChannel):
    """Chunks larger than the arena travel in the message."""

    @contextmanager
    def pair(self) -> Iterator[tuple[Channel, Channel]]:
        held = Held()
        server = LocalServer(self.path, held, held, CLIENT)
        server.start()
        here = dial_local(self.path, "Deliver", CLIENT, arena_bytes=1 << 20)
        yield here, held.take()
        held.release.set()
        here.close()
        server.stop(1)


def test_data_server_tells_the_peer_what_its_handler_raised(authority: Authority) -> None:
    with data_server(authority, Held()) as (_, address):
        channel = dial(address, credentials_for(authority, CLIENT), SERVER, "Read")
        stopped = channel.receive(WAIT_S)
        assert isinstance(stopped, Stopped)
        assert (stopped.error.code, stopped.error.hint, stopped.error.context) == ("conflict", "come back tomorrow", {"peer": CLIENT})
        assert channel.receive(WAIT_S) is None
        channel.close()


def test_dial_says_that_nobody_listens() -> None:
    authority = Authority.create(clock=SystemClock())
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        with pytest.raises(NotReachable, match="nothing listens on"):
            dial(f"127.0.0.1:{free.getsockname()[1]}", credentials_for(authority, CLIENT), SERVER, "Deliver", 5.0)


def test_dial_gives_up_on_a_peer_that_never_answers(authority: Authority) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(NotReachable, match="took no session within"):
            dial(f"127.0.0.1:{silent.getsockname()[1]}", credentials_for(authority, CLIENT), SERVER, "Deliver", 0.1)


def test_another_node_at_the_address_is_refused(authority: Authority) -> None:
    with data_server(authority, Held()) as (_, address), pytest.raises(Refused, match="not who it should be"):
        dial(address, credentials_for(authority, CLIENT), OTHER, "Deliver")


def test_a_client_of_another_authority_is_refused_on_both_sides(authority: Authority) -> None:
    held, foreign = Held(), credentials_for(Authority.create(clock=SystemClock()), CLIENT)
    with data_server(authority, held) as (_, address):
        with pytest.raises(Refused):
            dial(address, foreign, SERVER, "Deliver")
        with pytest.raises((Refused, NotReachable)):
            dial(address, Credentials(foreign.key_pem, foreign.cert_pem, authority.ca_pem), SERVER, "Deliver")
        assert held.channels == []


def test_an_expired_certificate_is_refused(authority: Authority) -> None:
    held, expired = Held(), credentials_for(authority, CLIENT, lifetime_s=-10)
    with data_server(authority, held) as (_, address):
        with pytest.raises((Refused, NotReachable)):
            dial(address, expired, SERVER, "Deliver")
        assert held.channels == []


def test_a_revoked_key_is_refused(authority: Authority) -> None:
    credentials = credentials_for(authority, CLIENT)
    with (
        data_server(authority, Held(), frozenset({key_id_of(credentials.cert_pem)})) as (_, address),
        pytest.raises(Refused, match="revoked"),
    ):
        dial(address, credentials, SERVER, "Deliver")


def test_revocation_ends_an_open_session(authority: Authority) -> None:
    held, revoked = Held(), set[str]()
    server = DataServer("127.0.0.1:0", lambda: server_credentials, held, held, revoked.__contains__)
    server_credentials = credentials_for(authority, SERVER)
    address = f"127.0.0.1:{server.start()}"
    bad, good = credentials_for(authority, CLIENT), credentials_for(authority, OTHER)
    channel = dial(address, bad, SERVER, "Deliver")
    there = held.take()
    spared = dial(address, good, SERVER, "Deliver")
    survivor = held.take()
    revoked.add(key_id_of(bad.cert_pem))
    server.recheck()
    with pytest.raises(NotReachable):
        there.receive(WAIT_S)
    with pytest.raises((NotReachable, Refused)):
        channel.receive(WAIT_S)
    spared.send(OPEN)
    assert survivor.receive(WAIT_S) == OPEN
    held.release.set()
    channel.close()
    spared.close()
    server.stop(0.5)


def test_a_taken_port_is_a_conflict(authority: Authority) -> None:
    with data_server(authority, Held()) as (_, address):
        second = DataServer(address, credentials_for(authority, SERVER), fails, fails, lambda key: False)
        with pytest.raises(Conflict):
            second.start()
        second.stop(0)


def test_a_peer_whose_network_dies_silently_is_noticed(authority: Authority) -> None:
    held = Held()
    with data_server(authority, held) as (_, address), _Relay(address) as relay:
        channel = dial(relay.address, credentials_for(authority, CLIENT), SERVER, "Deliver", 5.0, Keepalive(0.2, 0.3))
        channel.send(OPEN)
        assert held.take().receive(WAIT_S) == OPEN
        relay.cut()
        with pytest.raises(NotReachable):
            channel.receive(WAIT_S)
        channel.close()


class _Relay:
    """A TCP relay that can go silent without closing anything: a cable pulled."""

    def __init__(self, target: str) -> None:
        host, port = target.rsplit(":", 1)
        self._target = (host, int(port))
        self._cut = threading.Event()
        self._sockets: list[socket.socket] = []

    def __enter__(self) -> _Relay:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        in_thread(self._accept)
        return self

    def __exit__(self, *exc: object) -> None:
        for one in (self._listener, *self._sockets):
            one.close()

    def cut(self) -> None:
        self._cut.set()

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        server = socket.create_connection(self._target)
        self._sockets += [client, server]
        in_thread(lambda: self._copy(client, server))
        self._copy(server, client)

    def _copy(self, source: socket.socket, target: socket.socket) -> None:
        while data := source.recv(65_536):
            if not self._cut.is_set():
                target.sendall(data)


_KILLED = """
import sys, os, signal
from pathlib import Path
from holdfast.core.ids import NodeId
from holdfast.testing.channel_suite import OPEN
from holdfast.testing.memory_action import payload_of
from holdfast.wire.data_messages import Carried
from holdfast.wire.local import dial_local
channel = dial_local(Path(sys.argv[1]), "Deliver", NodeId("c" * 32))
channel.send(OPEN)
channel.send(Carried(number=1, payloads=(payload_of(bytes(100_000)),)))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_local_process_is_not_mistaken_for_an_orderly_end(tmp_path: Path) -> None:
    held = Held()
    server = LocalServer(tmp_path / "data.sock", held, held, CLIENT)
    server.start()
    killed = subprocess.run([sys.executable, "-c", _KILLED, str(tmp_path / "data.sock")], check=False)
    assert killed.returncode == -signal.SIGKILL
    there = held.take()
    assert there.receive(WAIT_S) == OPEN
    assert there.receive(WAIT_S) == Carried(number=1, payloads=(payload_of(bytes(100_000)),))
    with pytest.raises(NotReachable):
        there.receive(WAIT_S)
    held.release.set()
    server.stop(1)


def test_local_socket_works_at_a_long_path_and_is_private(tmp_path: Path) -> None:
    path = tmp_path.joinpath(*["long-folder-name-" + "x" * 40] * 4) / "data.sock"
    server = LocalServer(path, fails, fails, CLIENT)
    server.start()
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(Conflict):
        LocalServer(path, fails, fails, CLIENT).start()
    channel = dial_local(path, "Read", CLIENT)
    assert isinstance(channel.receive(WAIT_S), Stopped)
    channel.close()
    server.stop(1)
    with pytest.raises(NotReachable):
        dial_local(path, "Read", CLIENT)


def test_a_local_socket_left_by_a_dead_process_is_replaced(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "data.sock"))
    server = LocalServer(tmp_path / "data.sock", fails, fails, CLIENT)
    server.start()
    server.stop(1)


def test_nonsense_on_the_local_socket_ends_only_that_session(tmp_path: Path) -> None:
    held = Held()
    server = LocalServer(tmp_path / "data.sock", held, held, CLIENT)
    server.start()
    with socket.socket(socket.AF_UNIX) as stranger:
        stranger.connect(str(tmp_path / "data.sock"))
        stranger.sendall(b"GET / HTTP/1.1\r\n\r\n".ljust(32))
        assert stranger.recv(1) == b""
    channel = dial_local(tmp_path / "data.sock", "Deliver", CLIENT)
    os.write(channel._socket.fileno(), b"\xff" * 21)
    with pytest.raises(ProtocolError):
        held.take().receive(WAIT_S)
    held.release.set()
    channel.close()
    server.stop(1)


def test_one_node_does_not_take_all_places(authority: Authority) -> None:
    held = Held()
    with data_server(authority, held) as (_, address):
        greedy, other = credentials_for(authority, CLIENT), credentials_for(authority, OTHER)
        taken = [dial(address, greedy, SERVER, "Deliver") for _ in range(2)]
        with pytest.raises(NotReachable, match="2 sessions of this node"):
            dial(address, greedy, SERVER, "Deliver")
        dial(address, other, SERVER, "Deliver").close()
        taken.pop().close()
        held.release.set()
        for channel in taken:
            channel.close()


def test_a_place_is_free_again_when_a_session_has_ended(authority: Authority) -> None:
    held = Held()
    held.release.set()
    with data_server(authority, held) as (_, address):
        credentials = credentials_for(authority, CLIENT)
        for _ in range(8):
            dial(address, credentials, SERVER, "Deliver").close()
