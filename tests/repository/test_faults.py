"""Crashes at every step, full disks, and kill -9: earlier points stay, stock restic finds no error, the next commit works."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from holdfast.backend.backend import FileType
from holdfast.core.errors import NoSpace, RepositoryLocked, StoreError
from holdfast.repository.packs import packer
from holdfast.repository.repository import Repository
from holdfast.testing.faulty_backend import always_from
from holdfast.testing.repository_scene import RepositoryScene, everywhere
from holdfast.testing.tree_source import TreeSource


class PowerCut(BaseException):
    """Nothing after this instant happens; not an `Exception`, so that nothing handles it."""


def _two_states(tree: Path) -> tuple[TreeSource, TreeSource]:
    first = TreeSource(tree)
    (tree / "one" / "file0").write_bytes(b"changed" * 900)
    (tree / "new").write_bytes(os.fsencode(tree) * 300)
    (tree / "two" / "file1").unlink()
    second = TreeSource(tree)
    second.chunks.update(first.chunks)
    return first, second


def _entries(repository: Repository, index: int) -> list[bytes]:
    reader = repository.reader(repository.points()[index])
    try:
        return [entry.path for entry in reader.entries()]
    finally:
        reader.close()


def _steps_of_a_commit(scene: RepositoryScene, tree: Path) -> int:
    first, second = _two_states(tree)
    repository = scene.open()
    feeder = scene.feeder(second)
    scene.store(repository, feeder, None, first.all)
    repository.close()
    repository, backend = scene.open_faulty()
    feeder.operations = ("backup", "archive")
    scene.store(repository, feeder, first.all, second.all)
    repository.close()
    return backend.steps


def test_every_step_of_a_commit_is_counted(scene: RepositoryScene, tree: Path) -> None:
    """Two packs, one settle, an index, two snapshots: the faults below cover them all, and the step after the last."""
    assert _steps_of_a_commit(scene, tree) == 6


@everywhere
@pytest.mark.parametrize("step", range(1, 7))
def test_a_power_cut_at_any_step(scene: RepositoryScene, tree: Path, step: int) -> None:
    first, second = _two_states(tree)
    repository = scene.open()
    feeder = scene.feeder(second)
    scene.store(repository, feeder, None, first.all)
    repository.close()
    repository, backend = scene.open_faulty(always_from(step, PowerCut()))
    feeder.operations = ("backup", "archive")
    action = scene.action(repository)
    action.cursor()
    with pytest.raises(PowerCut):
        feeder.send(action, first.all, second.all)
    assert backend.fired
    # The process is gone: nobody aborts or closes. Its session lock stays and is not in anybody's way.
    scene.restic.check()
    repository = scene.open()
    assert [finding for finding in repository.check(read_data=True) if finding.code != "pack-unused"] == []
    assert _entries(repository, 0) == sorted(first.all, key=lambda path: path.replace(b"/", b"\0"))
    feeder.seq = 1
    told = scene.store(repository, feeder, first.all if step < 6 else second.all, second.all)
    assert len(told.points) == 2
    assert {point.operation for point in repository.points() if point.seq == 2} == {"backup", "archive"}
    assert _entries(repository, -1) == sorted(second.all, key=lambda path: path.replace(b"/", b"\0"))
    repository.close()
    scene.restic.check()


@pytest.mark.parametrize("step", range(1, 7))
def test_a_full_disk_at_any_step(scene: RepositoryScene, tree: Path, step: int) -> None:
    first, second = _two_states(tree)
    repository, backend = scene.open_faulty()
    feeder = scene.feeder(second)
    scene.store(repository, feeder, None, first.all)
    backend.steps, backend.plan = 0, always_from(step, NoSpace("full", hint="make room"))
    feeder.operations = ("backup", "archive")
    action = scene.action(repository)
    action.cursor()
    with pytest.raises(NoSpace):
        feeder.send(action, first.all, second.all)
    action.abort()
    action.close()
    assert backend.fired
    assert list(scene.place.glob("data/*/.hf*")) == []
    scene.restic.check()
    backend.plan = lambda _step, _verb, _kind: None
    feeder.seq = 1
    action = scene.action(repository)
    feeder.send(action, first.all if action.cursor() and action.cursor().seq == 1 else second.all, second.all)  # type: ignore[union-attr]
    action.close()
    assert {point.seq for point in repository.points()} == {1, 2}
    repository.close()
    scene.restic.check()


@everywhere
def test_packs_that_could_not_be_settled_are_in_no_index(scene: RepositoryScene, tree: Path) -> None:
    """The error passes, so that all that comes after it works: an index must not name what was dropped."""
    source = TreeSource(tree)
    repository, backend = scene.open_faulty(lambda _step, verb, _kind: StoreError("i/o error") if verb == "settle" else None)
    action = scene.action(repository)
    action.cursor()
    feeder = scene.feeder(source)
    with pytest.raises(StoreError):
        feeder.send(action, None, source.all)
    backend.plan = lambda _step, _verb, _kind: None
    action.abort()
    action.close()
    assert backend.fired == 1
    scene.restic.check()
    feeder.seq = 0
    told = scene.store(repository, feeder, None, source.all)
    assert len(told.points) == 1
    repository.close()
    scene.restic.check()


def test_the_last_room_on_a_full_disk_is_left_to_others(scene: RepositoryScene, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pack that finds no room, then smaller ones that do: kept, they would leave none for a commit that needs little."""
    monkeypatch.setattr(packer, "TARGET_BYTES", 4_000)
    monkeypatch.setattr(packer, "_PACKS_IN_FLIGHT", 2)
    source, taken = TreeSource(tree), 0

    def second_pack_finds_no_room(_step: int, verb: str, _kind: FileType) -> BaseException | None:
        nonlocal taken
        taken += verb == "save_later"
        return NoSpace("full", hint="make room") if verb == "save_later" and taken == 2 else None

    repository, backend = scene.open_faulty(second_pack_finds_no_room)
    with pytest.raises(NoSpace):
        scene.store(repository, scene.feeder(source), None, source.all)
    assert backend.fired == 1
    assert taken > 2
    assert len(list(scene.place.glob("data/*/*"))) <= 1
    told = scene.store(repository, scene.feeder(source), None, source.all)
    assert len(told.points) == 1
    repository.close()
    scene.restic.check()


_CHILD = """
import os, signal, sys
from pathlib import Path
from holdfast.testing.faulty_backend import FaultyBackend
from holdfast.testing.repository_scene import RepositoryScene
from holdfast.testing.tree_source import TreeSource

def plan(step, verb, kind):
    if step == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)

scene = RepositoryScene(Path(sys.argv[1]))
source = TreeSource(sys.argv[2].encode())
repository = scene.open(lambda backend: FaultyBackend(backend, plan))
feeder = scene.feeder(source)
for _ in range(3):
    scene.store(repository, feeder, None, source.all)
    (Path(sys.argv[2]) / "top").write_bytes(str(feeder.seq).encode() * 5000)
    source = TreeSource(sys.argv[2].encode())
    feeder.chunks.update(source.chunks)
"""


@pytest.mark.parametrize("step", [2, 4, 5, 8, 11])
def test_kill_9(scene: RepositoryScene, tree: Path, step: int) -> None:
    done = subprocess.run([sys.executable, "-c", _CHILD, str(scene.folder), str(tree), str(step)], capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert len(list((scene.place / "locks").iterdir())) == 1
    scene.restic.check()
    repository = scene.open()
    assert list((scene.place / "locks").iterdir()) == []
    assert list(scene.place.glob("data/*/.hf*")) == []
    before = len(repository.points())
    source = TreeSource(tree)
    feeder = scene.feeder(source)
    feeder.seq = 50
    scene.store(repository, feeder, None, source.all)
    assert len(repository.points()) == before + 1
    repository.close()
    scene.restic.run("check", "--read-data")


@everywhere
def test_finished_packs_of_a_broken_commit_are_not_sent_again(scene: RepositoryScene, tree: Path) -> None:
    (tree / "huge").write_bytes(os.urandom(20 << 20))
    source = TreeSource(tree, chunk_bytes=1 << 20)
    repository = scene.open()
    feeder = scene.feeder(source)
    feeder.part_bytes = 4 << 20
    seen: list[int] = []

    def stop_late(number: int) -> None:
        seen.append(number)
        if feeder.given > 19 << 20:
            raise ConnectionError

    feeder.on_segment = stop_late
    action = scene.action(repository)
    action.cursor()
    with pytest.raises(ConnectionError):
        feeder.send(action, None, source.all)
    action.abort()
    action.close()
    assert repository.points() == ()
    assert seen
    feeder.on_segment, feeder.given, feeder.seq = None, 0, 0
    scene.store(repository, feeder, None, source.all)
    assert feeder.given < 8 << 20
    repository.close()
    scene.restic.check()


def test_a_lost_session_lock_stops_the_commit(scene: RepositoryScene, tree: Path) -> None:
    source = TreeSource(tree)
    repository = scene.open()
    action = scene.action(repository)
    action.cursor()
    for lock in (scene.place / "locks").iterdir():
        lock.unlink()
    with pytest.raises(RepositoryLocked):
        scene.feeder(source).send(action, None, source.all)
    action.abort()
    action.close()
    assert repository.points() == ()
    repository.close()
