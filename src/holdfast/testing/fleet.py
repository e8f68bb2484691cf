"""Very many nodes in one process, for measuring the Master: the real hub client with its back-off, real certificates, no bodies.

Machines of a fleet are enrolled in bulk, into the records of a Master that does not run, signed by its own authority. Everything a node
tells the Master goes the way of a real one; only what it tells is made up.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import Iterator, Sequence
from datetime import datetime

import msgspec
from sqlalchemy.orm import Session

from holdfast.core.clock import Clock, now
from holdfast.core.entropy import Entropy
from holdfast.core.errors import UsageError
from holdfast.core.ids import DatasetId, EnvironmentId, JobId, NodeId, new_id
from holdfast.master.foundation import Foundation
from holdfast.master.records import inventory
from holdfast.model.audit import Anchor
from holdfast.model.jobs import Event, Job, Progress, Severity, State
from holdfast.model.node_status import NodeStatus, Protection
from holdfast.model.questions import Answer, AskLimits, AskStatus, Failed, LimitsTold, Question
from holdfast.model.rules import Rules, SignedRules, decode_rules, signed_bytes_of_rules, title_of
from holdfast.node.config import NodeConfig
from holdfast.node.membership.hub_client import HubClient
from holdfast.wire.authority import MASTER_NAME, verify_signature
from holdfast.wire.hub_messages import Confirmed, Hello, InForce, Report, Welcome
from holdfast.wire.identity import Credentials, certificate_of, key_id_of, make_csr, new_key

EVENT_CODE = "run-noted"
"""Of every event that a fleet tells: to be counted in the records."""
MOST_IN_A_REPORT = 100


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """What one machine of a fleet has after joining."""

    node: NodeId
    name: str
    key_pem: bytes
    cert_pem: bytes


class Muster(msgspec.Struct, frozen=True, kw_only=True):
    """The machines of a fleet, and what all of them know of their Master."""

    environment: EnvironmentId
    ca_pem: bytes
    signing_key: bytes
    machines: tuple[Machine, ...]


def enrol(base: Foundation, names: Sequence[str]) -> Muster:
    """Enter machines into the records of a Master that does not run. The document is left alone."""

    made: list[tuple[Machine, inventory.Node, str]] = []
    for name in names:
        node, key = NodeId(base.new_id()), new_key()
        certificate = base.authority.issue(make_csr(key), node, clock=base.clock)
        record = inventory.new_node(node, name, key_id_of(certificate))
        machine = Machine(node=node, name=name, key_pem=key, cert_pem=certificate)
        made.append((machine, record, f"{certificate_of(certificate).serial_number:x}"))
    at = base.now()

    def enter(session: Session) -> None:
        for _, record, serial in made:
            inventory.add_node(session, record, serial=serial, at=at)

    base.database.run_now(enter)
    return Muster(
        environment=base.environment.id,
        ca_pem=base.authority.ca_pem,
        signing_key=base.authority.signing_public,
        machines=tuple(machine for machine, _, _ in made),
    )


class MemoryOutbox:
    """Reports that wait for the Master, in the order told; kept until it has them, as a node's journal does."""

    def __init__(self, first: int) -> None:
        self._numbers = itertools.count(first)
        self._waiting: deque[tuple[int, Job | Event]] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, record: Job | Event) -> None:
        self._waiting.append((next(self._numbers), record))

    def next_report(self) -> Report | None:
        rows = list(itertools.islice(self._waiting, MOST_IN_A_REPORT))
        if not rows:
            return None
        jobs = tuple(record for _, record in rows if isinstance(record, Job))
        events = tuple(record for _, record in rows if isinstance(record, Event))
        return Report(number=rows[-1][0], jobs=jobs, events=events)

    def acknowledge(self, number: int) -> None:
        while self._waiting and self._waiting[0][0] <= number:
            self._waiting.popleft()


class FleetNode:
    """One machine. `rules` are those in force; `welcomes` how often the Master has let it in."""

    def __init__(self, machine: Machine, muster: Muster, hub_address: str, *, clock: Clock, entropy: Entropy) -> None:
        self.machine = machine
        self.rules: Rules | None = None
        self.welcomes = 0
        self._clock, self._entropy = clock, entropy
        self._signing_key, self._environment = muster.signing_key, muster.environment
        self._anchors: tuple[Anchor, ...] = ()
        # What it has to say of its datasets changes when something is done, and not because somebody asks.
        self._began_at = now(clock)
        self._captured_at: dict[DatasetId, datetime] = {}
        self._running: dict[DatasetId, JobId] = {}
        # Above all that an earlier life of this machine told.
        self.outbox = MemoryOutbox(clock.now_ns() // 1_000_000)
        credentials = Credentials(machine.key_pem, machine.cert_pem, muster.ca_pem)
        config = NodeConfig(
            environment=muster.environment,
            environment_name="",
            node=machine.node,
            name=machine.name,
            master_url="",
            master_name=MASTER_NAME,
            hub_address=hub_address,
        )
        self.client = HubClient(lambda: credentials, lambda: config, self.outbox, self, clock=clock, entropy=entropy)

    def hello(self) -> Hello:
        return Hello(
            environment=self._environment,
            node=self.machine.node,
            generation=self.rules.generation if self.rules else 0,
            version="fleet",
            time_ns=self._clock.now_ns(),
            data_address="0.0.0.0:7442",
            anchors=self._anchors,
        )

    def greeted(self, welcome: Welcome) -> InForce | None:
        self.welcomes += 1
        self.audit_told(welcome.audit)
        return None

    def audit_told(self, newest: Anchor | None) -> None:
        self._anchors = () if newest is None else (newest,)

    async def take_rules(self, signed: SignedRules) -> Confirmed:
        assert verify_signature(self._signing_key, signed_bytes_of_rules(signed.body), signed.signature)
        self.rules = decode_rules(signed.body)
        return Confirmed(generation=self.rules.generation)

    async def answer(self, question: Question) -> Answer:
        match question:
            case AskStatus():
                return self._status()
            case AskLimits():
                return LimitsTold()
            case _:
                return Failed(error=UsageError(f"a node of a fleet has no answer to {type(question).__name__}").facts())

    def tell(self, record: Job | Event) -> None:
        self.outbox.put(record)
        self.client.wake()

    def run_of(self, number: int) -> Iterator[Job | Event | Progress]:
        """What is told of one run of its first dataset: it starts, moves, leaves a line in the log, ends."""
        at = now(self._clock)
        job = self._job(JobId(new_id(self._entropy)), at)
        dataset = self.rules.datasets[0].id if self.rules and self.rules.datasets else DatasetId("")
        self._running[dataset] = job.id
        yield job
        yield Progress(job=job.id, phase="send", done_files=number, done_bytes=1 << 20, total_bytes=1 << 21)
        message = f"run {number} of {self.machine.name} is noted"
        yield Event(code=EVENT_CODE, severity=Severity.INFO, message=message, node=self.machine.node, time=now(self._clock))
        self._running.pop(dataset, None)
        self._captured_at[dataset] = at
        yield msgspec.structs.replace(job, state=State.SUCCEEDED, ended_at=now(self._clock))

    def _job(self, identity: JobId, at: datetime) -> Job:
        dataset = self.rules.datasets[0] if self.rules and self.rules.datasets else None
        label = dataset.label if dataset else f"{self.machine.name}/none"
        return Job(
            id=identity,
            node=self.machine.node,
            kind="run",
            rule=label,
            state=State.RUNNING,
            created_at=at,
            started_at=at,
            cause="schedule",
            operations=tuple(operation.name for operation in dataset.operations) if dataset else (),
            datasets=(label,),
        )

    def _status(self) -> NodeStatus:
        rules = self.rules
        protections = tuple(
            Protection(
                dataset=delivery.label,
                dataset_id=delivery.dataset,
                operation=operation,
                receiver=delivery.receiver_name,
                action=title_of(delivery, action),
                state=State.RUNNING if delivery.dataset in self._running else State.SUCCEEDED,
                last_at=self._captured_at.get(delivery.dataset, self._began_at),
                job=self._running.get(delivery.dataset),
                action_id=action,
                delivery=delivery.id,
            )
            for delivery in (rules.deliveries if rules else ())
            for action, operations in delivery.action_operations
            for operation in operations
        )
        return NodeStatus(node=self.machine.name, generation=rules.generation if rules else 0, protections=protections)


class Fleet:
    """Nodes on one event loop. `start` has them dial; `close` ends them."""

    def __init__(self, muster: Muster, hub_address: str, *, clock: Clock, entropy: Entropy) -> None:
        self.nodes = tuple(FleetNode(machine, muster, hub_address, clock=clock, entropy=entropy) for machine in muster.machines)
        self.events_told = 0
        self.jobs_told = 0
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._tasks = [asyncio.create_task(node.client.run()) for node in self.nodes]

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    @property
    def connected(self) -> int:
        return sum(node.client.connected for node in self.nodes)

    @property
    def waiting(self) -> int:
        """Records that the Master has not acknowledged."""
        return sum(len(node.outbox) for node in self.nodes)

    def confirmed(self, flow: str) -> int:
        """Nodes whose rules in force name this flow."""
        return sum(any(part.name == flow for part in node.rules.flows) for node in self.nodes if node.rules is not None)

    async def work(self, records_s: float, stop: asyncio.Event) -> None:
        """Runs of one node after the other, each with four records, `records_s` of them a second in all, until told to stop."""
        loop = asyncio.get_running_loop()
        started_s, told = loop.time(), 0
        under_way: deque[tuple[FleetNode, Iterator[Job | Event | Progress]]] = deque()
        coming = itertools.cycle(self.nodes)
        while not stop.is_set():
            while told < (loop.time() - started_s) * records_s:
                # A run goes on when as many others have begun as fit into a second.
                if len(under_way) < records_s:
                    node = next(coming)
                    under_way.append((node, node.run_of(told)))
                node, run = under_way.popleft()
                record = next(run, None)
                if record is None:
                    continue
                self._tell(node, record)
                told += 1
                under_way.append((node, run))
            await asyncio.sleep(0.02)
        for node, run in under_way:
            for record in run:
                self._tell(node, record)

    def _tell(self, node: FleetNode, record: Job | Event | Progress) -> None:
        if isinstance(record, Progress):
            node.client.tell(record)
            return
        self.events_told += isinstance(record, Event)
        self.jobs_told += isinstance(record, Job) and record.state is State.RUNNING
        node.tell(record)
