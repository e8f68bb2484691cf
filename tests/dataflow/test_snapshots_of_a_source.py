"""`consistent: snapshot` from the source to the repository: what belongs together is together, and the source waits for a moment only."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from holdfast.core.clock import SystemClock
from holdfast.host.snapshots import FOLDER, take_snapshots
from holdfast.model.document import Hooks
from holdfast.model.jobs import State
from holdfast.testing.small_disk import snapshot_disk
from tests.dataflow.machines import World
from tests.dataflow.scene import Office, office

# Whoever sees the second file of a pair further than the first, or more than one step behind, has seen two moments. It syncs, as programs
# do to which order matters: of what nobody synced btrfs puts some into a snapshot and some not, as a power cut would.
_WRITER = """
import os, sys
folder, number = sys.argv[1], 0
while True:
    number += 1
    for name in ("a-first", "z-second"):
        path = os.path.join(folder, name)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
        os.pwrite(descriptor, b"%020d" % number, 0)
        os.fsync(descriptor)
        os.close(descriptor)
    if number == 1:
        print("ready", flush=True)
"""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with snapshot_disk(tmp_path / "disk"):
        yield tmp_path / "disk"


@contextmanager
def written_in_pairs(folder: Path) -> Iterator[None]:
    with subprocess.Popen([sys.executable, "-c", _WRITER, str(folder)], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"ready\n"
        try:
            yield
        finally:
            writer.kill()


def with_snapshots(world: World, tree: Path, hooks: Hooks | None = None) -> Office:
    scene = office(world, tree)
    classification = msgspec.structs.replace(scene.documents.classification, consistent="snapshot")
    documents = msgspec.structs.replace(scene.documents, classification=classification, hooks=hooks or scene.documents.hooks)
    scene.documents = documents
    scene.plans["files1"].datasets[:] = [documents]
    scene.activate()
    return scene


def test_what_is_written_in_pairs_is_restored_in_pairs(world: World, disk: Path) -> None:
    tree = disk / "tree"
    scene = with_snapshots(world, tree)
    numbers = []
    with written_in_pairs(tree):
        for _ in range(4):
            job = scene.run()
            assert job.state is State.SUCCEEDED, job
            first, second = (int((scene.copy / name).read_bytes()) for name in ("a-first", "z-second"))
            # At one moment the writer is between its two writes, or before both.
            assert first - second in (0, 1)
            numbers.append(first)
    assert numbers == sorted(set(numbers))
    assert os.listdir(disk / os.fsdecode(FOLDER)) == []


def test_hooks_are_around_the_snapshot_and_not_around_the_reading(world: World, disk: Path, tmp_path: Path) -> None:
    said = tmp_path / "said"
    hooks = tmp_path / "hooks"
    hooks.mkdir(mode=0o755)
    for name, line in {"stop": f"echo stopped >> {said}", "go": f"ls -A {disk}/{os.fsdecode(FOLDER)} | wc -l >> {said}"}.items():
        (hooks / name).write_text(f"#!/bin/sh\n{line}\n")
        (hooks / name).chmod(0o755)
    scene = with_snapshots(world, disk / "tree", Hooks(before="stop", after="go"))
    limits = scene.files1.home / "limits.toml"
    limits.write_text(f'read = ["{disk}"]\nwrite = ["{disk}/{os.fsdecode(FOLDER)}"]\nhooks = "{hooks}"\n')
    limits.chmod(0o600)
    assert scene.run().state is State.SUCCEEDED
    # The second script saw one snapshot: it ran before anything was read from it.
    assert said.read_text().split() == ["stopped", "1"]
    limits.write_text(f'read = ["{disk}"]\nhooks = "{hooks}"\n')
    job = scene.run()
    assert job.state is State.WARNINGS
    assert [finding.code for finding in job.findings] == ["no-snapshot"]
    assert said.read_text().split() == ["stopped", "1", "stopped", "0"]


def test_without_snapshots_the_run_goes_on_and_says_so(world: World, tmp_path: Path) -> None:
    scene = with_snapshots(world, tmp_path / "tree")
    job = scene.run()
    assert job.state is State.WARNINGS
    assert [finding.code for finding in job.findings] == ["no-snapshot"]
    assert scene.copy.is_dir()


def test_a_snapshot_of_a_killed_worker_is_removed_when_its_node_starts(world: World, disk: Path) -> None:
    scene = with_snapshots(world, disk / "tree")
    assert scene.files1.rules is not None
    owner = scene.files1.rules.node.encode()
    take_snapshots([os.fsencode(disk / "tree")], owner, clock=SystemClock(), may_write=lambda _: None)
    assert len(os.listdir(disk / os.fsdecode(FOLDER))) == 1
    assert scene.run().state is State.SUCCEEDED
    assert os.listdir(disk / os.fsdecode(FOLDER)) == []
    take_snapshots([os.fsencode(disk / "tree")], owner, clock=SystemClock(), may_write=lambda _: None)
    scene.files1.stop()
    scene.files1.start()
    assert os.listdir(disk / os.fsdecode(FOLDER)) == []
