"""The process that forks workers: what it forks is a worker like any other, and nobody waits for it in vain when it dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.testing.waiting import wait_for

# An agent's part in it. A process of its own: the server is forked before there are threads, which a test process has long had.
_AGENT = """
import asyncio, sys
from pathlib import Path
from holdfast.core.clock import SystemClock
from holdfast.node.processes.fork_server import fork_server
from holdfast.node.processes.supervisor import Worker

home = Path(sys.argv[1])

async def live(start):
    ended = asyncio.Event()
    worker = Worker("source", home, lambda role, news: None, lambda role, facts: (ended.set(), print(facts.message, flush=True)),
        clock=SystemClock(), start=start)
    running = asyncio.ensure_future(worker.run())
    for _ in range(3):
        await asyncio.wait_for(worker.greeted.wait(), 60)
        print(worker.pid, flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        if not (told := ended.is_set()):
            break
        ended.clear()
    await worker.stop()
    await running
    print("stopped", flush=True)

with fork_server() as start:
    asyncio.run(live(start))
"""


class Agent:
    def __init__(self, home: Path) -> None:
        command = [sys.executable, "-c", _AGENT, str(home)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def says(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def go_on(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Agent]:
    agent = Agent(tmp_path)
    yield agent
    agent.kill()


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def _words(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/cmdline").read_text().rstrip("\0").split("\0")


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_killed_worker_is_forked_again_and_one_that_is_told_to_stop_ends(agent: Agent, tmp_path: Path) -> None:
    first = int(agent.says())
    server = _parent(first)
    assert _parent(server) == agent.process.pid
    assert _words(server)[:2] == ["holdfast", "fork-server"]
    assert _words(first) == ["holdfast.node.processes.worker_main", "source", "--home", str(tmp_path)]
    assert os.getsid(first) == first, "signals meant for the agent's terminal do not reach it"
    assert len(os.listdir(f"/proc/{first}/fd")) <= len(os.listdir(f"/proc/{server}/fd")) + 4

    os.kill(first, signal.SIGKILL)
    assert agent.says() == "the source worker died (signal 9)"
    agent.go_on()
    second = int(agent.says())
    assert (second != first, _parent(second)) == (True, server)
    agent.go_on()
    assert agent.says() == "stopped"
    assert agent.process.wait(60) == 0
    wait_for(lambda: not _lives(server))


def test_without_the_server_workers_are_programs_of_their_own(agent: Agent) -> None:
    first = int(agent.says())
    os.kill(_parent(first), signal.SIGKILL)
    assert agent.says() == "the source worker died (signal 9)"
    wait_for(lambda: not _lives(first))
    agent.go_on()
    second = int(agent.says())
    assert _parent(second) == agent.process.pid
    agent.go_on()
    assert agent.says() == "stopped"


def test_a_killed_agent_takes_all_with_it(agent: Agent) -> None:
    worker = int(agent.says())
    server = _parent(worker)
    agent.kill()
    wait_for(lambda: not _lives(server) and not _lives(worker))
