"""A job that is due before the store worker of its own machine listens."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from holdfast.core.errors import NotReachable
from holdfast.core.ids import EnvironmentId, NodeId
from holdfast.model.rules import Rules
from holdfast.node.workers.dial import Dialler, data_socket
from holdfast.wire.channel import Channel
from holdfast.wire.local import LocalServer

NODE = NodeId("1" * 32)
RULES = Rules(
    environment=EnvironmentId("2" * 32),
    environment_name="e",
    node=NODE,
    node_name="n",
    generation=1,
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
)


def _held(channel: Channel) -> None:
    channel.close()


def test_the_own_store_worker_is_waited_for(tmp_path: Path) -> None:
    data_socket(tmp_path).parent.mkdir(mode=0o700)
    server = LocalServer(data_socket(tmp_path), _held, _held, NODE)
    pauses: list[float] = []

    def wait(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            server.start()

    try:
        Dialler(tmp_path, RULES, wait).deliver(NODE).close()
    finally:
        server.stop(1)
    assert len(pauses) == 3


def test_but_not_for_ever(tmp_path: Path) -> None:
    pauses: list[float] = []
    with pytest.raises(NotReachable, match="nobody listens"):
        Dialler(tmp_path, RULES, pauses.append).read(NODE)
    assert 4 < sum(pauses) < 10
