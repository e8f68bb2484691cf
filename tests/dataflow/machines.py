"""Whole machines in one process: both workers of a node, real certificates, real gRPC on loopback, the local channel, real disks."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import msgspec

from holdfast.core.clock import Clock, SystemClock, now
from holdfast.core.entropy import Entropy, SystemEntropy
from holdfast.core.ids import ActionId, DatasetId, EnvironmentId, JobId, NodeId, PointId, RepositoryId, new_id
from holdfast.model.document import Classification, KeepRules
from holdfast.model.jobs import ENDED, Job, State
from holdfast.model.listing_questions import AskPoints, Points
from holdfast.model.maintenance import Check
from holdfast.model.orders import RestoreOrder, RestoreRequest, SignedOrder, signed_bytes_of_order
from holdfast.model.points import Point
from holdfast.model.questions import Answer, AskRepositoryEnv, Question, RepositoryEnv
from holdfast.model.restoring import AskRestore
from holdfast.model.rules import (
    Action,
    Cascade,
    DatasetRule,
    Delivery,
    MirrorAction,
    OperationRule,
    Peer,
    Pull,
    ReadGrant,
    Receive,
    RepositoryRule,
    Rules,
    StoreAction,
    StoredOperation,
)
from holdfast.node.config import NodeConfig, save_config
from holdfast.node.source.worker import SourceWorker
from holdfast.node.store.worker import StoreWorker
from holdfast.node.workers.messages import (
    AskWorker,
    Configure,
    FromWorker,
    JobNews,
    Ready,
    RunCascade,
    RunDatasets,
    RunMaintenance,
    RunRestore,
    WorkerAnswer,
)
from holdfast.wire.authority import Authority
from holdfast.wire.identity import Credentials, make_csr, new_key, save_credentials
from tests.dataflow.process_store import ProcessStore

M = TypeVar("M")
WAIT_S = 60.0
START = datetime(2026, 11, 22, tzinfo=UTC)


class Heard:
    """All a worker said, in order."""

    def __init__(self) -> None:
        self._said: list[FromWorker] = []
        self._changed = threading.Condition()

    def __call__(self, message: FromWorker) -> None:
        with self._changed:
            self._said.append(message)
            self._changed.notify_all()

    def of(self, kind: type[M]) -> list[M]:
        with self._changed:
            return [message for message in self._said if isinstance(message, kind)]

    def wait_for_more(self, kind: type[M], than: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: sum(isinstance(message, kind) for message in self._said) > than, WAIT_S)

    def wait(self, kind: type[M], fits: Callable[[M], bool]) -> M:
        def found() -> M | None:
            return next((message for message in self._said if isinstance(message, kind) and fits(message)), None)

        with self._changed:
            assert self._changed.wait_for(lambda: found() is not None, WAIT_S), f"no {kind.__name__} came; heard {self._said[-5:]}"
            message = found()
        assert message is not None
        return message


class World:
    """One environment: its authority and its machines."""

    def __init__(self, folder: Path, clock: Clock | None = None) -> None:
        self.folder = folder
        self.clock: Clock = clock or SystemClock()
        self.entropy = SystemEntropy()
        self.authority = Authority.create(clock=SystemClock())
        self.environment = EnvironmentId(new_id(self.entropy))
        self.machines: dict[str, Machine] = {}
        self.generation = 0

    def new_id(self) -> str:
        return new_id(self.entropy)

    def machine(self, name: str) -> Machine:
        machine = Machine(self, name)
        self.machines[name] = machine
        return machine

    def activate(self, *plans: MachineRules) -> None:
        """Rules to every machine: those of the plan, empty ones to the others. Receivers first, as the Master does it."""
        self.generation += 1
        by_name = {plan.machine.name: plan for plan in plans}
        for name, machine in self.machines.items():
            plan = by_name.get(name) or MachineRules(machine)
            machine.configure(plan.rules(self.generation))

    def stop(self) -> None:
        for machine in self.machines.values():
            machine.stop()


class Machine:
    """`in_process` False: the store worker is a process of its own from the next `start` on. `listens` False: it is a vault by then."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.in_process = self.listens = True
        self.name = name
        self.home = world.folder / name
        self.id = NodeId(world.new_id())
        self.port = 0
        self.rules: Rules | None = None
        self.rejoin()
        self.start()

    def rejoin(self) -> None:
        """A new key and a certificate for it, as `node join --replace` gets them."""
        authority, key = self.world.authority, new_key()
        certificate = authority.issue(make_csr(key), self.id, clock=SystemClock())
        save_credentials(self.home / "identity", Credentials(key, certificate, authority.ca_pem))

    def start(self) -> None:
        config = NodeConfig(
            environment=self.world.environment,
            environment_name="world",
            node=self.id,
            name=self.name,
            master_url="https://127.0.0.1:1",
            master_name="holdfast-master",
            hub_address="127.0.0.1:1",
            data_listen=f"127.0.0.1:{self.port}",
        )
        save_config(self.home, config)
        self.source_heard, self.store_heard = Heard(), Heard()
        self.source = SourceWorker(self.home, self.source_heard, clock=self.world.clock, entropy=self.world.entropy)
        if self.in_process:
            self.store: StoreWorker | ProcessStore = StoreWorker(
                self.home, self.store_heard, clock=self.world.clock, entropy=self.world.entropy
            )
        else:
            self.store = ProcessStore(self.home, self.store_heard)
        self.store.start()
        self.port = self.store_heard.of(Ready)[-1].data_port
        assert bool(self.port) == self.listens, self.store_heard.of(Ready)
        if self.rules is not None:
            self.configure(self.rules)

    @contextmanager
    def with_entropy(self, entropy: Entropy) -> Iterator[None]:
        """Meanwhile another source worker works here, with this randomness."""
        usual = self.source
        self.source = SourceWorker(self.home, self.source_heard, clock=self.world.clock, entropy=entropy)
        self.source.handle(self._configure())
        yield
        self.source.stop()
        self.source = usual

    def _configure(self) -> Configure:
        assert self.rules is not None
        return Configure(rules=self.rules, signing_key=self.world.authority.signing_public)

    def kill_store(self) -> None:
        assert isinstance(self.store, ProcessStore)
        self.store.kill()

    def stop(self) -> None:
        self.source.stop()
        self.store.stop()

    def configure(self, rules: Rules) -> None:
        self.rules = rules
        message = self._configure()
        answered = len(self.store_heard.of(Ready))
        self.store.handle(message)
        self.source.handle(message)
        self.store_heard.wait_for_more(Ready, answered)

    @property
    def problems(self) -> tuple[object, ...]:
        return self.store_heard.of(Ready)[-1].problems

    def new_job(self, kind: str, rule: str) -> Job:
        return Job(id=JobId(self.world.new_id()), node=self.id, kind=kind, rule=rule, state=State.QUEUED, created_at=now(self.world.clock))

    def run(self, *datasets: DatasetRule, operations: tuple[str, ...] = (), accept: bool = False, catch_up: bool = False) -> Job:
        """A run to its end; all operations due unless said."""
        return ended(self.source_heard, self.begin_run(*datasets, operations=operations, accept=accept, catch_up=catch_up))

    def begin_run(self, *datasets: DatasetRule, operations: tuple[str, ...] = (), accept: bool = False, catch_up: bool = False) -> Job:
        due = {rule.id: operations or tuple(op.name for op in rule.operations) for rule in datasets}
        job = self.new_job("run", datasets[0].label)
        order = RunDatasets(job=job, datasets=tuple(due), operations=due, accept=accept, catch_up=catch_up)
        self.source.handle(order)
        return job

    def cascade(self, cascade: Cascade) -> Job:
        job = self.new_job("cascade", cascade.id)
        self.store.handle(RunCascade(job=job, cascade=cascade.id))
        return ended(self.store_heard, job)

    def check(self, repository: RepositoryRule, *, read_data: bool = True) -> Job:
        job = self.new_job("check", repository.name)
        self.store.handle(RunMaintenance(job=job, repository=repository.id, task=Check(read_data=read_data)))
        return ended(self.store_heard, job)

    def restore_here(self, point: Point, target: Path, paths: tuple[bytes, ...] = ()) -> Job:
        job = self.new_job("restore", point.id)
        ask = AskRestore(request=RestoreRequest(target=str(target)), point=point.id, paths=paths)
        self.store.handle(RunRestore(job=job, ask=ask))
        return ended(self.store_heard, job)

    def restore_by_order(self, order: SignedOrder, target: Path, paths: tuple[bytes, ...] = ()) -> Job:
        job = self.new_job("restore", "ordered")
        ask = AskRestore(request=RestoreRequest(target=str(target)), order=order, paths=paths)
        self.source.handle(RunRestore(job=job, ask=ask))
        return ended(self.source_heard, job)

    def ask(self, question: Question) -> Answer:
        number = len(self.store_heard.of(WorkerAnswer)) + 1
        self.store.handle(AskWorker(number=number, question=question))
        return self.store_heard.wait(WorkerAnswer, lambda answer: answer.number == number).answer

    def points(self, repository: RepositoryRule) -> tuple[Point, ...]:
        answer = self.ask(AskPoints(repository=repository.name))
        assert isinstance(answer, Points), answer
        return answer.points

    def restic(self, repository: RepositoryRule) -> RepositoryEnv:
        answer = self.ask(AskRepositoryEnv(repository=repository.name))
        assert isinstance(answer, RepositoryEnv), answer
        return answer


def ended(heard: Heard, job: Job) -> Job:
    return heard.wait(JobNews, lambda news: news.job.id == job.id and news.job.state in ENDED).job


class MachineRules:
    """Rules of one machine in the making."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.datasets: list[DatasetRule] = []
        self.deliveries: list[Delivery] = []
        self.receives: list[Receive] = []
        self.repositories: list[RepositoryRule] = []
        self.cascades: list[Cascade] = []
        self.reads: list[ReadGrant] = []
        self.pulls: list[Pull] = []
        self.revoked: list[str] = []

    def rules(self, generation: int) -> Rules:
        world = self.machine.world
        return Rules(
            environment=world.environment,
            environment_name="world",
            node=self.machine.id,
            node_name=self.machine.name,
            generation=generation,
            created_at=START,
            peers=tuple(Peer(id=m.id, name=m.name, address=f"127.0.0.1:{m.port}") for m in world.machines.values()),
            datasets=tuple(self.datasets),
            deliveries=tuple(self.deliveries),
            repositories=tuple(self.repositories),
            receives=tuple(self.receives),
            cascades=tuple(self.cascades),
            reads=tuple(self.reads),
            pulls=tuple(self.pulls),
            revoked=tuple(self.revoked),
        )


def dataset(world: World, label: str, *paths: Path, operations: dict[str, str] | None = None, exclude: tuple[str, ...] = ()) -> DatasetRule:
    kinds = operations or {"backup": "backup", "replicate": "replicate"}
    return DatasetRule(
        id=DatasetId(world.new_id()),
        label=label,
        policy=label.rpartition("/")[2],
        classification=Classification(paths=tuple(str(path) for path in paths), exclude=exclude),
        operations=tuple(OperationRule(name=name, kind=kind) for name, kind in kinds.items()),
    )


def repository(world: World, name: str, location: Path) -> RepositoryRule:
    return RepositoryRule(id=RepositoryId(world.new_id()), name=name, location=str(location))


def store(world: World, into: RepositoryRule, *operations: str) -> StoreAction:
    names = operations or ("backup",)
    stored = tuple(StoredOperation(name=name, kind="backup", keep=KeepRules()) for name in names)
    return StoreAction(id=ActionId(world.new_id()), repository=into.id, operations=stored)


def mirror(world: World, source: Path, target: Path, removed_keep_s: float | None = None) -> MirrorAction:
    return MirrorAction(id=ActionId(world.new_id()), targets=((str(source), str(target)),), removed_keep_s=removed_keep_s)


def deliver(
    rule: DatasetRule, sender: MachineRules, receiver: MachineRules, actions: tuple[Action, ...], operations: tuple[str, ...] = ()
) -> Delivery:
    """The sender's half and the receiver's half of one delivery; the sender's half is not yet among its deliveries."""
    names = operations or tuple(operation.name for operation in rule.operations)
    receiver.receives.append(Receive(dataset=rule.id, label=rule.label, sender=sender.machine.id, actions=actions))
    return Delivery(
        id=f"{rule.label}->{receiver.machine.name}",
        dataset=rule.id,
        label=rule.label,
        receiver=receiver.machine.id,
        receiver_name=receiver.machine.name,
        actions=tuple(action.id for action in actions),
        operations=names,
    )


def order_for(reader: Machine, owner: Machine, into: RepositoryRule, point: Point, changes: dict[str, object] | None = None) -> SignedOrder:
    """As the Master signs it, with some of its fields changed before."""
    world = reader.world
    plain = RestoreOrder(
        id=world.new_id(),
        reader=reader.id,
        owner=owner.id,
        owner_address=f"127.0.0.1:{owner.port}",
        repository=into.id,
        dataset=point.dataset_id,
        point=PointId(point.id),
        expires_at=datetime.fromtimestamp(world.clock.now_ns() / 1e9 + 300, UTC),
    )
    body = msgspec.json.encode(msgspec.structs.replace(plain, **(changes or {})))
    return SignedOrder(body=body, signature=world.authority.sign(signed_bytes_of_order(body)))
