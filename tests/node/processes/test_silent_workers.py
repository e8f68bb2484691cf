"""A worker that lives and stands still is told, and asked nothing meanwhile; it goes on as if nothing had been."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest

from holdfast.core.clock import SystemClock
from holdfast.core.errors import NotReachable
from holdfast.model.node_status import NodeStatus
from holdfast.model.questions import AskStatus
from holdfast.node.processes import supervisor
from holdfast.node.processes.start import as_program
from holdfast.node.processes.supervisor import Worker
from holdfast.node.records.job_book import Role
from holdfast.node.workers.messages import Configure, FromWorker
from holdfast.testing.node_rules import source_rules

LOOKS = 12
"""More than a worker is given."""


def _command(role: Role, home: Path, descriptor: int) -> Sequence[str]:
    return [sys.executable, "-m", "holdfast.testing.scripted_worker", role, "--home", str(home), "--fd", str(descriptor)]


@pytest.fixture
def with_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Worker], Awaitable[None]]], None]:
    """One that is ready. It is looked at by the test alone."""
    monkeypatch.setattr(supervisor, "LOOK_EVERY_S", 3_600.0)

    async def main(scenario: Callable[[Worker], Awaitable[None]]) -> None:
        worker = Worker("store", tmp_path, _ignore, lambda role, facts: None, clock=SystemClock(), start=as_program(_command))
        worker.configure(Configure(rules=source_rules(1), signing_key=b"k" * 32))
        running = asyncio.create_task(worker.run())
        try:
            assert await worker.until_ready(90)
            await scenario(worker)
        finally:
            await worker.stop()
            await asyncio.wait_for(running, 90)

    return lambda scenario: asyncio.run(main(scenario))


def _ignore(role: Role, news: FromWorker) -> None: ...


async def _until_it_speaks(worker: Worker) -> None:
    async with asyncio.timeout(90):
        while worker._signs.quiet:
            await asyncio.sleep(0)


def test_one_that_is_idle_answers(with_worker: Callable[[Callable[[Worker], Awaitable[None]]], None]) -> None:
    async def scenario(worker: Worker) -> None:
        for _ in range(LOOKS):
            worker._look()
            if worker._signs.quiet > 3:
                await _until_it_speaks(worker)
        assert worker.findings == ()

    with_worker(scenario)


def test_one_that_stands_still_is_told_until_it_goes_on(with_worker: Callable[[Callable[[Worker], Awaitable[None]]], None]) -> None:
    async def scenario(worker: Worker) -> None:
        os.kill(worker.pid, signal.SIGSTOP)
        for _ in range(LOOKS):
            worker._look()
        (finding,) = worker.findings
        assert finding.code == "worker-silent"
        assert "the store worker of this node stands still" in finding.message
        with pytest.raises(NotReachable, match="stands still"):
            await worker.ask(AskStatus(), 60)
        os.kill(worker.pid, signal.SIGCONT)
        await _until_it_speaks(worker)
        assert worker.findings == ()
        assert isinstance(await worker.ask(AskStatus(), 60), NodeStatus)

    with_worker(scenario)


def test_one_that_takes_up_rules_is_not_silent(with_worker: Callable[[Callable[[Worker], Awaitable[None]]], None]) -> None:
    async def scenario(worker: Worker) -> None:
        os.kill(worker.pid, signal.SIGSTOP)
        worker.configure(Configure(rules=source_rules(2), signing_key=b"k" * 32))
        for _ in range(LOOKS):
            worker._look()
        assert worker.findings == ()
        os.kill(worker.pid, signal.SIGCONT)
        assert await worker.until_ready(90)

    with_worker(scenario)
