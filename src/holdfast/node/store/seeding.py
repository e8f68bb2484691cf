"""A far repository is filled from a carried disk: two cascades, one into a repository on the disk, one out of it.

The disk holds an ordinary restic repository with a key of its own, so that a lost disk tells nobody anything and stock restic can check it.
Each of the two is an ordinary cascade over a channel inside the process: points keep ids, times and epochs, every chunk is verified by who
takes it, grants and the limits of a vault hold, and what was broken off goes on from the cursor of the receiving side. Afterwards the far
repository stands where the cascade would have brought it, so that the cascade over the network sends only what came since.
"""

from __future__ import annotations

import shutil
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from holdfast.backend.local import LocalBackend
from holdfast.core.clock import Clock, now
from holdfast.core.entropy import Entropy
from holdfast.core.errors import HoldfastError, RepositoryMissing, UnknownName, UsageError
from holdfast.core.ids import JobId, NodeId, RepositoryId
from holdfast.core.private_files import make_private_folder
from holdfast.delivery.ports import Opening
from holdfast.delivery.receiver import serve_delivery
from holdfast.delivery.verify import Verifier
from holdfast.model.jobs import Job, Progress, State
from holdfast.model.points import Point
from holdfast.model.rules import Cascade, Delivery, Receive, Rules, StoreAction, StoredOperation
from holdfast.model.seeding import AskSeed, Seeded, SeededDataset, SeedRecord
from holdfast.node.bounds.limits import load_limits
from holdfast.node.owned.seed_book import put_seed_record
from holdfast.operations.cascade import CascadeOrder, CascadeTools, plan_hops, run_cascade
from holdfast.operations.running import Cancellation, Delivered
from holdfast.repository.repository import Repository, create_repository, open_repository
from holdfast.wire.channel import Channel
from holdfast.wire.pipe import Pipe
from holdfast.wire.queue_channel import QUEUE_BYTES, QueueChannel

_CARRIED = RepositoryId("0" * 32)
Serve = Callable[[Channel], None]


@dataclass(frozen=True, kw_only=True)
class SeedTools:
    """`deliver` serves a delivery to this node, whoever its channel says it comes from."""

    home: Path
    rules: Rules
    clock: Clock
    entropy: Entropy
    deliver: Serve


class _Silence:
    """Nobody else is told: what a disk brings is no run of the rules."""

    def job(self, job: Job) -> None:
        del job

    def progress(self, progress: Progress) -> None:
        del progress

    def delivered(self, delivered: Delivered) -> None:
        del delivered


def seed(ask: AskSeed, repository: Repository, tools: SeedTools) -> Seeded:
    """Raises `UsageError`, `OutsideLimits`, `RepositoryMissing`, `WrongPassword`, `RepositoryDamaged`, and what a full disk raises."""
    if not ask.path.startswith("/"):
        raise UsageError(f"{ask.path!r} is not an absolute path", hint="name the folder on the disk from the root")
    is_export = ask.verb == "export"
    if is_export:
        load_limits(tools.home, [each.location for each in tools.rules.repositories]).check_write(ask.path)
    with _carried(ask, tools, may_create=is_export and not ask.dry_run) as disk:
        if is_export:
            datasets = [_export(cascade, repository, disk, ask, tools) for cascade in _cascades(repository, tools.rules)]
        else:
            assert disk is not None
            datasets = [_import((receive, store), repository, disk, ask, tools) for receive, store in tools.rules.stored_in(repository.id)]
    return Seeded(repository=repository.name, path=ask.path, datasets=tuple(datasets), dry_run=ask.dry_run)


def _cascades(repository: Repository, rules: Rules) -> tuple[Cascade, ...]:
    found = tuple(cascade for cascade in rules.cascades if cascade.repository == repository.id)
    if not found:
        raise UnknownName(
            f"nothing goes on from {repository.name}", hint="draw a mover from it to the far repository, and activate the flow"
        )
    return found


@contextmanager
def _carried(ask: AskSeed, tools: SeedTools, *, may_create: bool) -> Iterator[Repository | None]:
    """The repository on the disk; None when it is to be made and this is only a dry run. Its catalog is made anew each time: the disk moves
    between machines, and what it holds says where it stands."""
    folder = Path(tempfile.mkdtemp(prefix="seed-", dir=make_private_folder(tools.home / "seeds")))
    try:
        is_there = (Path(ask.path) / "config").exists()
        if not is_there and may_create:
            create_repository(LocalBackend(Path(ask.path)), ask.password, clock=tools.clock, entropy=tools.entropy)
        elif not is_there and ask.verb == "export":
            yield None
            return
        elif not is_there:
            raise RepositoryMissing(f"there is no seed at {ask.path}", hint="name the folder that `holdfast repository seed export` wrote")
        disk = open_repository(
            LocalBackend(Path(ask.path)),
            folder,
            name="seed",
            repository_id=_CARRIED,
            password=ask.password,
            clock=tools.clock,
            entropy=tools.entropy,
        )
        with closing(disk):
            yield disk
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _export(cascade: Cascade, repository: Repository, disk: Repository | None, ask: AskSeed, tools: SeedTools) -> SeededDataset:
    delivery = cascade.delivery
    points = repository.points(delivery.dataset)
    there = () if disk is None else disk.points(delivery.dataset)
    if ask.dry_run:
        return SeededDataset(dataset=delivery.label, receiver=delivery.receiver_name, points=_missing(points, there, cascade))
    assert disk is not None
    kinds = _kinds(tools.rules)
    operations = tuple(StoredOperation(name=name, kind=kinds.get(name, "backup")) for name in delivery.operations)
    receive = Receive(dataset=delivery.dataset, label=delivery.label, sender=tools.rules.node, actions=())
    verifier = Verifier()

    def serve(channel: Channel) -> None:
        stores = [StoreAction(id=action, repository=_CARRIED, operations=operations) for action in delivery.actions]
        actions = tuple(disk.store_action(store, receive, lambda *_: None) for store in stores)
        serve_delivery(channel, open_actions=lambda sender, opening: Opening(actions=actions), verifier=verifier)

    try:
        return _run(cascade, repository, lambda: disk.points(delivery.dataset), _joined(serve, tools.rules.node), tools)
    finally:
        verifier.close()


def _import(
    granted: tuple[Receive, StoreAction], repository: Repository, disk: Repository, ask: AskSeed, tools: SeedTools
) -> SeededDataset:
    """As if the sender of the grant had delivered it."""
    receive, store = granted
    points = disk.points(receive.dataset)
    names = tuple(operation.name for operation in store.operations)
    sender = next((peer.name for peer in tools.rules.peers if peer.id == receive.sender), receive.sender)
    if ask.dry_run or not points:
        return SeededDataset(dataset=receive.label, receiver=sender, points=len([p for p in points if p.operation in names]))
    delivery = Delivery(
        id="seed",
        dataset=receive.dataset,
        label=receive.label,
        receiver=tools.rules.node,
        receiver_name=sender,
        actions=(store.id,),
        operations=names,
    )
    cascade = Cascade(id="seed", repository=_CARRIED, delivery=delivery)
    taken = _run(cascade, disk, lambda: repository.points(receive.dataset), _joined(tools.deliver, receive.sender), tools)
    if taken.error is None:
        newest = max(points, key=lambda point: (point.time, point.seq))
        record = SeedRecord(dataset=receive.label, sender=sender, at=now(tools.clock), point=newest.id, until=newest.time)
        put_seed_record(tools.home, repository.name, record)
    return taken


def _run(
    cascade: Cascade, giver: Repository, there: Callable[[], Sequence[Point]], dial: Callable[[NodeId], Channel], tools: SeedTools
) -> SeededDataset:
    delivery = cascade.delivery
    before = {point.id for point in there()}
    job = Job(
        id=JobId("0" * 32),
        node=tools.rules.node,
        kind="cascade",
        rule="seed",
        state=State.RUNNING,
        created_at=now(tools.clock),
        cause="trigger",
    )
    order = CascadeOrder(job=job, cascade=cascade, generation=tools.rules.generation, kinds=_kinds(tools.rules))
    hostname = socket.gethostname()
    cascade_tools = CascadeTools(clock=tools.clock, repository=giver, dial=dial, news=_Silence(), hostname=hostname)
    try:
        ended = run_cascade(order, cascade_tools, Cancellation())
    except HoldfastError as error:
        return SeededDataset(dataset=delivery.label, receiver=delivery.receiver_name, error=error.facts())
    return SeededDataset(
        dataset=delivery.label,
        receiver=delivery.receiver_name,
        points=len({point.id for point in there()} - before),
        sent_bytes=sum(task.counters.sent_bytes for task in ended.tasks),
        error=next((task.error for task in ended.tasks if task.error is not None), ended.error),
    )


def _missing(points: Sequence[Point], there: Sequence[Point], cascade: Cascade) -> int:
    have = {point.id for point in there}
    hops = plan_hops(points, None, cascade.delivery.operations, cascade.only)
    return sum(point.id not in have for hop in hops for point in hop.points)


def _kinds(rules: Rules) -> dict[str, str]:
    stored = [action for receive in rules.receives for action in receive.actions if isinstance(action, StoreAction)]
    return {operation.name: operation.kind for action in stored for operation in action.operations}


def _joined(serve: Serve, sender: NodeId) -> Callable[[NodeId], Channel]:
    """A dial that reaches `serve` in a thread of its own, which sees `sender` at the other end, and trusts it as over a network."""

    def dial(receiver: NodeId) -> Channel:
        out: Pipe[bytes] = Pipe(QUEUE_BYTES)
        back: Pipe[bytes] = Pipe(QUEUE_BYTES)
        threading.Thread(target=serve, args=(QueueChannel(sender, outbox=back, inbox=out),), name="seed", daemon=True).start()
        return QueueChannel(receiver, outbox=out, inbox=back)

    return dial
