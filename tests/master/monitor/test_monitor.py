"""The monitor: the drawing in force, with what its nodes say; and what they do not say, said to be so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from holdfast.core.errors import ErrorFacts
from holdfast.core.ids import DatasetId, JobId, RepositoryId
from holdfast.model.bottleneck import Bottleneck, Place
from holdfast.model.change import Amount
from holdfast.model.following import Following, FollowState
from holdfast.model.gaps import Gap, GapReason
from holdfast.model.jobs import Finding, LaneProgress, Progress, Severity, State
from holdfast.model.keys import KitState, kit_findings
from holdfast.model.node_status import NodeStatus, Protection
from holdfast.model.promises import promises_of
from holdfast.model.repository_status import RepositoryStatus
from holdfast.model.rules import Rules
from holdfast.model.waits import Wait, WaitReason
from tests.master.machines import Machine
from tests.master.masters import ONE_TO_TWO, Running, with_master

AT = datetime(2026, 1, 2, 3, 0, tzinfo=UTC)
JOB = JobId("a" * 32)
AWAY = ErrorFacts("not-reachable", "dr does not answer", "", True)


def good(rules: Rules) -> tuple[Protection, ...]:
    """All that these rules promise, kept an hour ago."""
    return tuple(
        Protection(
            dataset=promise.delivery.label,
            dataset_id=promise.delivery.dataset,
            operation=promise.operation,
            receiver=promise.delivery.receiver_name,
            action_id=promise.action,  # type: ignore[arg-type]
            delivery=promise.delivery.id,
            state=State.SUCCEEDED,
            last_at=AT,
            newest_at=AT,
            due_at=AT + timedelta(hours=1),
        )
        for promise in promises_of(rules)
    )


def tell(machine: Machine, **changes: Any) -> None:
    """The node's answer; `changes` by operation are put over what is good."""
    rules = machine.node.taken[-1]
    protections = tuple(msgspec.structs.replace(p, **changes.get(p.operation, {})) for p in good(rules))
    repositories = tuple(RepositoryStatus(id=r.id, name=r.name, location=r.location) for r in rules.repositories)
    machine.status = NodeStatus(node=rules.node_name, generation=1, protections=protections, repositories=repositories)


async def office(running: Running, document: str = ONE_TO_TWO) -> dict[str, Machine]:
    await running.apply(document)
    await running.connect("files1", "vault", "dr")
    assert (await running.post("/flows/office/activate"))["valid"]
    machines = {name: Machine(node, number) for number, (name, node) in enumerate(running.nodes.items())}
    for machine in machines.values():
        tell(machine)
    return machines


async def look(running: Running) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """The answer, its vertices by name and its movers by their ends; what was known a moment ago is forgotten."""
    running.clock.offset_s += 2
    found = await running.get("/flows/office/monitor")
    vertices = {vertex["name"]: vertex for vertex in found["vertices"]}
    movers = {f"{mover['source']}->{mover['target']}": mover for mover in found["movers"]}
    return found, vertices, movers


@with_master
async def test_a_flow_that_is_well_says_so_on_every_vertex_and_mover(running: Running) -> None:
    await office(running)
    found, vertices, movers = await look(running)
    assert (found["flow"], found["state"], found["active_revision"], found["unreachable"]) == ("office", "active", 2, [])
    assert {name: (v["kind"], v["state"], v["datasets"]) for name, v in vertices.items()} == {
        "files": ("node", "ok", ["files1/documents"]),
        "store": ("repository", "ok", ["files1/documents"]),
        "copy": ("mirror", "ok", ["files1/documents"]),
        "far": ("repository", "ok", ["files1/documents"]),
    }
    assert vertices["far"]["nodes"] == [{"name": "dr", "state": "online"}]
    assert list(movers) == ["files->store", "files->copy", "store->far"]
    for mover in movers.values():
        assert (mover["state"], mover["lag_s"], mover["backlog_runs"], mover["backlog_bytes"]) == ("ok", 0, 0, 0)
        assert mover["protections_total"] == len(mover["protections"]) == 1
    assert movers["store->far"]["protections"][0]["operation"] == "backup"
    assert movers["files->copy"]["last_at"] == "2026-01-02T03:00:00Z"


@with_master
async def test_a_mover_tells_its_lag_backlog_and_what_runs(running: Running) -> None:
    machines = await office(running)
    late = {"newest_at": AT + timedelta(hours=3), "behind_runs": 3, "job": JOB, "state": State.RUNNING}
    tell(machines["files1"], replicate=late)
    (delivery,) = (d for d in machines["files1"].node.taken[-1].deliveries if d.receiver_name == "dr")
    held = Bottleneck(place=Place.NETWORK, share=0.9, message="the network to dr is what takes longest")
    lane = LaneProgress(
        delivery=delivery.id,
        dataset=delivery.label,
        receiver="dr",
        done_bytes=40,
        total_bytes=100,
        rate_bytes_s=7,
        waiting=True,
        bottleneck=held,
    )
    await machines["files1"].node.tell_progress(Progress(job=JOB, phase="sending", lanes=(lane,)))
    _, vertices, movers = await look(running)
    copy = movers["files->copy"]
    assert (copy["state"], copy["running_jobs"]) == ("running", [JOB])
    assert (copy["lag_s"], copy["backlog_runs"], copy["backlog_bytes"], copy["rate_bytes_s"]) == (10_800, 3, 60, 7)
    assert copy["bottleneck"] == {"place": "network", "share": 0.9, "message": "the network to dr is what takes longest"}
    assert (movers["files->store"]["state"], movers["files->store"]["bottleneck"]) == ("ok", None)
    assert (vertices["copy"]["state"], vertices["files"]["state"], vertices["store"]["state"]) == ("running", "running", "ok")


@with_master
async def test_what_is_followed_for_a_continuous_mover_is_told_with_the_flow(running: Running) -> None:
    machines = await office(
        running, ONE_TO_TWO.replace("carries: [documents/replicate]", "carries: [documents/replicate], mode: continuous")
    )
    (dataset,) = machines["files1"].node.taken[-1].datasets
    gap = Gap(path=b"/srv/\xff", since=AT, until=AT + timedelta(seconds=9), reason=GapReason.OVERFLOW)
    told = Following(dataset=dataset.label, dataset_id=dataset.id, state=FollowState.FOLLOWING, pending=3, gaps=(gap,))
    other = msgspec.structs.replace(told, dataset="files1/else", dataset_id=DatasetId("e" * 32))
    machines["files1"].status = msgspec.structs.replace(machines["files1"].status, following=(other, told))
    found, _, _ = await look(running)
    (row,) = found["following"]
    assert found["following_total"] == 1
    assert (row["node"], row["dataset"], row["state"], row["pending"]) == ("files1", "files1/documents", "following", 3)
    assert row["gaps"] == [{"path": "/srv/\\xff", "since": "2026-01-02T03:00:00Z", "until": "2026-01-02T03:00:09Z", "reason": "overflow"}]


@with_master
async def test_a_backlog_is_told_whole_or_not_at_all(running: Running) -> None:
    two = ONE_TO_TWO.replace("policies: [documents]", "policies: [documents, mail]").replace(
        "to: store, carries: [documents/backup]", "to: store, carries: [documents/backup, mail/backup]"
    )
    mail = "  mail: {classification: {paths: [/srv/mail]}, operations: {backup: {every: 1h, keep: {last: 5}}}}\n"
    machines = await office(running, two.replace("flows:\n", f"{mail}flows:\n"))
    tell(machines["files1"], backup={"job": JOB, "state": State.RUNNING})
    deliveries = [d for d in machines["files1"].node.taken[-1].deliveries if d.receiver_name == "vault"]
    assert len(deliveries) == 2
    lanes = [
        LaneProgress(delivery=d.id, dataset=d.label, receiver="vault", done_bytes=40, total_bytes=total)
        for d, total in zip(deliveries, (100, 0), strict=True)
    ]
    for told, backlog in ((lanes, None), (lanes[:1], None), ([msgspec.structs.replace(each, total_bytes=100) for each in lanes], 120)):
        await machines["files1"].node.tell_progress(Progress(job=JOB, phase="sending", lanes=tuple(told)))
        _, _, movers = await look(running)
        assert movers["files->store"]["backlog_bytes"] == backlog


@with_master
async def test_what_has_not_run_yet_is_not_hidden_by_what_is_well(running: Running) -> None:
    machines = await office(running)
    tell(machines["files1"], replicate={"state": State.UNKNOWN, "last_at": None, "newest_at": None})
    _, vertices, movers = await look(running)
    assert (movers["files->store"]["state"], movers["files->copy"]["state"], vertices["files"]["state"]) == ("ok", "off", "off")


@with_master
async def test_what_failed_is_on_its_mover_only(running: Running) -> None:
    machines = await office(running)
    tell(machines["files1"], replicate={"state": State.FAILED, "error": AWAY, "missed": 2, "overdue": True, "behind_runs": 2})
    tell(machines["vault"], backup={"state": State.SUCCEEDED, "overdue": True})
    low = Finding(code="low-disk", severity=Severity.ERROR, message="full")
    # That a repository has no kit and a machine no limits is said in `status`; the drawing shows how data moves.
    unlimited = Finding(code="no-limits", severity=Severity.WARNING, message="no limits.toml")
    findings = (low, unlimited, *kit_findings([("main", KitState.NEVER)]))
    machines["vault"].status = msgspec.structs.replace(machines["vault"].status, findings=findings)
    _, vertices, movers = await look(running)
    states = {name: mover["state"] for name, mover in movers.items()}
    assert states == {"files->store": "ok", "files->copy": "failed", "store->far": "overdue"}
    assert movers["files->copy"]["error"]["message"] == "dr does not answer"
    assert movers["files->copy"]["backlog_bytes"] is None
    assert {name: vertex["state"] for name, vertex in vertices.items()} == {
        "files": "failed",
        "store": "failed",
        "copy": "failed",
        "far": "overdue",
    }
    assert [f["finding"]["code"] for f in vertices["store"]["findings"]] == ["low-disk"]


@with_master
async def test_a_repository_that_cannot_be_opened_is_trouble_on_its_own_vertex_only(running: Running) -> None:
    machines = await office(running)
    gone = ErrorFacts("repository-missing", "not there: /srv/old", "", True)
    said = Finding(code="worker-problem", severity=Severity.ERROR, message=gone.message)
    vault = machines["vault"].status
    old = RepositoryStatus(id=RepositoryId("f" * 32), name="old", location="/srv/old", error=gone)
    machines["vault"].status = msgspec.structs.replace(vault, findings=(said,), repositories=(*vault.repositories, old))
    _, vertices, _ = await look(running)
    assert (vertices["store"]["state"], vertices["store"]["findings"]) == ("ok", [])
    repositories = tuple(msgspec.structs.replace(each, error=gone) for each in vault.repositories)
    machines["vault"].status = msgspec.structs.replace(vault, findings=(said,), repositories=repositories)
    _, vertices, _ = await look(running)
    assert vertices["store"]["state"] == "failed"
    assert [f["finding"]["code"] for f in vertices["store"]["findings"]] == ["worker-problem"]


@with_master
async def test_what_is_said_of_one_repository_is_on_no_other_of_its_machine(running: Running) -> None:
    machines = await office(running)
    vault = machines["vault"].status
    for repository, state in (("old", "ok"), ("main", "failed"), ("", "failed")):
        said = Finding(code="drill-failed", severity=Severity.ERROR, message="it proved nothing", repository=repository)
        machines["vault"].status = msgspec.structs.replace(vault, findings=(said,))
        _, vertices, _ = await look(running)
        assert (repository, vertices["store"]["state"]) == (repository, state)


@with_master
async def test_what_missed_runs_left_behind_is_told_in_changes_and_bytes_and_said_to_be_an_estimate(running: Running) -> None:
    machines = await office(running)
    behind = {"behind_runs": 2, "owed": Amount(7, 4_000), "behind_since": AT, "error": AWAY, "state": State.FAILED}
    tell(machines["files1"], replicate=behind)
    tell(machines["vault"], backup={**behind, "owed": None})
    _, _, movers = await look(running)
    facts = ("backlog_runs", "backlog_changes", "backlog_bytes", "backlog_since", "backlog_estimated")
    told = {name: tuple(mover[fact] for fact in facts) for name, mover in movers.items()}
    assert told == {
        "files->store": (0, 0, 0, None, False),
        "files->copy": (2, 7, 4_000, "2026-01-02T03:00:00Z", True),
        "store->far": (2, 0, None, "2026-01-02T03:00:00Z", False),
    }


@with_master
async def test_a_hop_says_why_it_waits_also_for_the_one_before_it(running: Running) -> None:
    machines = await office(running)
    _, _, movers = await look(running)
    assert [mover["waiting"] for mover in movers.values()] == [[], [], []]
    wait = Wait(reason=WaitReason.RECEIVER, what="vault", since=AT)
    gone = ErrorFacts("not-reachable", "vault does not answer", "", True)
    tell(machines["files1"], backup={"state": State.FAILED, "error": gone, "wait": wait})
    _, _, movers = await look(running)
    facts = ("reason", "what", "since", "why", "datasets")
    told = {name: [tuple(wait[fact] for fact in facts) for wait in mover["waiting"]] for name, mover in movers.items()}
    at = "2026-01-02T03:00:00Z"
    # As the rules name what stores.
    stored = movers["files->store"]["protections"][0]["action"] or "vault"
    assert told == {
        "files->store": [("receiver", "vault", at, "", 1)],
        "files->copy": [],
        "store->far": [("upstream", f"backup to {stored}", at, "vault does not answer", 1)],
    }
    running.clock.offset_s += 2
    rows = (await running.get("/status"))["protections"]
    assert {(row["receiver"], row["wait"]["reason"]) for row in rows if row["wait"]} == {("vault", "receiver"), ("dr", "upstream")}
    # What it says of itself goes first.
    tell(machines["vault"], backup={"wait": Wait(reason=WaitReason.JOB, what="files1/mail -> dr")})
    _, _, movers = await look(running)
    assert [w["reason"] for w in movers["store->far"]["waiting"]] == ["job"]


@with_master
async def test_a_silent_node_is_unknown_with_what_was_last_known(running: Running) -> None:
    machines = await office(running)
    await look(running)
    await machines["files1"].node.disconnect()
    await running.until_offline(machines["files1"].node.identity.node)
    found, vertices, movers = await look(running)
    assert [(silent["node"], silent["error"]["code"]) for silent in found["unreachable"]] == [("files1", "not-reachable")]
    assert (movers["files->store"]["state"], movers["files->store"]["last_at"]) == ("unknown", "2026-01-02T03:00:00Z")
    assert (movers["store->far"]["state"], vertices["far"]["state"]) == ("ok", "ok")
    assert vertices["files"]["nodes"] == [{"name": "files1", "state": "offline"}]
    assert (vertices["files"]["state"], vertices["files"]["findings_total"]) == ("unknown", 1)


@with_master
async def test_a_draft_has_nothing_to_show_and_an_edit_changes_nothing_that_is_in_force(running: Running) -> None:
    await running.apply(ONE_TO_TWO)
    await running.connect("files1", "vault", "dr")
    draft = await running.get("/flows/office/monitor")
    assert (draft["state"], draft["active_revision"], draft["vertices"], draft["movers"]) == ("draft", None, [], [])
    await office(running)
    await running.apply(ONE_TO_TWO.replace("copy: {mirror", "elsewhere: {mirror").replace("to: copy", "to: elsewhere"))
    found, vertices, _ = await look(running)
    assert found["state"] == "changed"
    assert "copy" in vertices
    unknown = await running.get("/flows/offce/monitor", status=404)
    assert "office" in unknown["error"]["hint"]


@with_master
async def test_a_machine_that_has_not_joined_is_told_apart(running: Running) -> None:
    await running.apply(ONE_TO_TWO)
    await running.connect("files1", "vault")
    assert (await running.post("/flows/office/activate"))["valid"]
    tell(Machine(running.nodes["files1"], 1))
    tell(Machine(running.nodes["vault"], 2))
    _, vertices, movers = await look(running)
    assert vertices["copy"]["nodes"] == [{"name": "dr", "state": "not-joined"}]
    assert (vertices["copy"]["state"], movers["store->far"]["state"]) == ("off", "off")


@with_master
async def test_looking_again_at_once_asks_nobody(running: Running) -> None:
    machines = await office(running)
    await look(running)
    before = len(machines["vault"].node.asked)
    await running.get("/flows/office/monitor")
    assert len(machines["vault"].node.asked) == before
