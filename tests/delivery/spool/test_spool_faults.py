"""Every fault at every step of the spool's disk: what was kept is there, what is there is right, and nothing is missed unsaid."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest

from holdfast.testing.faulty_disk import Fault, FaultyDisk, PowerCut, trials
from tests.delivery.row_source import Edit
from tests.delivery.spool.spooled_source import Spooling


def put(name: bytes, *pieces: bytes) -> Edit:
    return "put", b"/data/" + name, pieces


def begin(folder: Path) -> Spooling:
    scene = Spooling(folder / "home", share_bytes=7_000)
    scene.folder.mkdir(parents=True, exist_ok=True)
    scene.first([put(b"a", b"first")])
    scene.align()
    return scene


def play(scene: Spooling, kept: list[int]) -> None:
    """Keeps, thins, sends some, has them sealed, keeps more."""
    for number in range(9):
        scene.edit([put(b"a", b"%d" % number * 90), put(b"n%d" % number, b"new")])
        if scene.keep():
            kept.append(scene.source.run)
    scene.send(2)
    scene.seal()
    scene.align()
    scene.edit([("remove", b"/data/n1", ())])
    if scene.keep():
        kept.append(scene.source.run)
    scene.send()
    scene.seal()
    scene.align()


def survive(number: int, fault: Fault) -> bool:
    folder = Path(tempfile.mkdtemp(prefix="holdfast-spool-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
    try:
        scene, kept = begin(folder), list[int]()
        with FaultyDisk.with_fault(scene.folder, number, fault) as disk, suppress(PowerCut):
            play(scene, kept)
        fired = bool(disk.fired)
        # The source goes on: whatever run was under way is not known to it as kept.
        scene.crash()
        scene.edit([put(b"z", b"afterwards")])
        scene.send()
        scene.keep()
        scene.send()
        scene.catch_up()
        had = {commit.seq for commit in scene.receiver.commits}
        gaps = [gap for commit in scene.receiver.commits for gap in commit.gaps]
        for seq in set(kept) - had:
            assert gaps, f"run {seq} was kept and did not come, and nothing says so"
        return fired
    finally:
        shutil.rmtree(folder)


def steps_of_it() -> list[tuple[int, Fault]]:
    folder = Path(tempfile.mkdtemp(prefix="holdfast-spool-"))
    try:
        scene = begin(folder)
        with FaultyDisk(scene.folder) as disk:
            play(scene, [])
        assert {step.verb for step in disk.steps} >= {"create", "write", "sync", "rename", "sync-folder", "remove"}
        return trials(disk.steps, every=False)
    finally:
        shutil.rmtree(folder)


def test_each_step_with_a_fault_in_turn() -> None:
    fired = [survive(*trial) for trial in steps_of_it()]
    assert all(fired)


@pytest.mark.big
def test_each_step_with_every_fault() -> None:
    chosen = sorted({number for number, _ in steps_of_it()})[::3]
    fired = [survive(number, fault) for number in chosen for fault in (Fault.KILL, Fault.LOST, Fault.TORN, Fault.BROKEN, Fault.HICCUP)]
    assert all(fired)
