"""The usual scene: one source, a repository on one machine and a mirror on another."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from holdfast.model.jobs import Counters, Job, State
from holdfast.model.rules import DatasetRule, Delivery, MirrorAction, RepositoryRule, StoreAction
from tests.dataflow.machines import Machine, MachineRules, World, dataset, deliver, mirror, repository, store
from tests.dataflow.trees import grow


@dataclass
class Office:
    """files1 -> repository main on vault (backup) and -> mirror on dr (replicate). `plans` are the rules in the making."""

    world: World
    files1: Machine
    vault: Machine
    dr: Machine
    source: Path
    copy: Path
    main: RepositoryRule
    documents: DatasetRule
    store_action: StoreAction
    mirror_action: MirrorAction
    plans: dict[str, MachineRules]
    deliveries: dict[str, Delivery]

    def activate(self) -> None:
        self.world.activate(*self.plans.values())

    def run(self, *, catch_up: bool = False, accept: bool = False, operations: tuple[str, ...] = ()) -> Job:
        return self.files1.run(self.documents, catch_up=catch_up, accept=accept, operations=operations)


def office(world: World, tree: Path, *, seed: int = 1) -> Office:
    """Machines up, rules in force, the source grown; nothing has run."""
    grow(tree, seed)
    files1, vault, dr = (world.machine(name) for name in ("files1", "vault", "dr"))
    plans = {machine.name: MachineRules(machine) for machine in (files1, vault, dr)}
    main = repository(world, "main", world.folder / "stores" / "main")
    (world.folder / "stores").mkdir(parents=True, exist_ok=True)
    plans["vault"].repositories.append(main)
    documents = dataset(world, "files1/documents", tree)
    copy = world.folder / "copies" / "documents"
    stored, mirrored = store(world, main), mirror(world, tree, copy)
    to_vault = deliver(documents, plans["files1"], plans["vault"], (stored,), ("backup",))
    to_dr = deliver(documents, plans["files1"], plans["dr"], (mirrored,), ("replicate",))
    plans["files1"].datasets.append(documents)
    plans["files1"].deliveries += [to_vault, to_dr]
    scene = Office(world, files1, vault, dr, tree, copy, main, documents, stored, mirrored, plans, {"vault": to_vault, "dr": to_dr})
    scene.activate()
    return scene


def counters(job: Job, name: str) -> Counters:
    return next(task for task in job.tasks if task.name == name).counters


def assert_good(job: Job, *states: State) -> None:
    """Succeeded (a socket or the like may be noted), and every task of it."""
    assert job.state in (states or (State.SUCCEEDED,)), (job.state, job.error, job.findings[:5], job.tasks)


def restic(machine: Machine, rule: RepositoryRule, *arguments: str) -> str:
    """Stock restic on a repository; its output. Fails the test when restic fails."""
    secret = machine.restic(rule)
    environment = {**os.environ, "RESTIC_REPOSITORY": secret.location, "RESTIC_PASSWORD": secret.password}
    command = ["restic", "--no-cache", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def assert_restic_clean(machine: Machine, rule: RepositoryRule) -> None:
    assert "no errors were found" in restic(machine, rule, "check", "--no-lock", "--read-data")


def assert_rsync_equal(source: Path, copy: Path) -> None:
    """Nothing left to do for rsync, by content, with all attributes."""
    command = ["rsync", "-nacHAX", "--delete", "--itemize-changes", f"{source}/", f"{copy}/"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr
