"""Repair: each damage is put in order, from other copies where there are some, and a cut at any step makes nothing worse."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.backend.backend import FileType
from holdfast.core.errors import HoldfastError, NotReachable, RepositoryLocked
from holdfast.model.jobs import Severity
from holdfast.repository.care.healing import Wanted
from holdfast.repository.care.repair import Repaired
from holdfast.repository.diagnosis import CODES, BlobKey
from holdfast.repository.repository import Repository
from holdfast.testing.faulty_backend import always_from
from holdfast.testing.repository_scene import RepositoryScene
from tests.repository.damage import DAMAGES, TwoPoints, read_point


class PowerCut(BaseException):
    """Nothing after this instant happens; not an `Exception`, so that nothing handles it."""


@pytest.fixture
def stored(scene: RepositoryScene, tree: Path) -> TwoPoints:
    return TwoPoints(scene, tree)


def _second(stored: TwoPoints, folder: Path) -> Repository:
    """A copy of the whole repository, as another of this owner."""
    other = RepositoryScene(folder)
    shutil.copytree(stored.scene.place, other.place)
    return other.open()


def _errors(repository: Repository) -> set[str]:
    return {finding.code for finding in repository.check(read_data=True) if finding.severity is Severity.ERROR}


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_found_named_and_healed_from_a_copy(stored: TwoPoints, tmp_path: Path, name: str, seed: int) -> None:
    copy = _second(stored, tmp_path / "second")
    DAMAGES[name](stored.scene, random.Random(f"{name} {seed}"))
    repository = stored.scene.open()
    stored.assert_never_wrong(repository)
    found = _errors(repository)
    assert found <= set(CODES)
    assert bool(found) is (name != "a deleted catalog")
    stored.assert_never_wrong(repository)
    repaired = repository.care.repair(copies=[copy.copy])
    assert [finding for finding in repaired.findings if finding.severity is Severity.ERROR] == []
    assert bool(repaired.steps) is bool(found)
    assert _errors(repository) == set()
    stored.assert_whole(repository)
    repository.close()
    stored.scene.restic.check()
    copy.close()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", ["a flipped bit in a pack", "a truncated pack", "a missing pack"])
def test_without_a_copy_the_rest_is_kept_and_what_is_lost_goes_only_when_told(stored: TwoPoints, name: str, seed: int) -> None:
    DAMAGES[name](stored.scene, random.Random(seed))
    repository = stored.scene.open()
    before = {point.id: read_point(repository, point.id) for point in repository.points()}
    repaired = repository.care.repair()
    lost = any(repaired.diagnosis.reach)
    assert bool(_errors(repository)) is lost
    for point in repository.points():
        assert read_point(repository, point.id) == before[point.id]
    forgotten = repository.care.repair(forget_damaged=True)
    assert any(step.code == "point-rewritten" for step in forgotten.steps) is lost
    assert _errors(repository) == set()
    stored.assert_never_wrong(repository)
    assert [point.id for point in repository.points()] == list(before)
    for point in repository.points():
        assert set(read_point(repository, point.id)) <= {path for path, content in stored.states[point.seq - 1].all.items()}
        assert ("repaired" in point.tags) is any(point.snapshot in step.path for step in forgotten.steps if step.code == "point-rewritten")
    repository.close()
    stored.scene.restic.check()


def test_a_dry_run_says_what_would_be_done_and_touches_nothing(stored: TwoPoints) -> None:
    DAMAGES["a truncated pack"](stored.scene, random.Random(1))
    repository = stored.scene.open()
    before = sorted(path for path in stored.scene.place.rglob("*") if path.is_file() and path.parent.name != "locks")
    planned = repository.care.repair(dry_run=True, forget_damaged=True)
    assert planned.steps
    assert sorted(path for path in stored.scene.place.rglob("*") if path.is_file() and path.parent.name != "locks") == before
    repository.close()


def _hurt(scene: RepositoryScene) -> None:
    draw = random.Random(3)
    largest = max(scene.place.glob("data/*/*"), key=lambda path: path.stat().st_size)
    data = bytearray(largest.read_bytes())
    data[7] ^= 1
    largest.write_bytes(data)
    DAMAGES["a flipped bit in an index file"](scene, draw)
    DAMAGES["a flipped bit in a snapshot"](scene, draw)


def test_a_power_cut_at_any_step_of_a_repair(tmp_path: Path, tree: Path) -> None:
    """Whatever was done till then, the points that could be read can still be read, and the next repair ends well."""
    original = RepositoryScene(tmp_path / "original")
    original.create()
    stored = TwoPoints(original, tree)
    _hurt(original)

    def repair(step: int, folder: Path) -> bool:
        # Beyond the openings so far: no process draws the randomness of another.
        scene = RepositoryScene(folder, _opened=10)
        shutil.copytree(original.place, scene.place)
        shutil.copytree(original.home, scene.home)
        repository, backend = scene.open_faulty(always_from(step, PowerCut()) if step else lambda *_: None)
        before = {point.id: read_point(repository, point.id) for point in repository.points()}
        try:
            repository.care.repair(forget_damaged=True)
            finished = True
        except PowerCut:
            finished = False
        assert finished is (backend.fired == 0)
        again = scene.open()
        for point in again.points():
            now = read_point(again, point.id)
            whole = {path for path, content in before[point.id].items() if content is not None}
            assert {path for path, content in now.items() if content is not None} == whole
        again.care.repair(forget_damaged=True)
        assert _errors(again) == set()
        stored.assert_never_wrong(again)
        assert len(again.points()) == 2
        again.close()
        scene.restic.check()
        scene.end()
        shutil.rmtree(folder)
        return finished

    step = 1
    while not repair(step, tmp_path / f"step-{step}"):
        step += 1
    assert step > 8


class LyingCopy:
    """Gives other bytes than asked for; and one that is away."""

    def __init__(self, error: HoldfastError | None = None) -> None:
        self._error = error

    @property
    def title(self) -> str:
        return "a liar"

    def blobs(self, wanted: Wanted) -> Iterator[tuple[BlobKey, bytes]]:
        for key in wanted:
            yield key, b"something else"
        if self._error is not None:
            raise self._error


def test_a_copy_that_lies_gives_nothing(stored: TwoPoints) -> None:
    DAMAGES["a missing pack"](stored.scene, random.Random(0))
    repository = stored.scene.open()
    repaired: Repaired = repository.care.repair(copies=[LyingCopy(NotReachable("gone away"))])
    codes = [step.code for step in repaired.steps]
    assert {"blobs-refused", "copy-not-asked"} <= set(codes)
    assert "blobs-healed" not in codes
    stored.assert_never_wrong(repository)
    repository.close()


def test_the_source_sends_again_what_was_damaged(stored: TwoPoints) -> None:
    """Nothing changed at the source, and all the same its next run brings what is missing: it is told that nothing is here."""
    scene, feeder = stored.scene, stored.feeder
    largest = max(scene.place.glob("data/*/*"), key=lambda path: path.stat().st_size)
    largest.unlink()
    repository = scene.open()
    assert _errors(repository) == {"pack-missing"}
    repository.close()
    repository = scene.open()
    action = scene.action(repository)
    assert action.cursor() is None
    feeder.given = 0
    told = feeder.send(action, None, stored.second.all)
    assert feeder.given > 0
    assert [finding.code for finding in told.findings] == ["damage-healed"]
    assert action.cursor() is not None
    action.close()
    stored.assert_never_wrong(repository)
    _, new, again = (read_point(repository, point.id) for point in repository.points())
    assert new == again
    assert None not in again.values()
    repository.care.repair(forget_damaged=True)
    assert _errors(repository) == set()
    assert repository.status().checked_ok
    feeder.given = 0
    scene.store(repository, feeder, None, stored.second.all)
    assert feeder.given == 0
    repository.close()
    scene.restic.check()


def test_a_repair_waits_for_nobody_elses_work_and_says_so(stored: TwoPoints) -> None:
    DAMAGES["a missing pack"](stored.scene, random.Random(0))
    repository = stored.scene.open()
    storage = repository._interior.storage
    other = stored.scene.open()
    other._interior.lock.enter()
    lock = next(iter(storage.backend.names(FileType.LOCK)))
    with pytest.raises(RepositoryLocked):
        repository.care.repair(forget_damaged=True)
    assert lock in set(storage.backend.names(FileType.LOCK))
    other._interior.lock.leave()
    repository.care.repair(forget_damaged=True)
    assert _errors(repository) == set()
    other.close()
    repository.close()
