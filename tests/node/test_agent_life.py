"""The agent as a whole: scripted workers as real processes, the real local socket, a real hub; kill -9 and what is left after it."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from holdfast.core.clock import SystemClock
from holdfast.core.entropy import SystemEntropy
from holdfast.core.errors import NotReachable
from holdfast.core.ids import JobId, PointId
from holdfast.model.anomalies import AskJudgeAnomaly
from holdfast.model.jobs import Job, State
from holdfast.model.keys import AskKeyAdd, AskKeyRemove, AskKeyRestore, AskKeyRotate, AskKeys, AskKit, AskKitKept
from holdfast.model.listing_questions import AskPoints, Points
from holdfast.model.maintenance import Check, Prune, Repair
from holdfast.model.node_status import NodeStatus
from holdfast.model.orders import RestoreRequest
from holdfast.model.pausing import AskPause
from holdfast.model.point_changes import AskChangePoints, Expire, Forget
from holdfast.model.questions import (
    Answer,
    AskCancel,
    AskJobs,
    AskMaintenance,
    AskRepositoryEnv,
    AskStatus,
    AskTrigger,
    Done,
    Failed,
    Jobs,
    JobsStarted,
    Question,
    RepositoryEnv,
)
from holdfast.model.restoring import AskRestore
from holdfast.model.rules import Rules
from holdfast.node.agent import Agent, Surroundings
from holdfast.node.config import NodeConfig, data_address, pid_path, save_config, socket_path
from holdfast.node.local.client import ask
from holdfast.node.membership.rule_store import RuleStore, save_signing_key
from holdfast.node.processes.start import as_program
from holdfast.testing.identities import credentials_for
from holdfast.testing.node_rules import DOCUMENTS, ENVIRONMENT, FILES1, MAIL, sign, source_rules, store_rules
from holdfast.testing.waiting import wait_for
from holdfast.wire.authority import MASTER_NAME, Authority
from holdfast.wire.hub import HubServer, HubStream
from holdfast.wire.hub_messages import Answered, Asked, Confirmed, Hello, Progressed, Push, Received, Report, Welcome
from holdfast.wire.identity import save_credentials

CLOCK = SystemClock()
_AGENT = """
import asyncio, sys
from pathlib import Path
from holdfast.core.clock import SystemClock
from holdfast.core.entropy import SystemEntropy
from holdfast.node.agent import Agent, Surroundings, single_agent
from holdfast.node.processes.start import as_program
home = Path(sys.argv[1])
def command(role, home, descriptor):
    return [sys.executable, "-m", "holdfast.testing.scripted_worker", role, "--home", str(home), "--fd", str(descriptor)]
with single_agent(home):
    asyncio.run(Agent(home, Surroundings(clock=SystemClock(), entropy=SystemEntropy(), start=as_program(command))).run())
"""


def command(role: str, home: Path, descriptor: int) -> list[str]:
    return [sys.executable, "-m", "holdfast.testing.scripted_worker", role, "--home", str(home), "--fd", str(descriptor)]


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.create(clock=CLOCK)


def settle(home: Path, authority: Authority, rules: Rules | None, hub: str = "127.0.0.1:1") -> Path:
    """A home that has joined, with rules in force."""
    node = FILES1 if rules is None else rules.node
    save_credentials(home / "identity", credentials_for(authority, node))
    config = NodeConfig(
        environment=ENVIRONMENT,
        environment_name="office",
        node=node,
        name="files1",
        master_url="https://127.0.0.1:1",
        master_name=MASTER_NAME,
        hub_address=hub,
        data_listen="127.0.0.1:0",
    )
    save_config(home, config)
    save_signing_key(home, authority.signing_public)
    (home / "script").mkdir()
    if rules is not None:
        RuleStore(home, environment=ENVIRONMENT, node=node).put(sign(rules, authority))
    return home


class AgentProcess:
    """The agent of a home as a process of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.process = subprocess.Popen([sys.executable, "-c", _AGENT, str(home)])
        self.until(lambda: isinstance(ask(home, AskPoints(), 5), Points))

    def until(self, ready: Callable[[], Any]) -> Any:
        """What `ready` gives once it is something; the agent must live meanwhile."""

        def look() -> Any:
            try:
                return ready()
            except NotReachable:
                assert self.process.poll() is None
                return None

        return wait_for(look)

    def ask(self, question: Question) -> Answer:
        return ask(self.home, question, 10)

    def jobs(self, *states: State) -> tuple[Job, ...]:
        answer = self.ask(AskJobs())
        assert isinstance(answer, Jobs)
        return tuple(job for job in answer.jobs if not states or job.state in states)

    def workers(self) -> list[int]:
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    words = (entry / "cmdline").read_bytes().split(b"\0")
                except OSError:
                    continue
                if b"holdfast.testing.scripted_worker" in words and os.fsencode(self.home) in words:
                    found.append(int(entry.name))
        return found

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(60)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[Path], AgentProcess]]:
    started: list[AgentProcess] = []

    def begin(home: Path) -> AgentProcess:
        started.append(AgentProcess(home))
        return started[-1]

    yield begin
    for agent in started:
        if agent.process.poll() is None:
            agent.process.kill()
            agent.process.wait()


Start = Callable[[Path], AgentProcess]


def test_a_run_by_schedule_and_one_by_trigger_end_in_the_status(tmp_path: Path, authority: Authority, start: Start) -> None:
    agent = start(settle(tmp_path / "home", authority, source_rules()))
    (first,) = agent.until(lambda: agent.jobs(State.SUCCEEDED))
    assert first.cause == "schedule"
    started = agent.ask(AskTrigger(trigger="t", datasets=(DOCUMENTS, MAIL)))
    assert isinstance(started, JobsStarted)
    agent.until(lambda: len(agent.jobs(State.SUCCEEDED)) == 2)
    status = agent.ask(AskStatus())
    assert isinstance(status, NodeStatus)
    assert {p.state for p in status.protections} == {State.SUCCEEDED}
    assert (status.generation, status.running) == (1, ())
    assert status.reports_waiting == 2
    assert [finding.code for finding in status.findings] == ["no-limits"]


def test_the_socket_is_private_and_one_agent_holds_the_home(tmp_path: Path, authority: Authority, start: Start) -> None:
    # Longer than the 107 bytes that fit into a socket's address.
    home = tmp_path / ("long" * 30)
    agent = start(settle(home, authority, None))
    assert stat.S_IMODE(socket_path(home).stat().st_mode) == 0o600
    assert int(pid_path(home).read_text()) == agent.process.pid
    second = subprocess.run([sys.executable, "-c", _AGENT, str(home)], capture_output=True, text=True, check=False)
    assert "an agent runs in" in second.stderr
    assert isinstance(agent.ask(AskPoints()), Points)
    began = time.monotonic()
    assert agent.end() == 0
    assert time.monotonic() - began < 5
    assert not socket_path(home).exists()
    assert not pid_path(home).exists()
    with pytest.raises(NotReachable):
        agent.ask(AskPoints())


def test_kill_9_takes_the_workers_along_and_loses_nothing(tmp_path: Path, authority: Authority, start: Start) -> None:
    home = settle(tmp_path / "home", authority, source_rules())
    (home / "script" / "source.hold").touch()
    agent = start(home)
    (running,) = agent.until(lambda: agent.jobs(State.RUNNING))
    waiting = agent.ask(AskTrigger(trigger="t", datasets=(MAIL,), accept=True))
    assert isinstance(waiting, JobsStarted)
    assert len(agent.workers()) == 2
    agent.end(signal.SIGKILL)
    wait_for(lambda: not agent.workers())
    (home / "script" / "source.hold").unlink()
    agent = start(home)
    agent.until(lambda: len(agent.jobs(State.SUCCEEDED)) >= 1)
    jobs = {job.id: job for job in agent.jobs()}
    assert jobs[running.id].state is State.FAILED
    assert jobs[running.id].error is not None
    assert jobs[running.id].error.code == "worker-died"
    agent.until(lambda: any(job.id == waiting.jobs[0] for job in agent.jobs(State.SUCCEEDED)))
    status = agent.ask(AskStatus())
    assert isinstance(status, NodeStatus)
    assert status.generation == 1
    assert status.reports_waiting >= 2


def test_a_dying_worker_fails_its_job_and_is_started_again(tmp_path: Path, authority: Authority, start: Start) -> None:
    home = settle(tmp_path / "home", authority, source_rules())
    (home / "script" / "source.die").touch()
    agent = start(home)
    failed = agent.until(lambda: agent.jobs(State.FAILED))
    assert failed[0].error.code == "worker-died"
    (home / "script" / "source.die").unlink()
    agent.until(lambda: agent.jobs(State.SUCCEEDED))


def test_jobs_are_cancelled_and_unknown_things_refused(tmp_path: Path, authority: Authority, start: Start) -> None:
    home = settle(tmp_path / "home", authority, source_rules())
    (home / "script" / "source.hold").touch()
    agent = start(home)
    (running,) = agent.until(lambda: agent.jobs(State.RUNNING))
    assert isinstance(agent.ask(AskCancel(job=running.id)), Done)
    agent.until(lambda: agent.jobs(State.CANCELLED))
    no_job = JobId("0" * 32)
    for question in (AskTrigger(trigger="t"), AskMaintenance(repository="none", task=Check()), AskCancel(job=no_job)):
        answer = agent.ask(question)
        assert isinstance(answer, Failed)
        assert answer.error.code == "unknown-name"


def test_restores_keep_out_of_home_and_run_in_the_right_worker(tmp_path: Path, authority: Authority, start: Start) -> None:
    home = settle(tmp_path / "home", authority, store_rules())
    agent = start(home)
    agent.until(lambda: (home / "script" / "store.log").exists())
    refused = agent.ask(AskRestore(request=RestoreRequest(target=str(home / "keys")), point=PointId("p")))
    assert isinstance(refused, Failed)
    assert refused.error.code == "outside-limits"
    for nowhere in ("back", "", "/srv/\0"):
        refused = agent.ask(AskRestore(request=RestoreRequest(target=nowhere), point=PointId("p")))
        assert isinstance(refused, Failed)
        assert refused.error.code == "usage"
    assert isinstance(agent.ask(AskRestore(request=RestoreRequest(target="/srv/back"), point=PointId("p"))), JobsStarted)
    agent.until(lambda: any(job.kind == "restore" for job in agent.jobs(State.SUCCEEDED)))
    assert '"RunRestore"' in (home / "script" / "store.log").read_text()
    assert isinstance(agent.ask(AskMaintenance(repository="main", task=Check())), JobsStarted)
    assert agent.ask(AskRepositoryEnv(repository="main")) == RepositoryEnv(location="/srv/main", password="correct horse")


class AskNews(msgspec.Struct, frozen=True, tag=True):
    """Of a later version."""


class Master:
    """A real hub that keeps what nodes say. `session` is set while one is there."""

    def __init__(self, authority: Authority) -> None:
        self.said: list[Any] = []
        self.stream: HubStream | None = None
        self.acknowledging = True
        self.hub = HubServer("127.0.0.1:0", authority.issue_master(clock=CLOCK, hosts=("127.0.0.1",)), self.serve, lambda key: False)

    async def serve(self, stream: HubStream) -> None:
        self.said.append(await stream.receive())
        await stream.send(Welcome(time_ns=CLOCK.now_ns()))
        self.stream = stream
        while (message := await stream.receive()) is not None:
            self.said.append(message)
            if isinstance(message, Report) and self.acknowledging:
                await stream.send(Received(number=message.number))

    def heard(self, kind: type[Any]) -> list[Any]:
        return [message for message in self.said if isinstance(message, kind)]

    def reported(self, state: State) -> set[str]:
        return {job.id for report in self.heard(Report) for job in report.jobs if job.state is state}

    async def ask(self, question: Question) -> Answer:
        assert self.stream is not None
        number = len(self.said) + 1
        await self.stream.send(Asked(number=number, question=question))
        await until(lambda: any(a.number == number for a in self.heard(Answered)))
        return next(a.answer for a in self.heard(Answered) if a.number == number)  # type: ignore[no-any-return]

    async def push(self, rules: Rules, authority: Authority) -> Confirmed:
        assert self.stream is not None
        before = len(self.heard(Confirmed))
        await self.stream.send(Push(rules=sign(rules, authority)))
        await until(lambda: len(self.heard(Confirmed)) > before)
        return self.heard(Confirmed)[-1]  # type: ignore[no-any-return]


async def until(ready: Callable[[], Any]) -> None:
    async with asyncio.timeout(90):
        while not ready():
            await asyncio.sleep(0.005)


def with_master(home: Path, authority: Authority, rules: Rules | None, act: Callable[[Master, Agent], Coroutine[Any, Any, None]]) -> None:
    """An agent in this process and a Master it finds."""

    async def live() -> None:
        master = Master(authority)
        port = await master.hub.start()
        settle(home, authority, rules, f"127.0.0.1:{port}")
        agent = Agent(home, Surroundings(clock=CLOCK, entropy=SystemEntropy(), start=as_program(command)))
        running = asyncio.ensure_future(agent.run())
        try:
            await until(lambda: master.stream or running.done())
            await act(master, agent)
        finally:
            agent.stop()
            await running
            await master.hub.stop()

    asyncio.run(live())


def test_rules_come_over_the_hub_and_work_begins(tmp_path: Path, authority: Authority) -> None:
    async def act(master: Master, agent: Agent) -> None:
        (hello,) = master.heard(Hello)
        assert (hello.node, hello.generation, hello.environment) == (FILES1, 0, ENVIRONMENT)
        assert await master.push(source_rules(3), authority) == Confirmed(generation=3)
        await until(lambda: master.reported(State.SUCCEEDED))
        assert master.heard(Progressed)
        assert {e.code for report in master.heard(Report) for e in report.events} == {"rules-in-force"}
        # A newer Master may ask what this version does not know: it is told so, and the session goes on.
        unknown = await master.ask(AskNews())  # type: ignore[arg-type]
        assert isinstance(unknown, Failed)
        assert "no answer to AskNews" in unknown.error.message
        status = await master.ask(AskStatus())
        assert isinstance(status, NodeStatus)
        assert status.generation == 3

    with_master(tmp_path / "home", authority, None, act)


def test_bad_rules_are_refused_and_the_old_stay(tmp_path: Path, authority: Authority) -> None:
    async def act(master: Master, agent: Agent) -> None:
        assert await master.push(source_rules(5), authority) == Confirmed(generation=5)  # the very same again: the answer was lost
        old = await master.push(source_rules(4), authority)
        forged = await master.push(source_rules(9), Authority.create(clock=CLOCK))
        assert [(c.generation, c.problems[0].code) for c in (old, forged)] == [(4, "stale-rules"), (9, "stale-rules")]
        (tmp_path / "home" / "limits.toml").write_text('read = ["/etc"]')
        outside = await master.push(source_rules(6), authority)
        assert {problem.code for problem in outside.problems} == {"outside-limits"}
        status = await master.ask(AskStatus())
        assert isinstance(status, NodeStatus)
        assert status.generation == 5
        assert "rules-refused" in {finding.code for finding in status.findings}

    with_master(tmp_path / "home", authority, source_rules(5), act)


def test_what_must_not_leave_the_machine_does_not(tmp_path: Path, authority: Authority) -> None:
    async def act(master: Master, agent: Agent) -> None:
        keys = (AskKeys, AskKeyRotate, AskKit)
        for question in (
            AskRepositoryEnv(repository="main"),
            AskRestore(request=RestoreRequest(target="/srv/x"), point=PointId("p")),
            *(kind(repository="main") for kind in keys),
            AskKeyAdd(repository="main", password="of a rogue"),
            AskKeyRemove(repository="main", slot="0000"),
            AskKitKept(repository="main", typed="00000"),
            AskKeyRestore(repository="main", password="of a rogue"),
        ):
            answer = await master.ask(question)
            assert isinstance(answer, Failed)
            assert answer.error.code == "not-granted"

    with_master(tmp_path / "home", authority, store_rules(), act)


def test_a_vault_lets_the_master_take_nothing_away(tmp_path: Path, authority: Authority) -> None:
    (tmp_path / "home").mkdir(mode=0o700)
    (tmp_path / "home" / "limits.toml").write_text('vault = "90d"\n')

    async def act(master: Master, agent: Agent) -> None:
        for question in (
            AskChangePoints(change=Forget(newest=True), points=("aa",)),
            AskChangePoints(change=Forget(), dataset="files1/documents"),
            AskChangePoints(change=Expire(at=datetime(2026, 1, 1, tzinfo=UTC)), points=("aa",)),
            AskMaintenance(repository="main", task=Prune(grace_s=0)),
            AskMaintenance(repository="main", task=Repair(forget_damaged=True)),
            AskPause(repository="main"),
            AskJudgeAnomaly(id="aa", confirmed=False),
        ):
            answer = await master.ask(question)
            assert isinstance(answer, Failed), question
            assert answer.error.code == "outside-limits", question
        assert isinstance(await master.ask(AskStatus()), NodeStatus)
        assert not isinstance(await master.ask(AskPause(repository="main", look=True)), Failed), "looking takes nothing away"

    with_master(tmp_path / "home", authority, store_rules(), act)


def test_reports_wait_for_the_master_and_come_again_until_acknowledged(tmp_path: Path, authority: Authority) -> None:
    async def act(master: Master, agent: Agent) -> None:
        master.acknowledging = False
        await master.push(source_rules(1), authority)
        await until(lambda: master.heard(Report))
        first = master.heard(Report)[0]
        master.acknowledging = True
        assert master.stream is not None
        stream, master.stream = master.stream, None
        await stream.close()
        await until(lambda: master.reported(State.SUCCEEDED))
        again = [report for report in master.heard(Report)[1:] if first.events[0] in report.events]
        assert again
        numbers = [report.number for report in master.heard(Report)[1:]]
        assert numbers == sorted(numbers)
        waiting = await master.ask(AskStatus())
        assert isinstance(waiting, NodeStatus)
        assert waiting.reports_waiting == 0

    with_master(tmp_path / "home", authority, None, act)


@pytest.mark.parametrize(
    ("configured", "port", "wanted"),
    [("10.0.0.1:7442", 7442, "10.0.0.1:7442"), ("10.0.0.1:0", 5000, "10.0.0.1:5000"), ("0.0.0.0:0", 9, f"{os.uname().nodename}:9")],
)
def test_the_address_others_dial(configured: str, port: int, wanted: str) -> None:
    assert data_address(configured, port) == wanted
