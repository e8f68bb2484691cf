"""A data port that is taken when the store worker starts is listened to as soon as it is free, and the agent hears of it."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from holdfast.core.clock import SystemClock
from holdfast.core.entropy import SystemEntropy
from holdfast.core.ids import EnvironmentId, NodeId
from holdfast.node.config import NodeConfig, save_config
from holdfast.node.store import listening
from holdfast.node.store.worker import StoreWorker
from holdfast.node.workers.messages import FromWorker, Ready
from holdfast.wire.authority import Authority
from holdfast.wire.identity import Credentials, make_csr, new_key, save_credentials

NODE = NodeId("1" * 32)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    authority, key = Authority.create(clock=SystemClock()), new_key()
    certificate = authority.issue(make_csr(key), NODE, clock=SystemClock())
    save_credentials(tmp_path / "identity", Credentials(key, certificate, authority.ca_pem))
    return tmp_path


def test_a_port_that_is_taken_at_first(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "RETRY_S", 0.02)
    told: list[FromWorker] = []
    heard = threading.Event()

    def tell(message: FromWorker) -> None:
        told.append(message)
        if isinstance(message, Ready) and message.data_port:
            heard.set()

    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        config = NodeConfig(
            environment=EnvironmentId("2" * 32),
            environment_name="test",
            node=NODE,
            name="vault",
            master_url="https://127.0.0.1:1",
            master_name="holdfast-master",
            hub_address="127.0.0.1:1",
            data_listen=f"127.0.0.1:{port}",
        )
        save_config(home, config)
        worker = StoreWorker(home, tell, clock=SystemClock(), entropy=SystemEntropy())
        worker.start()
        (first,) = told
        assert isinstance(first, Ready)
        assert (first.data_port, [problem.code for problem in first.problems], first.asked) == (0, ["conflict"], True)
    try:
        assert heard.wait(60)
        assert told[-1] == Ready(data_port=port, asked=False)
        with socket.create_connection(("127.0.0.1", port), 5):
            pass
    finally:
        worker.stop()
