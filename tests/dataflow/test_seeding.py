"""A far repository is filled from a carried disk; afterwards only what came since goes over the wire."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest

from holdfast.model.node_status import NodeStatus
from holdfast.model.questions import AskStatus, Failed
from holdfast.model.seeding import AskSeed, Seeded
from tests.dataflow.scene import assert_good, assert_restic_clean
from tests.dataflow.test_chains import Chain
from tests.dataflow.test_chains import chain as chain

PASSWORD = "carried by hand"


def seeded(chain: Chain, machine: str, repository: str, disk: Path, *, dry_run: bool = False) -> Seeded:
    """The machine's part: vault exports, the others import."""
    verb: Literal["export", "import"] = "export" if machine == "vault" else "import"
    ask = AskSeed(verb=verb, repository=repository, path=str(disk), password=PASSWORD, dry_run=dry_run)
    answer = chain.scene.world.machines[machine].ask(ask)
    assert isinstance(answer, Seeded), answer
    return answer


@pytest.fixture
def filled(chain: Chain) -> Chain:
    scene = chain.scene
    for number in range(3):
        (scene.source / f"large {number}").write_bytes(os.urandom(400_000))
        assert_good(scene.run())
    return chain


def facts(points: tuple[object, ...]) -> list[tuple[object, ...]]:
    return [tuple(getattr(p, key) for key in ("id", "time", "seq", "epoch", "files", "bytes", "paths", "operation")) for p in points]


@pytest.mark.parametrize("part", [False, True])
def test_after_a_carried_disk_only_increments_travel(filled: Chain, tmp_path: Path, part: bool) -> None:
    scene, disk = filled.scene, tmp_path / "disk"
    if part:
        (filled.part / "big").write_bytes(os.urandom(300_000))
        assert_good(scene.run())
        filled.narrow("vault", filled.part)
    wanted = len(scene.vault.points(scene.main))
    assert seeded(filled, "vault", "main", disk, dry_run=True).datasets[0].points == wanted
    assert not disk.exists()
    (exported,) = seeded(filled, "vault", "main", disk).datasets
    assert (exported.points, exported.error, exported.receiver) == (wanted, None, "dr")
    assert exported.sent_bytes > 250_000
    check = ["restic", "--no-cache", "check", "--no-lock", "--read-data"]
    environment = {**os.environ, "RESTIC_REPOSITORY": str(disk), "RESTIC_PASSWORD": PASSWORD}
    checked = subprocess.run(
        check,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "no errors were found" in checked.stdout, checked.stderr
    # On with it where it was broken off: what is there is not sent again.
    (again,) = seeded(filled, "vault", "main", disk).datasets
    assert (again.points, again.sent_bytes, again.error) == (0, 0, None)
    (imported,) = seeded(filled, "dr", "offsite", disk).datasets
    assert (imported.points, imported.error) == (wanted, None)
    newest = scene.vault.points(scene.main)[-1]
    status = scene.dr.ask(AskStatus())
    assert isinstance(status, NodeStatus)
    (record,) = status.repositories[0].seeds
    assert (record.point, record.until, record.sender) == (newest.id, newest.time, "vault")
    (scene.source / "since").write_bytes(os.urandom(30_000))
    (filled.part / "since").write_bytes(os.urandom(20_000))
    assert_good(scene.run())
    job = scene.vault.cascade(filled.cascades["vault"])
    assert_good(job)
    assert 0 < job.tasks[0].counters.sent_bytes < 60_000
    there = scene.dr.points(filled.offsite)
    assert [p.id for p in there] == [p.id for p in scene.vault.points(scene.main)]
    if not part:
        assert facts(there) == facts(scene.vault.points(scene.main))
    assert_restic_clean(scene.dr, filled.offsite)


def damage(disk: Path) -> None:
    (pack, *_) = sorted((path for path in (disk / "data").rglob("*") if path.is_file()), key=lambda path: -path.stat().st_size)
    content = bytearray(pack.read_bytes())
    content[len(content) // 3] ^= 0xFF
    pack.chmod(0o600)
    pack.write_bytes(content)


def garbage(disk: Path) -> None:
    (disk / "config").chmod(0o600)
    (disk / "config").write_bytes(b"not a config")


@pytest.mark.parametrize("harm", [damage, garbage])
def test_a_hostile_disk_is_refused_and_harms_nothing(filled: Chain, tmp_path: Path, harm: Callable[[Path], None]) -> None:
    scene, disk = filled.scene, tmp_path / "disk"
    seeded(filled, "vault", "main", disk)
    harm(disk)
    answer = scene.dr.ask(AskSeed(verb="import", repository="offsite", path=str(disk), password=PASSWORD))
    if isinstance(answer, Failed):
        assert answer.error.code == "repository-damaged"
    else:
        assert isinstance(answer, Seeded)
        assert [found.error.code for found in answer.datasets if found.error] == ["repository-damaged"]
    assert_restic_clean(scene.dr, filled.offsite)
    assert_good(scene.vault.cascade(filled.cascades["vault"]))
    assert len(scene.dr.points(filled.offsite)) == 3


def test_what_cannot_be_is_said(filled: Chain, tmp_path: Path) -> None:
    scene, disk = filled.scene, tmp_path / "disk"
    seeded(filled, "vault", "main", disk)

    def code(machine: str, ask: AskSeed) -> str:
        answer = scene.world.machines[machine].ask(ask)
        assert isinstance(answer, Failed), answer
        return answer.error.code

    assert code("dr", AskSeed(verb="import", repository="offsite", path=str(disk), password="wrong")) == "wrong-password"
    assert code("dr", AskSeed(verb="import", repository="offsite", path=str(tmp_path), password=PASSWORD)) == "repository-missing"
    assert code("museum", AskSeed(verb="export", repository="deep", path=str(tmp_path / "x"), password=PASSWORD)) == "unknown-name"
    assert code("vault", AskSeed(verb="export", repository="main", path="disk", password=PASSWORD)) == "usage"
    inside = str(scene.vault.home / "seed")
    assert code("vault", AskSeed(verb="export", repository="main", path=inside, password=PASSWORD)) == "outside-limits"
