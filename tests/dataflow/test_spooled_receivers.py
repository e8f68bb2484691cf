"""A repository that keeps moments is away, and gets each run when it is back, without the source being asked again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from holdfast.core.clock import SystemClock, now
from holdfast.model.gaps import Gap, GapReason
from holdfast.model.jobs import State
from holdfast.model.moments import AskMoments, Moments
from holdfast.model.rules import DatasetRule, RepositoryRule, StoredOperation
from holdfast.node.workers.messages import Acknowledged, FollowNews
from holdfast.testing.waiting import wait_for
from tests.dataflow.machines import Machine, MachineRules, World, dataset, deliver, repository, store
from tests.dataflow.scene import assert_good, assert_restic_clean, restic


@dataclass
class Followed:
    world: World
    files1: Machine
    vault: Machine
    source: Path
    main: RepositoryRule
    documents: DatasetRule

    def write(self, name: str, content: bytes) -> None:
        (self.source / name).write_bytes(content)

    def acknowledged(self) -> set[int]:
        """Times of capture, in microseconds since 1970, that the source has heard of as kept."""
        told = self.files1.source_heard.of(Acknowledged)
        return {each.captured_at_ns // 1000 for each in told if each.error is None and each.operations}

    @property
    def spool(self) -> list[Path]:
        return sorted((self.world.folder / "files1").rglob("spool/*/*.run"))


@pytest.fixture
def scene(world: World, tmp_path: Path) -> Followed:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "always").write_bytes(b"a" * 5_000)
    files1, vault = world.machine("files1"), world.machine("vault")
    plans = MachineRules(files1), MachineRules(vault)
    (world.folder / "stores").mkdir(parents=True, exist_ok=True)
    main = repository(world, "main", world.folder / "stores" / "main")
    plans[1].repositories.append(main)
    documents = dataset(world, "files1/documents", tree, operations={"live": "live"})
    action = msgspec.structs.replace(store(world, main), operations=(StoredOperation(name="live", kind="live"),))
    delivery = msgspec.structs.replace(deliver(documents, *plans, (action,)), mode="continuous")
    plans[0].datasets.append(documents)
    plans[0].deliveries.append(delivery)
    world.activate(*plans)
    return Followed(world, files1, vault, tree, main, documents)


def test_every_point_of_an_outage_arrives_with_its_own_time_and_state(scene: Followed) -> None:
    assert_good(scene.files1.run(scene.documents))
    scene.vault.stop()
    for number in range(3):
        scene.write("changing", b"%d" % number * 4_000)
        scene.write(f"new {number}", b"new")
        job = scene.files1.run(scene.documents)
        assert job.state is State.FAILED
        assert [task.error.code for task in job.tasks if task.error is not None] == ["not-reachable"]
    assert len(scene.spool) >= 3
    scene.vault.start()
    wait_for(lambda: len(scene.vault.points(scene.main)) == 4, 90)
    points = sorted(scene.vault.points(scene.main), key=lambda point: point.time)
    times = {int(point.time.timestamp() * 1_000_000 + 0.5) for point in points}
    wait_for(lambda: times <= scene.acknowledged())
    for number, point in enumerate(points[1:]):
        assert_good(scene.vault.restore_here(point, target := scene.world.folder / f"back {number}"))
        back = target / str(scene.source).lstrip("/")
        assert (back / "changing").read_bytes() == b"%d" % number * 4_000
        assert len(list(back.glob("new *"))) == number + 1
    assert_good(scene.files1.run(scene.documents))
    assert_restic_clean(scene.vault, scene.main)


def test_a_source_that_died_meanwhile_still_has_what_was_missed(scene: Followed) -> None:
    assert_good(scene.files1.run(scene.documents))
    scene.vault.stop()
    for number in range(2):
        scene.write("changing", b"%d" % number * 4_000)
        scene.files1.run(scene.documents)
        for between in range(3):
            # No point: these go as one.
            kept = len(scene.spool)
            scene.write("between", b"%d %d" % (number, between))
            wait_for(lambda kept=kept: len(scene.spool) > kept)
    scene.files1.stop()
    scene.vault.start()
    scene.files1.start()
    wait_for(lambda: len(scene.vault.points(scene.main)) == 3, 90)
    assert_good(scene.files1.run(scene.documents))
    points = sorted(scene.vault.points(scene.main), key=lambda point: point.time)
    betweens = [restic(scene.vault, scene.main, "dump", point.snapshot, str(scene.source / "between")) for point in points[2:]]
    assert betweens == ["0 2", "1 2"]


@pytest.mark.parametrize(("is_full", "count"), [(False, 0), (True, 0), (True, 5_000)])
def test_what_changed_while_a_source_was_off_is_a_gap_though_its_receiver_was_away_when_it_came_back(
    scene: Followed, is_full: bool, count: int
) -> None:
    assert_good(scene.files1.run(scene.documents))
    scene.vault.stop()
    scene.files1.stop()
    off_at = now(SystemClock())
    scene.write("changing", b"unseen")
    if is_full:
        for number in range(count):
            # So many that the spool says no before all of them are captured.
            scene.write(f"unseen {number}", b"unseen")
        limits = scene.files1.home / "limits.toml"
        limits.write_text('read = ["/"]\nspool = "0"\n')
        limits.chmod(0o600)
    scene.files1.start()
    here = scene.files1.source_heard
    wait_for(lambda: any(each.spooled or each.error for told in here.of(FollowNews) for each in told.following), 60)
    assert bool(scene.spool) is not is_full
    on_at = now(SystemClock())
    scene.vault.start()
    wait_for(lambda: bool(gaps_of(scene)), 90)
    gaps = gaps_of(scene)
    assert min(gap.since for gap in gaps) < off_at
    assert [gap.reason for gap in gaps if gap.since < off_at] == [GapReason.RESTART]
    assert any(gap.reason is GapReason.THINNED and gap.until > on_at for gap in gaps) is is_full


def test_all_names_of_a_file_are_known_though_the_run_that_saw_the_new_one_broke_off(scene: Followed) -> None:
    assert_good(scene.files1.run(scene.documents))
    scene.files1.stop()
    limits = scene.files1.home / "limits.toml"
    limits.write_text('read = ["/"]\nspool = "0"\n')
    limits.chmod(0o600)
    scene.files1.start()
    wait_for(lambda: bool(gaps_of(scene)), 60)
    scene.vault.stop()
    here = scene.files1.source_heard
    (scene.source / "again").hardlink_to(scene.source / "always")
    for number in range(5_000):
        # So many that the spool says no before all of them are captured.
        scene.write(f"new {number}", b"new")
    wait_for(lambda: any(each.error and each.pending > 4_000 for each in here.of(FollowNews)[-1].following), 60)
    scene.vault.start()
    wait_for(lambda: not any(each.error or each.pending for each in here.of(FollowNews)[-1].following), 90)
    assert_good(scene.files1.run(scene.documents))
    assert_good(scene.vault.restore_here(scene.vault.points(scene.main)[-1], target := scene.world.folder / "back"))
    back = target / str(scene.source).lstrip("/")
    assert (back / "again").samefile(back / "always")


def test_the_time_in_which_the_source_was_refused_is_a_gap_of_its_moments(scene: Followed) -> None:
    assert_good(scene.files1.run(scene.documents))
    before, aside = now(SystemClock()), scene.source.with_name("aside")
    scene.source.rename(aside)
    here = scene.files1.source_heard
    wait_for(lambda: any(told.following[0].error is not None for told in here.of(FollowNews)), 60)
    assert here.of(FollowNews)[-1].following[0].open_gap_since is not None
    (aside / "always").write_bytes(b"for a moment")
    (aside / "always").write_bytes(b"a" * 5_000)
    aside.rename(scene.source)
    after = now(SystemClock())
    wait_for(lambda: any(gap.reason is GapReason.VANISHED for gap in gaps_of(scene)), 90)
    (gap,) = (gap for gap in gaps_of(scene) if gap.reason is GapReason.VANISHED)
    assert gap.path == bytes(scene.source)
    assert before <= gap.since < after < gap.until


def gaps_of(scene: Followed) -> tuple[Gap, ...]:
    answer = scene.vault.ask(AskMoments(dataset=scene.documents.label))
    assert isinstance(answer, Moments), answer
    return answer.gaps
