"""Everything at once in one repository: many sources, restores, searches, prune, check, a cascade, and stock restic beside us."""

from __future__ import annotations

import os
import random
import statistics
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from holdfast.model.jobs import Job
from holdfast.model.listing_questions import AskFind, AskListing, AskPoints, Listings, Points
from holdfast.model.maintenance import Prune, Task
from holdfast.model.points import Point
from holdfast.model.questions import Question
from holdfast.model.rules import Cascade, DatasetRule, RepositoryRule
from holdfast.node.workers.messages import RunMaintenance
from holdfast.testing.stock_restic import StockRestic
from tests.dataflow.machines import Machine, MachineRules, World, dataset, deliver, ended, repository, store
from tests.dataflow.scene import assert_good, assert_restic_clean, restic
from tests.dataflow.trees import differences

SOURCES = 8
FILES = 60
COMMON_BYTES = 6_000_000
# A question waits for the catalog while a session writes to it. On a machine that does much else, too.
SLOWEST_P95_S = 3.0

pytestmark = pytest.mark.skipif(not StockRestic.is_here(), reason="needs restic")


@dataclass
class Crowd:
    world: World
    vault: Machine
    dr: Machine
    main: RepositoryRule
    offsite: RepositoryRule
    cascade: list[Cascade]
    sources: list[tuple[Machine, DatasetRule, Path]]
    common: set[str] = field(default_factory=set)

    def begin_all(self) -> list[Callable[[], Job]]:
        """Every source's run has begun; what is given waits for its end."""
        begun = [(machine, machine.begin_run(rule)) for machine, rule, _ in self.sources]
        return [lambda machine=machine, job=job: ended(machine.source_heard, job) for machine, job in begun]  # type: ignore[misc]

    def change_all(self, seed: int) -> None:
        chance = random.Random(seed)
        for _, _, tree in self.sources:
            for number in range(0, FILES, 4):
                (tree / f"d{number % 5}" / f"f{number}").write_bytes(chance.randbytes(20_000))
            (tree / f"d{seed % 5}" / f"f{seed % 5 + 5}").unlink(missing_ok=True)

    def maintain(self, task: Task, machine: Machine, rule: RepositoryRule) -> Job:
        job = machine.new_job(type(task).__name__.lower(), rule.name)
        machine.store.handle(RunMaintenance(job=job, repository=rule.id, task=task))
        return ended(machine.store_heard, job)


@pytest.fixture
def crowd(world: World, tmp_path: Path) -> Crowd:
    """Eight sources, a third of whose data is the same; one repository in a process of its own, forwarded to a second one."""
    vault, dr = world.machine("vault"), world.machine("dr")
    vault.stop()
    vault.in_process = False
    vault.start()
    plans = {machine.name: MachineRules(machine) for machine in (vault, dr)}
    (world.folder / "stores").mkdir(parents=True)
    main, offsite = (repository(world, name, world.folder / "stores" / name) for name in ("main", "offsite"))
    plans["vault"].repositories.append(main)
    plans["dr"].repositories.append(offsite)
    made = Crowd(world, vault, dr, main, offsite, plans["vault"].cascades, [])
    common = random.Random(0).randbytes(COMMON_BYTES)
    for number in range(SOURCES):
        machine, tree = world.machine(f"files{number}"), tmp_path / f"tree{number}"
        chance = random.Random(number + 1)
        tree.mkdir()
        for each in range(FILES):
            (tree / f"d{each % 5}").mkdir(exist_ok=True)
            (tree / f"d{each % 5}" / f"f{each}").write_bytes(chance.randbytes(chance.choice((0, 900, 30_000, 90_000))))
        for each in range(12):
            (tree / f"common{each}").write_bytes(common[each * 500_000 : (each + 1) * 500_000])
        plan = plans[machine.name] = MachineRules(machine)
        rule = dataset(world, f"{machine.name}/documents", tree, operations={"backup": "backup"})
        plan.datasets.append(rule)
        plan.deliveries.append(deliver(rule, plan, plans["vault"], (store(world, main),)))
        onward = deliver(rule, plans["vault"], plans["dr"], (store(world, offsite),))
        plans["vault"].cascades.append(Cascade(id=f"{machine.name}->offsite", repository=main.id, delivery=onward))
        made.sources.append((machine, rule, tree))
    world.activate(*plans.values())
    return made


class Asker:
    """Asks one question after the other until it is stopped, and keeps how long each took."""

    def __init__(self, machine: Machine, questions: Callable[[], list[Question]]) -> None:
        self.took_s: dict[str, list[float]] = {}
        self._machine = machine
        self._questions = questions
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(1)
        self._running = self._pool.submit(self._run)

    def _run(self) -> None:
        while not self._stop.is_set():
            for question in self._questions():
                began_s = time.monotonic()
                answer = self._machine.ask(question)
                self.took_s.setdefault(type(question).__name__, []).append(time.monotonic() - began_s)
                assert isinstance(answer, Points | Listings), answer
            self._stop.wait(0.02)

    def end(self) -> dict[str, float]:
        """The 95th percentile of each question, in seconds. Raises what asking raised."""
        self._stop.set()
        self._running.result(60)
        self._pool.shutdown()
        return {name: statistics.quantiles(took, n=20)[-1] if len(took) > 1 else took[0] for name, took in self.took_s.items()}


def test_many_sources_at_once_store_what_they_share_once(crowd: Crowd) -> None:
    asker = Asker(crowd.vault, lambda: [AskPoints(), AskFind(pattern="common*")])
    for wait in crowd.begin_all():
        assert_good(wait())
    slowest = asker.end()
    print("p95 while writing:", slowest)
    assert max(slowest.values()) < SLOWEST_P95_S, slowest
    points = crowd.vault.points(crowd.main)
    assert sorted(point.dataset for point in points) == sorted(rule.label for _, rule, _ in crowd.sources)
    blobs = Counter(line for line in restic(crowd.vault, crowd.main, "list", "blobs", "--no-lock").split("\n") if line.startswith("data"))
    twice = sum(count - 1 for count in blobs.values())
    print("stored more than once:", twice, "of", len(blobs))
    assert twice <= len(blobs) / 100, f"{twice} of {len(blobs)} chunks are stored more than once"
    assert_restic_clean(crowd.vault, crowd.main)


def test_everything_at_once_ends_well(crowd: Crowd, tmp_path: Path) -> None:
    for wait in crowd.begin_all():
        assert_good(wait())
    first = {point.dataset: point for point in crowd.vault.points(crowd.main)}
    old = first[crowd.sources[0][1].label]
    secret = crowd.vault.restic(crowd.main)
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "mine").write_bytes(os.urandom(2_000_000))
    stock_environment = {**os.environ, "RESTIC_REPOSITORY": secret.location, "RESTIC_PASSWORD": secret.password}

    def stock(*arguments: str) -> None:
        done = subprocess.run(["restic", "--no-cache", *arguments], env=stock_environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr

    def prune() -> None:
        """It gives way while stock restic is at work, as it says; asked again, it works."""
        for _ in range(40):
            job = crowd.maintain(Prune(max_unused=0.0), crowd.vault, crowd.main)
            if job.error is None or job.error.code != "repository-locked":
                assert_good(job)
                return
        raise AssertionError("stock restic never let the prune in")

    def check() -> None:
        assert_good(crowd.vault.check(crowd.main))

    def cascade() -> None:
        for each in crowd.cascade:
            assert_good(crowd.vault.cascade(each))

    def restore(point: Point, number: int) -> None:
        target = tmp_path / f"back{number}"
        assert_good(crowd.vault.restore_here(point, target))

    kept = tmp_path / "kept"
    subprocess.run(["cp", "-a", str(crowd.sources[0][2]), str(kept)], check=True)
    crowd.change_all(7)
    asker = Asker(crowd.vault, lambda: [AskPoints(), AskListing(point=old.id, recursive=True), AskFind(pattern="f1*")])
    waits = crowd.begin_all()
    with ThreadPoolExecutor(8) as pool:
        tasks: list[Future[None]] = [
            pool.submit(restore, old, 1),
            pool.submit(restore, first[crowd.sources[3][1].label], 2),
            pool.submit(check),
            pool.submit(prune),
            pool.submit(cascade),
            pool.submit(stock, "backup", str(foreign)),
            pool.submit(stock, "snapshots"),
        ]
        for wait in waits:
            assert_good(wait())
        for task in tasks:
            task.result(120)
    slowest = asker.end()
    print("p95 while everything works:", slowest)
    assert max(slowest.values()) < SLOWEST_P95_S, slowest
    assert differences(kept, tmp_path / "back1" / crowd.sources[0][2].relative_to("/")) == []

    points = crowd.vault.points(crowd.main)
    assert Counter(point.dataset for point in points if not point.foreign) == {rule.label: 2 for _, rule, _ in crowd.sources}
    assert sum(point.foreign for point in points) == 1
    assert len(crowd.dr.points(crowd.offsite)) >= SOURCES
    for number, (_, rule, tree) in enumerate(crowd.sources):
        newest = max((point for point in points if point.dataset == rule.label), key=lambda point: point.seq)
        restore(newest, 10 + number)
        assert differences(tree, tmp_path / f"back{10 + number}" / tree.relative_to("/")) == []
    assert_restic_clean(crowd.vault, crowd.main)
    assert_restic_clean(crowd.dr, crowd.offsite)
    assert list((world_place(crowd) / "locks").iterdir()) == [], "nobody is at work any more"


def world_place(crowd: Crowd) -> Path:
    return Path(crowd.main.location)
