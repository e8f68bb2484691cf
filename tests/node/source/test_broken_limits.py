"""Limits that nobody can make sense of: the source worker goes on, reads nothing, and follows again when root has mended them."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from holdfast.core.clock import SystemClock
from holdfast.model.document import Classification
from holdfast.model.following import Following
from holdfast.model.questions import Failed
from holdfast.model.rules import Rules
from holdfast.model.sampling import AskSample
from holdfast.node.source.worker import SourceWorker
from holdfast.node.workers.messages import AskWorker, Configure, FollowNews, FromWorker, Ready, WorkerAnswer
from holdfast.testing.node_rules import operation, source_rules
from holdfast.testing.virtual_clock import SeededEntropy
from holdfast.testing.waiting import wait_for


class Agent:
    """What the worker told."""

    def __init__(self) -> None:
        self.heard: list[FromWorker] = []

    def __call__(self, message: FromWorker) -> None:
        self.heard.append(message)

    @property
    def followed(self) -> list[Following]:
        return [each for message in self.heard if isinstance(message, FollowNews) for each in message.following]


def _rules(data: Path) -> Rules:
    rules = source_rules(1, extra=(operation("days", "cdp"),))
    dataset = msgspec.structs.replace(rules.datasets[0], classification=Classification(paths=(str(data),)))
    deliveries = [msgspec.structs.replace(each, mode="continuous") for each in rules.deliveries if each.dataset == dataset.id]
    return msgspec.structs.replace(rules, datasets=(dataset,), deliveries=tuple(deliveries[:1]))


@pytest.mark.parametrize("content", [b"read = [", b'read = ["relative"]', b"\xff", b"reed = []"])
def test_nothing_is_read_and_following_begins_when_they_are_mended(tmp_path: Path, content: bytes) -> None:
    home, data = tmp_path / "home", tmp_path / "data"
    home.mkdir(mode=0o700)
    data.mkdir()
    limits = home / "limits.toml"
    limits.write_bytes(content)
    limits.chmod(0o600)
    agent = Agent()
    worker = SourceWorker(home, agent, clock=SystemClock(), entropy=SeededEntropy(1))
    try:
        worker.handle(Configure(rules=_rules(data), signing_key=b"k" * 32))
        assert [message for message in agent.heard if isinstance(message, Ready)]
        worker.handle(AskWorker(number=1, question=AskSample(classification=Classification(paths=(str(data),)))))
        wait_for(lambda: any(isinstance(message, WorkerAnswer) for message in agent.heard))
        (answer,) = (message.answer for message in agent.heard if isinstance(message, WorkerAnswer))
        assert isinstance(answer, Failed)
        worker.following.look_at_limits()
        assert agent.followed == []
        limits.write_text(f'read = ["{data}"]\n')
        worker.following.look_at_limits()
        wait_for(lambda: bool(agent.followed))
    finally:
        worker.stop()
