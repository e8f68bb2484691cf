"""The whole of it over real transports: a fan-out to gRPC and to shared memory, a reader, and processes that are killed."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.core.clock import SystemClock
from holdfast.core.errors import NotReachable
from holdfast.core.ids import RepositoryId
from holdfast.delivery.fanout import FanOut, FanOutSession
from holdfast.delivery.ports import Opening
from holdfast.delivery.reading import RemoteReader, serve_read
from holdfast.delivery.receiver import serve_delivery
from holdfast.delivery.session import DeliverySession
from holdfast.delivery.verify import Verifier, verify_payload
from holdfast.model.change import Cursor
from holdfast.testing.channel_suite import OPEN, WAIT_S, in_thread
from holdfast.testing.deliveries import DATASET, EPOCH, RECEIVER, SOURCE, begin_of, commit_of, opening_of, puts_of
from holdfast.testing.identities import credentials_for
from holdfast.testing.memory_action import MemoryAction, MemoryReader
from holdfast.wire.authority import Authority
from holdfast.wire.channel import Channel
from holdfast.wire.data_client import dial
from holdfast.wire.data_messages import OpenRead
from holdfast.wire.data_server import DataServer
from holdfast.wire.identity import save_credentials
from holdfast.wire.local import LocalServer, dial_local

FILES = {b"/data/%03d" % n: bytes([n]) * 50_000 for n in range(80)}


class Store:
    """A store worker with both its servers, keeping one dataset per way in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = Authority.create(clock=SystemClock())
        self.remote, self.local = MemoryAction("remote"), MemoryAction("local")
        self.verifier = Verifier(2)
        credentials = credentials_for(self.authority, RECEIVER)
        self._grpc = DataServer("127.0.0.1:0", credentials, lambda c: self.deliver(c, self.remote), self.read, lambda key: False)
        self._unix = LocalServer(folder / "data.sock", lambda c: self.deliver(c, self.local), self.read, SOURCE)
        self.address = f"127.0.0.1:{self._grpc.start()}"
        self._unix.start()

    def deliver(self, channel: Channel, action: MemoryAction) -> None:
        serve_delivery(channel, open_actions=lambda sender, opening: Opening((action,)), verifier=self.verifier)

    def read(self, channel: Channel) -> None:
        serve_read(channel, open_reader=lambda reader, opening: (self.remote.cursor(), MemoryReader(self.remote)))

    def stop(self) -> None:
        self._grpc.stop(1)
        self._unix.stop(1)
        self.verifier.close()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path)
    yield store
    store.stop()


def test_one_stream_to_another_machine_and_to_our_own_then_read_back(store: Store) -> None:
    credentials = credentials_for(store.authority, SOURCE)
    sessions = {
        "remote": DeliverySession(dial(store.address, credentials, RECEIVER, "Deliver")),
        "local": DeliverySession(dial_local(store.folder / "data.sock", "Deliver", SOURCE), compression="off"),
    }
    for name, session in sessions.items():
        (state,) = session.open(opening_of(name))
        assert (state.cursor, state.error) == (None, None)
        session.begin(begin_of(1), [state.action])
    fanout = FanOut({name: FanOutSession(DATASET, session) for name, session in sessions.items()}, clock=SystemClock())
    names = sorted(FILES)
    for number in range(0, 80, 10):
        fanout.send({DATASET: puts_of(number, {name: FILES[name] for name in names[number : number + 10]}, first=number == 0)})
    results = fanout.finish({DATASET: commit_of(1)})
    for session in sessions.values():
        session.close()
    assert [result.error for result in results.values()] == [None, None]
    for action in (store.remote, store.local):
        assert {path: action.content(path) for path in FILES} == FILES

    reader = RemoteReader(dial(store.address, credentials, RECEIVER, "Read"), OpenRead(repository=RepositoryId("a" * 32), dataset=DATASET))
    assert reader.cursor == Cursor(EPOCH, 1)
    for entry in reader.entries():
        if entry.chunks:
            (payload,) = reader.payloads([ref.id for ref in entry.chunks])
            assert verify_payload(payload, entry.chunks[0].size_bytes).plain == FILES[entry.path]
    reader.close()


_SENDER = """
import os, signal, sys
from pathlib import Path
from holdfast.delivery.session import DeliverySession
from holdfast.testing.deliveries import *
from holdfast.wire.data_client import dial
from holdfast.wire.identity import load_credentials
session = DeliverySession(dial(sys.argv[1], load_credentials(Path(sys.argv[2])), RECEIVER, "Deliver"))
(state,) = session.open(opening_of("remote"))
session.begin(begin_of(1), [state.action])
for number in range(30):
    session.send(puts_of(number, {b"/data/%03d" % number: bytes([number]) * 2_000_000}, first=not number))
os.kill(os.getpid(), signal.SIGKILL)
"""

_RECEIVER = """
import os, signal, sys, threading
from pathlib import Path
from holdfast.wire.data_server import DataServer
from holdfast.wire.identity import load_credentials
def die(channel):
    channel.receive()
    os.kill(os.getpid(), signal.SIGKILL)
server = DataServer("127.0.0.1:0", load_credentials(Path(sys.argv[1])), die, die, lambda key: False)
print(server.start(), flush=True)
threading.Event().wait()
"""


@pytest.mark.e2e
def test_a_killed_sender_leaves_nothing_behind(store: Store) -> None:
    save_credentials(store.folder / "identity", credentials_for(store.authority, SOURCE))
    command = [sys.executable, "-c", _SENDER, store.address, str(store.folder / "identity")]
    assert subprocess.run(command, check=False, stdin=subprocess.DEVNULL).returncode == -signal.SIGKILL
    store.stop()
    assert (store.remote.entries, store.remote.commits, store.remote.closed) == ({}, [], 1)


@pytest.mark.e2e
def test_a_killed_receiver_is_noticed_at_once(tmp_path: Path) -> None:
    authority = Authority.create(clock=SystemClock())
    save_credentials(tmp_path / "identity", credentials_for(authority, RECEIVER))
    command = [sys.executable, "-c", _RECEIVER, str(tmp_path / "identity")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as receiver:
        assert receiver.stdout is not None
        address = f"127.0.0.1:{receiver.stdout.readline().strip()}"
        channel = dial(address, credentials_for(authority, SOURCE), RECEIVER, "Deliver")
        receiving = in_thread(channel.receive)
        channel.send(OPEN)
        with pytest.raises(NotReachable):
            receiving.result(WAIT_S)
        channel.close()
