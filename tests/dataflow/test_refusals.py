"""Who is refused, by whom, and what is recorded of it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from holdfast.core.ids import ActionId
from holdfast.model.document import Hooks
from holdfast.model.jobs import Job, State
from holdfast.model.questions import AskRepositoryEnv, Failed
from holdfast.node.workers.messages import EventNews, Ready
from tests.dataflow.machines import Machine, MachineRules, World, order_for, repository
from tests.dataflow.scene import Office, assert_good, office
from tests.dataflow.trees import differences


@pytest.fixture
def scene(world: World, tmp_path: Path) -> Office:
    return office(world, tmp_path / "tree")


def error_code(job: Job) -> str:
    found = [job.error, *(task.error for task in job.tasks)]
    return next((error.code for error in found if error is not None), "")


def test_a_sender_without_a_grant_is_refused_and_it_is_recorded(scene: Office) -> None:
    scene.plans["vault"].receives.clear()
    scene.activate()
    job = scene.run()
    assert job.state is State.FAILED
    assert [(task.receiver, task.error.code if task.error else "") for task in job.tasks] == [
        ("", ""),
        ("vault", "not-granted"),
        ("dr", ""),
    ]
    (news,) = scene.vault.store_heard.of(EventNews)
    assert news.event.code == "not-granted"
    assert "files1" in news.event.message
    assert scene.vault.points(scene.main) == ()
    assert differences(scene.source, scene.copy) == []


def test_an_action_the_receiver_does_not_know_is_refused_alone(scene: Office) -> None:
    plan = scene.plans["files1"]
    unknown = ActionId(scene.world.new_id())
    plan.deliveries = [
        type(delivery)(
            **{**{name: getattr(delivery, name) for name in delivery.__struct_fields__}, "actions": (*delivery.actions, unknown)}
        )
        if delivery.receiver == scene.vault.id
        else delivery
        for delivery in plan.deliveries
    ]
    scene.activate()
    job = scene.run()
    assert job.state is State.FAILED
    assert [task.error.code if task.error else "" for task in job.tasks if task.receiver == "vault"] == ["", "not-granted"]
    assert len(scene.vault.points(scene.main)) == 1


def test_a_restore_by_order_works_once(scene: Office, tmp_path: Path) -> None:
    assert_good(scene.run())
    (point,) = scene.vault.points(scene.main)
    order = order_for(scene.dr, scene.vault, scene.main, point)
    assert_good(scene.dr.restore_by_order(order, tmp_path / "back"))
    assert differences(scene.source, tmp_path / "back" / scene.source.relative_to("/")) == []
    assert error_code(scene.dr.restore_by_order(order, tmp_path / "again")) == "not-granted"
    assert {news.event.code for news in scene.vault.store_heard.of(EventNews)} == {"not-granted"}


def test_an_order_for_this_very_machine_stays_on_it(scene: Office, tmp_path: Path) -> None:
    assert_good(scene.run())
    (point,) = scene.vault.points(scene.main)
    order = order_for(scene.vault, scene.vault, scene.main, point, {"owner_address": ""})
    assert_good(scene.vault.restore_by_order(order, tmp_path / "back"))
    assert differences(scene.source, tmp_path / "back" / scene.source.relative_to("/")) == []


@pytest.mark.parametrize("changes", [{"expires_at": datetime(2020, 1, 1, tzinfo=UTC)}, {"reader": "f" * 32}, {"owner": "f" * 32}])
def test_orders_that_do_not_hold(scene: Office, tmp_path: Path, changes: dict[str, object]) -> None:
    assert_good(scene.run())
    (point,) = scene.vault.points(scene.main)
    order = order_for(scene.dr, scene.vault, scene.main, point, changes)
    assert scene.dr.restore_by_order(order, tmp_path / "back").state is State.FAILED
    assert not (tmp_path / "back").exists()


def test_an_order_reads_only_what_it_names(scene: Office, tmp_path: Path) -> None:
    assert_good(scene.run())
    (point,) = scene.vault.points(scene.main)
    allowed = bytes(scene.source / "d0")
    order = order_for(scene.dr, scene.vault, scene.main, point, {"paths": (allowed,)})
    job = scene.dr.restore_by_order(order, tmp_path / "back", paths=(bytes(scene.source / "text"),))
    assert error_code(job) == "not-granted"
    order = order_for(scene.dr, scene.vault, scene.main, point, {"paths": (allowed,)})
    assert_good(scene.dr.restore_by_order(order, tmp_path / "back"))
    restored = tmp_path / "back" / scene.source.relative_to("/")
    assert (restored / "d0" / "e0" / "f0").read_bytes() == (scene.source / "d0" / "e0" / "f0").read_bytes()
    assert [path.name for path in restored.iterdir()] == ["d0"]


def test_a_restore_of_what_is_not_there(scene: Office, tmp_path: Path) -> None:
    assert_good(scene.run())
    (point,) = scene.vault.points(scene.main)
    order = order_for(scene.dr, scene.vault, scene.main, point, {"point": "f" * 32})
    assert error_code(scene.dr.restore_by_order(order, tmp_path / "back")) == "unknown-name"


def limits(machine: Machine, text: str) -> None:
    path = machine.home / "limits.toml"
    path.write_text(text)
    path.chmod(0o600)


def test_limits_bound_what_is_read_mirrored_and_restored(scene: Office, tmp_path: Path) -> None:
    limits(scene.dr, f'write = ["{tmp_path}/allowed"]')
    job = scene.run()
    assert {task.receiver: task.error.code for task in job.tasks if task.error} == {"dr": "outside-limits"}
    (point,) = scene.vault.points(scene.main)
    order = order_for(scene.dr, scene.vault, scene.main, point)
    assert error_code(scene.dr.restore_by_order(order, tmp_path / "elsewhere")) == "outside-limits"
    limits(scene.files1, 'read = ["/srv"]')
    assert error_code(scene.run()) == "outside-limits"


def test_what_broken_limits_keep_from_being_done_has_the_code_by_which_the_status_names_them(scene: Office, tmp_path: Path) -> None:
    assert_good(scene.run())
    (point,) = scene.vault.points(scene.main)
    for machine in (scene.files1, scene.dr):
        limits(machine, "read = [")
    assert error_code(scene.run()) == "limits-refused"
    order = order_for(scene.dr, scene.vault, scene.main, point)
    assert error_code(scene.dr.restore_by_order(order, tmp_path / "back")) == "limits-refused"


def test_hooks_run_around_the_capture_and_a_failing_one_stops_it(scene: Office, tmp_path: Path) -> None:
    hooks = tmp_path / "hooks"
    hooks.mkdir(mode=0o755)
    (hooks / "good").write_text(f'#!/bin/sh\necho "$HOLDFAST_PHASE $HOLDFAST_DATASET" >> {tmp_path}/said\n')
    (hooks / "bad").write_text("#!/bin/sh\necho no >&2\nexit 3\n")
    for script in hooks.iterdir():
        script.chmod(0o755)
    limits(scene.files1, f'read = ["/"]\nhooks = "{hooks}"')
    plan = scene.plans["files1"]

    def use(before: str, after: str) -> None:
        scene.documents = msgspec.structs.replace(scene.documents, hooks=Hooks(before=before, after=after))
        plan.datasets[:] = [scene.documents]
        scene.activate()

    use("good", "good")
    assert_good(scene.run())
    assert (tmp_path / "said").read_text() == "before files1/documents\nafter files1/documents\n"
    use("bad", "good")
    job = scene.run()
    assert (job.state, error_code(job)) == (State.FAILED, "hook-failed")
    assert len(scene.vault.points(scene.main)) == 1
    use("good", "bad")
    job = scene.run()
    assert job.state is State.WARNINGS
    assert "hook-failed" in {finding.code for finding in job.findings}


def test_a_repository_that_cannot_be_opened_is_a_problem_and_others_go_on(scene: Office, tmp_path: Path) -> None:
    assert_good(scene.run())
    scene.vault.stop()
    location = Path(scene.main.location)
    location.rename(location.with_name("away"))
    second = repository(scene.world, "second", scene.world.folder / "stores" / "second")
    scene.plans["vault"].repositories.append(second)
    scene.vault.start()
    scene.activate()
    problems = scene.vault.store_heard.of(Ready)[-1].problems
    assert [(problem.code, problem.context["repository"]) for problem in problems] == [("repository-missing", "main")]
    job = scene.run()
    assert {task.receiver: task.error.code for task in job.tasks if task.error} == {"vault": "repository-missing"}
    assert scene.vault.points(second) == ()
    location.with_name("away").rename(location)
    assert_good(scene.run())
    assert len(scene.vault.points(scene.main)) == 2


def test_a_password_is_made_once_and_only_its_owner_reads_it(scene: Office) -> None:
    key = scene.vault.home / "keys" / "main"
    assert key.stat().st_mode & 0o777 == 0o600
    assert scene.vault.restic(scene.main).password == key.read_text().strip()
    assert isinstance(scene.dr.ask(AskRepositoryEnv(repository="main")), Failed)


def test_somebody_elses_repository_is_not_taken(world: World, tmp_path: Path) -> None:
    owner, other = world.machine("owner"), world.machine("other")
    plan = MachineRules(owner)
    main = repository(world, "main", tmp_path / "store")
    plan.repositories.append(main)
    taking = MachineRules(other)
    taking.repositories.append(repository(world, "mine", tmp_path / "store"))
    world.activate(plan, taking)
    assert [problem.code for problem in other.store_heard.of(Ready)[-1].problems] == ["conflict"]
