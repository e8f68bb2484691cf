"""Archive runs that are killed, as by kill -9, at one step after the other: every file is somewhere, and in the end all are archived."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import msgspec
import pytest

from holdfast.core.clock import SystemClock
from holdfast.core.entropy import SystemEntropy
from holdfast.core.ids import DatasetId
from holdfast.model.jobs import State
from holdfast.model.rules import ArchiveRule, Rules, decode_rules, encode_rules
from holdfast.node.source.worker import SourceWorker
from holdfast.node.workers.messages import Configure, RunDatasets
from holdfast.testing.child import run_until_killed
from tests.dataflow.machines import Heard, World, ended
from tests.dataflow.scene import Office, assert_good, office, restic
from tests.dataflow.test_archive import archiving, lineage

YEAR_S = 365 * 86_400.0
FILES = 10_000
STEPS = ("symlink", "utime", "unlink")
DEATHS = (0, 1, 2, 3, 150, 199, 200, 201, 350, 400)


def run_source(home: str, rules: bytes, signing_key: bytes, job: bytes, dataset: str) -> None:
    """A source worker of its own, for one run of everything."""
    heard, given = Heard(), decode_rules(rules)
    worker = SourceWorker(Path(home), heard, clock=SystemClock(), entropy=SystemEntropy())
    order = msgspec.msgpack.decode(job, type=RunDatasets)
    worker.handle(Configure(rules=given, signing_key=signing_key))
    worker.handle(order)
    state = ended(heard, order.job).state
    worker.stop()
    assert state in (State.SUCCEEDED, State.WARNINGS), state


def _grow(root: Path, files: int) -> dict[Path, bytes]:
    content = {}
    for number in range(files):
        path = root / f"folder{number % 40}" / f"file{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        content[path] = b"content %d" % number * (1 + number % 7)
        path.write_bytes(content[path])
        os.utime(path, ns=(10**18, 10**18))
    return content


def _dies(scene: Office, number: int) -> bool:
    """Whether a run ended by being killed at its n-th step."""
    machine = scene.files1
    rules = machine.rules
    assert isinstance(rules, Rules)
    names = tuple(operation.name for operation in scene.documents.operations)
    job = RunDatasets(
        job=machine.new_job("run", "files1/documents"), datasets=(scene.documents.id,), operations={DatasetId(scene.documents.id): names}
    )
    arguments = (
        str(machine.home), encode_rules(rules), scene.world.authority.signing_public, msgspec.msgpack.encode(job), scene.documents.id
    )  # fmt: skip
    return not run_until_killed(STEPS, number, run_source, *arguments)


def _assert_nothing_is_lost(scene: Office, content: dict[Path, bytes], archived: set[Path]) -> None:
    """In its place, by its private name, or archived: which a stub says, that comes only after the owner's word."""
    private = {
        path.read_bytes() for folder in scene.source.iterdir() for path in folder.glob(".holdfast-archive-*") if not path.is_symlink()
    }
    for path, data in content.items():
        if path.is_symlink():
            archived.add(path)
        else:
            assert (path.exists() and path.read_bytes() == data) or data in private, path


@pytest.mark.big
@pytest.mark.timeout(900)
def test_ten_thousand_files_in_runs_that_are_killed_at_their_steps(world: World, tmp_path: Path) -> None:
    scene = office(world, tmp_path / "tree")
    shutil.rmtree(scene.source)
    content = _grow(scene.source, FILES)
    archiving(scene, ArchiveRule(older_than_s=YEAR_S))
    scene.files1.source.stop()
    archived: set[Path] = set()
    for number in DEATHS:
        assert _dies(scene, number)
        _assert_nothing_is_lost(scene, content, archived)
    scene.files1.source = SourceWorker(scene.files1.home, scene.files1.source_heard, clock=world.clock, entropy=world.entropy)
    assert scene.files1.rules is not None
    scene.files1.configure(scene.files1.rules)
    assert_good(scene.run(), State.SUCCEEDED, State.WARNINGS)
    assert all(path.is_symlink() for path in content)
    assert not list(scene.source.rglob(".holdfast*"))

    # The lineage has each of them, by stock restic; those of broken runs twice at most, never less than once.
    (snapshot,) = lineage(scene)
    restic(scene.vault, scene.main, "restore", str(snapshot["id"]), "--no-lock", "--target", str(tmp_path / "lineage"))
    times = list((tmp_path / "lineage").iterdir())
    for path, data in content.items():
        stub_time = os.fsdecode(os.readlink(os.fsencode(path))).split("/recall/")[1].split("/")[1]
        restored = Path(f"{tmp_path}/lineage/{stub_time}{path}")
        assert restored.read_bytes() == data
        assert restored.lstat().st_mtime_ns == 10**18
    assert len(times) <= len(DEATHS) + 1
