"""Limits on how many jobs run at once: on a node by its scheduler, at a repository by who is let in."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.core.clock import now
from holdfast.core.errors import ErrorFacts, RepositoryBusy
from holdfast.core.ids import DatasetId, NodeId, PointId
from holdfast.model.jobs import State
from holdfast.model.maintenance import Check
from holdfast.model.orders import RestoreRequest
from holdfast.model.questions import AskTrigger
from holdfast.model.restoring import AskRestore
from holdfast.model.rules import DatasetRule, Hooks, Receive, RepositoryRule, Rules
from holdfast.model.waits import Wait, WaitReason
from holdfast.node.owned.delivery_places import COMES_AGAIN_S, DeliveryPlaces
from holdfast.node.planning.starting import LONG_RUN, Room, Starting
from holdfast.node.workers.asides import RUNS_AT_ONCE
from holdfast.node.workers.messages import RunCascade, RunDatasets, RunMaintenance, RunRestore
from holdfast.testing.node_rules import DOCUMENTS, FILES1, MAIL, MAIN, STORE, VAULT, source_rules, store_rules
from holdfast.testing.virtual_clock import VirtualClock
from tests.node.planning.test_scheduler import AWAY, START, World

FULL = RepositoryBusy("full", repository="main", why="2 jobs deliver there at once").facts()


def limited(most: int, cascades: int = 3) -> Rules:
    """`vault` forwards one dataset to several places."""
    rules = store_rules()
    (cascade,) = rules.cascades
    many = tuple(msgspec.structs.replace(cascade, id=f"cascade-{n}") for n in range(cascades))
    return msgspec.structs.replace(rules, cascades=many, parallel_jobs=most)


def check(world: World) -> RunMaintenance:
    return RunMaintenance(job=world.book.new_job("check", "main", "trigger"), repository=MAIN, task=Check())


def test_a_node_runs_so_many_jobs_at_once_the_oldest_first_and_the_others_say_for_whom_they_wait(world: World) -> None:
    world.begin(msgspec.structs.replace(limited(2), parallel_jobs=None))
    for cascade in list(world.cascades()):
        world.finish(cascade)
    world.sent.clear()
    world.scheduler.set_rules(limited(2))
    world.scheduler.trigger(AskTrigger(trigger="t", cascades=("cascade-0", "cascade-1", "cascade-2")))
    world.scheduler.tick()
    first, second = world.cascades()
    held = next(live for live in world.book.queued)
    assert held.job.wait == Wait(reason=WaitReason.LIMIT, what="node vault", why="2 jobs run there at once", job=first.job.id)
    # The record that people see, and what is promised, say the same.
    assert world.journal.job(held.job.id) == held.job
    assert [each.wait.reason if each.wait else None for each in world.scheduler.protections()] == [None, None, WaitReason.LIMIT]
    world.scheduler.queue(check(world))
    world.finish(second)
    (third,) = world.cascades()[2:]
    assert third.job.id == held.job.id
    assert world.journal.job(held.job.id) == msgspec.structs.replace(held.job, wait=None)
    world.finish(first)
    assert isinstance(world.sent[-1], RunMaintenance)


def test_a_restore_waits_for_no_place(world: World) -> None:
    world.begin(limited(1, cascades=1))
    ask = AskRestore(point=PointId("1" * 32), request=RestoreRequest(target="/srv/back"))
    world.scheduler.queue(RunRestore(job=world.book.new_job("restore", "x", "trigger"), ask=ask))
    world.scheduler.tick()
    assert isinstance(world.sent[-1], RunRestore)


def test_the_next_run_does_not_go_before_what_waits_longer_for_a_place(world: World) -> None:
    source, store = source_rules(every_s=10**6), store_rules()
    world.begin(msgspec.structs.replace(source, repositories=store.repositories, parallel_jobs=1))
    (run,) = world.runs()
    world.scheduler.queue(check(world))
    world.scheduler.trigger(AskTrigger(trigger="t", datasets=(MAIL,), accept=True))
    world.scheduler.tick()
    world.finish(run)
    assert isinstance(world.sent[-1], RunMaintenance)
    assert len(world.runs()) == 1


def test_runs_begin_one_after_the_other_but_none_waits_for_one_that_takes_long(world: World) -> None:
    world.begin(source_rules(every_s=10**6))
    for run in world.runs():
        world.finish(run)
    world.sent.clear()
    for dataset in (DOCUMENTS, MAIL):
        world.scheduler.trigger(AskTrigger(trigger="t", datasets=(dataset,), accept=True))
    world.scheduler.tick()
    (first,) = world.runs()
    (held,) = world.book.queued
    world.scheduler.job_news(msgspec.structs.replace(first.job, state=State.RUNNING, started_at=now(world.clock)))
    world.pass_time(LONG_RUN.total_seconds() - 1)
    assert len(world.runs()) == 1
    assert held.job.wait is not None
    assert (held.job.wait.reason, held.job.wait.job) == (WaitReason.JOB, first.job.id)
    world.pass_time(2)
    assert [run.job.id for run in world.runs()] == [first.job.id, held.job.id]
    assert held.job.wait is None
    # Of the same dataset there is never more than one.
    world.scheduler.trigger(AskTrigger(trigger="t", datasets=(DOCUMENTS,), accept=True))
    world.pass_time(1_000)
    assert len(world.runs()) == 2


def with_one_hook(rule: DatasetRule) -> DatasetRule:
    return msgspec.structs.replace(rule, hooks=Hooks(before="stop", after="start"))


def below_each_other(rule: DatasetRule) -> DatasetRule:
    paths = ("/srv/all",) if rule.id == DOCUMENTS else ("/srv/all/mail", "/etc")
    return msgspec.structs.replace(rule, classification=msgspec.structs.replace(rule.classification, paths=paths))


@pytest.mark.parametrize("joined", [with_one_hook, below_each_other])
def test_runs_that_share_a_hook_or_paths_never_go_on_at_once(world: World, joined: Callable[[DatasetRule], DatasetRule]) -> None:
    """One would start what the other has stopped, or wait for what the other has claimed."""
    rules = source_rules(every_s=10**6)
    datasets = tuple(map(joined, rules.datasets))
    starting = Starting(world.book, world.send, clock=world.clock)
    for rule in datasets:
        job = world.book.new_job("run", rule.label, "schedule")
        world.book.add(RunDatasets(job=job, datasets=(rule.id,), operations={rule.id: ("backup",)}))
    for _ in range(2):
        starting.start(msgspec.structs.replace(rules, datasets=datasets), Room.ENOUGH)
        (first,) = world.book.sent
        world.book.update(msgspec.structs.replace(first.job, state=State.RUNNING, started_at=now(world.clock)))
        world.clock.advance(LONG_RUN.total_seconds() + 1)
    waits = [held.job.wait for held in world.book.queued]
    assert [wait.job for wait in waits if wait is not None] == [first.job.id] * len(waits)
    world.journal.close()


def test_only_so_many_runs_go_on_at_once(world: World) -> None:
    starting = Starting(world.book, world.send, clock=world.clock)
    for number in range(RUNS_AT_ONCE + 2):
        dataset = DatasetId(f"d{number}")
        job = world.book.new_job("run", f"r{number}", "schedule")
        world.book.add(RunDatasets(job=job, datasets=(dataset,), operations={dataset: ("backup",)}))
    for number in range(RUNS_AT_ONCE + 2):
        starting.start(source_rules(), Room.ENOUGH)
        runs = world.book.sent
        assert len(runs) == min(number + 1, RUNS_AT_ONCE)
        world.book.update(msgspec.structs.replace(runs[-1].job, state=State.RUNNING, started_at=now(world.clock)))
        world.clock.advance(LONG_RUN.total_seconds() + 1)
    assert starting.next_run_at() is None
    world.book.update(world.book.end(world.book.sent[1].job, State.SUCCEEDED, None))
    starting.start(source_rules(), Room.ENOUGH)
    assert len(world.book.sent) == RUNS_AT_ONCE
    world.journal.close()


@settings(max_examples=20, deadline=None)
@given(most=st.integers(1, 3), steps=st.lists(st.one_of(st.integers(0, 4), st.just("end")), max_size=25))
def test_never_more_than_the_limit_and_each_in_its_turn(
    tmp_path_factory: pytest.TempPathFactory, most: int, steps: list[int | str]
) -> None:
    world = World(tmp_path_factory.mktemp("limits"))
    rules = limited(most, cascades=5)
    starting = Starting(world.book, world.send, clock=world.clock)
    begun: list[str] = []
    for step in (*steps, *["end"] * len(steps)):
        if isinstance(step, int):
            world.book.add(RunCascade(job=world.book.new_job("cascade", f"c{step}", "points"), cascade=f"cascade-{step}"))
        elif world.book.sent:
            live = world.book.sent[0]
            world.book.update(world.book.end(live.job, State.SUCCEEDED, None))
        starting.start(rules, Room.ENOUGH)
        assert len(world.book.sent) <= most
        # Who waits says so, and nobody waits while there is a place for it.
        assert all(live.job.wait is not None for live in world.book.queued)
        waiting = {live.job.wait.reason for live in world.book.queued if live.job.wait}
        assert len(world.book.sent) == most or WaitReason.LIMIT not in waiting
        begun += [live.job.id for live in world.book.sent if live.job.id not in begun]
    assert world.book.live == ()
    world.journal.close()


def test_a_repository_that_has_no_place_free_is_no_fault_and_is_asked_again_every_minute(world: World) -> None:
    world.begin(source_rules(every_s=10**6))
    run = world.runs()[0]
    world.scheduler.job_news(msgspec.structs.replace(run.job, state=State.RUNNING))
    told = msgspec.structs.replace(world.ended(run.job, FULL, captured=False), state=State.WARNINGS)
    world.scheduler.job_news(told)
    protection = world.protection()
    assert (protection.error, protection.missed, protection.state) == (None, 0, State.UNKNOWN)
    assert protection.wait is not None
    assert (protection.wait.reason, protection.wait.what) == (WaitReason.LIMIT, "repository main")
    for _ in range(70):
        before = len(world.runs())
        world.pass_time(61)
        assert len(world.runs()) == before + 1
        world.finish(world.runs()[-1], FULL, captured=False)
    world.pass_time(61)
    world.finish(world.runs()[-1])
    assert world.protection().wait is None


def test_a_point_that_was_not_made_because_the_repository_was_busy_is_missed(world: World) -> None:
    world.begin(source_rules(every_s=3600))
    world.finish(world.runs()[0], FULL, captured=False)
    for _ in range(5 * 60):
        if world.book.sent:
            world.finish(world.runs()[-1], FULL, captured=False)
        world.pass_time(60)
    assert (world.protection().missed, world.protection().error) == (4, None)
    while not world.book.sent:
        world.pass_time(10)
    world.finish(world.runs()[-1])
    assert world.protection().missed == 0
    told, report = [], world.journal.next_report()
    while report is not None:
        told += [event.message for event in report.events if event.code == "points-missed"]
        report = world.journal.next_report(report.number)
    wanted = "4 points of files1/{} were missed while the receiver was away or had no place free"
    assert set(told) == {wanted.format(what) for what in ("documents (backup)", "documents (replicate)", "mail (backup)")}


def test_a_dataset_waits_for_a_place_whatever_else_went_wrong_in_its_job(world: World) -> None:
    world.begin(source_rules(every_s=10**6))
    run = world.runs()[0]
    world.scheduler.job_news(msgspec.structs.replace(run.job, state=State.RUNNING))
    world.acknowledge(DOCUMENTS, STORE, ("backup",), FULL)
    world.acknowledge(MAIL, STORE, ("backup",), AWAY)
    world.scheduler.job_news(world.ended(run.job, AWAY, captured=True))
    assert {key: retry.for_a_place for key, retry in world.scheduler._retries.entries().items()} == {DOCUMENTS: True, MAIL: False}


def receive(sender: NodeId = FILES1, dataset: DatasetId = DOCUMENTS, comes_by: str = "run") -> Receive:
    return Receive(dataset=dataset, label="x", sender=sender, actions=(), comes_by=comes_by)  # type: ignore[arg-type]


def test_a_repository_lets_in_so_many_jobs_whatever_they_bring() -> None:
    places, rule = DeliveryPlaces(VirtualClock(START)), RepositoryRule(id=MAIN, name="main", location="/srv/main", parallel_jobs=2)
    places.configure((rule,))
    one = [places.take(MAIN, receive(dataset=dataset), "files1") for dataset in (DOCUMENTS, MAIL)]
    cascade = places.take(MAIN, receive(VAULT, comes_by="cascade"), "vault")
    assert places.told(MAIN).delivering == 2
    # Another cascade of the same machine is a job of its own; what is followed is none.
    for refused in (receive(VAULT, MAIL, "cascade"), receive(NodeId("9" * 32))):
        with pytest.raises(RepositoryBusy, match="main has no place free: 2 jobs deliver there at once, now files1, vault with x"):
            places.take(MAIN, refused, "other")
    places.take(MAIN, receive(NodeId("9" * 32), comes_by="following"), "other")()
    one.pop()()
    assert places.told(MAIN).delivering == 2
    one.pop()()
    # Of those who were refused the cascade was the first, so the other waits for the next.
    with pytest.raises(RepositoryBusy, match="; other with x waited first"):
        places.take(MAIN, receive(NodeId("9" * 32)), "other")
    places.take(MAIN, receive(VAULT, MAIL, "cascade"), "vault")()
    places.take(MAIN, receive(NodeId("9" * 32)), "other")
    told = places.told(MAIN)
    assert [(each.node, each.dataset) for each in told.holders] == [("vault", "x"), ("other", "")]
    assert told.waiting == ()
    cascade()
    assert places.told(MAIN).delivering == 1
    places.configure((msgspec.structs.replace(rule, parallel_jobs=None),))
    for number in range(5):
        places.take(MAIN, receive(NodeId(f"{number}" * 32)), "other")


def test_a_place_is_for_who_waits_longest_as_long_as_it_comes_again() -> None:
    clock = VirtualClock(START)
    places = DeliveryPlaces(clock)
    places.configure((RepositoryRule(id=MAIN, name="main", location="/srv/main", parallel_jobs=1),))
    nodes = {name: receive(NodeId(name * 32)) for name in "abc"}

    def is_refused(name: str) -> bool:
        with suppress(RepositoryBusy):
            ends[name] = places.take(MAIN, nodes[name], name)
            return False
        return True

    ends: dict[str, Callable[[], None]] = {}
    assert [is_refused(name) for name in "abc"] == [False, True, True]
    first = ends["a"]
    # The sessions of its run come together; one that comes later, while others wait, is of another run.
    assert not is_refused("a")
    for _ in range(10):
        clock.advance(61)
        assert is_refused("b")
        assert is_refused("c")
    assert is_refused("a")
    told = places.told(MAIN)
    assert ([each.node for each in told.waiting], told.waiting_total) == (["b", "c"], 2)
    assert {each.since for each in (*told.holders, *told.waiting)} == {now(VirtualClock(START))}
    first()
    ends["a"]()
    assert [is_refused(name) for name in "acb"] == [True, True, False]
    # Who does not come again has lost its turn.
    clock.advance(COMES_AGAIN_S + 1)
    ends["b"]()
    assert places.told(MAIN).waiting == ()
    assert not is_refused("a")


def test_what_waits_its_turn_is_told_apart_from_what_is_wrong() -> None:
    assert RepositoryBusy.says(FULL)
    assert not RepositoryBusy.says(ErrorFacts("no-space", "full", "", True))
