"""Triggers in stages, restores with signed orders, and questions whose owners may be silent."""

from __future__ import annotations

import asyncio
import base64
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from holdfast.core.errors import ErrorFacts, OutsideLimits, UnknownName
from holdfast.core.ids import DatasetId, Epoch, JobId, PointId
from holdfast.model.change import Cursor
from holdfast.model.differences import AskDiff, Change, Difference, Differences
from holdfast.model.jobs import Job, Progress, State
from holdfast.model.maintenance import Check
from holdfast.model.mirrors import AskMirrors, Mirrors, MirrorState, Stand
from holdfast.model.moments import AskMoment, AskMoments, Moment, Moments, address_of
from holdfast.model.orders import RestoreOrder, signed_bytes_of_order
from holdfast.model.points import Listing, Point
from holdfast.model.questions import (
    Answer,
    AskCancel,
    AskFind,
    AskHistory,
    AskJobs,
    AskListing,
    AskMaintenance,
    AskPoints,
    AskRestore,
    AskRetry,
    AskStatus,
    AskTrigger,
    Done,
    Jobs,
    JobsStarted,
    Listings,
    NodeStatus,
    Points,
    Protection,
    Question,
    RepositoryStatus,
)
from holdfast.model.rules import MirrorAction
from holdfast.model.searching import FIRST, AskSearch, FoundHere, FoundIn, Hit, Place, Placed
from holdfast.model.trials import AskDrill
from holdfast.testing.simulated_node import SimulatedNode
from holdfast.wire.authority import verify_signature
from tests.master.masters import ONE_TO_TWO, Running, running_master, with_master

NODES = ("files1", "vault", "dr")
MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class Machine:
    """What a simulated node answers: it starts the jobs it is asked for and knows how they stand."""

    def __init__(self, node: SimulatedNode, number: int) -> None:
        self.node, self.number = node, number
        self.jobs: dict[JobId, Job] = {}
        self.points: tuple[Point, ...] = ()
        self.status = NodeStatus(node="", generation=1)
        self.reports, self.began = 0, MOMENT
        self.ends: State | None = State.SUCCEEDED
        node.answer = self.answer

    def answer(self, question: Question) -> Answer:
        match question:
            case AskTrigger() | AskRestore() | AskDrill() | AskMaintenance():
                return self._start(question)
            case AskJobs(jobs=wanted):
                return Jobs(jobs=tuple(self.jobs[job] for job in wanted if job in self.jobs))
            case AskPoints(dataset=dataset):
                return Points(points=tuple(p for p in self.points if dataset in ("", p.dataset, p.dataset_id)))
            case AskMoment(dataset=dataset, at=at):
                mine = [p for p in self.points if dataset in (p.dataset, p.dataset_id) and (at is None or p.time <= at)]
                if not mine:
                    raise UnknownName(f"no point of {dataset!r} here")
                return Points(points=(max(mine, key=lambda p: p.time),))
            case AskMoments():
                moment = Moment(address=address_of(DatasetId("d" * 32), MOMENT), time=MOMENT, seq=1, files=3, size_bytes=9)
                return Moments(moments=(moment,) * self.number, gaps=(), more=False)
            case AskListing(point="", dataset=dataset, at=at):
                mine = [p for p in self.points if p.dataset == dataset and (at is None or p.time <= at)]
                if not mine:
                    raise UnknownName(f"no point of {dataset!r} here")
                return Listings(rows=(), point=max(mine, key=lambda p: p.time))
            case AskDiff(a=a, b=b):
                sides = [[p for p in self.points if p.id.startswith(wanted) or "@" in wanted] for wanted in (a, b)]
                if not all(sides):
                    raise UnknownName(f"no point {a!r} here")
                return Differences(rows=(Difference(path=f"/{self.number}", change=Change.ADDED),), a=sides[0][-1], b=sides[1][-1])
            case AskHistory(path=path):
                row = Listing(path=path.decode(), kind="file", mode=0, size_bytes=0, mtime_ns=0, points=self.number)
                return Listings(rows=(row,) * (path != b"/never"))
            case AskListing(point=prefix, path=path):
                if not (mine := [p for p in self.points if p.id.startswith(prefix)]):
                    raise UnknownName(f"no point {prefix!r} here")
                row = Listing(path=path.decode("utf-8", "replace"), path_raw=path, kind="dir", mode=self.number, size_bytes=0, mtime_ns=0)
                return Listings(rows=(row,), point=mine[0])
            case AskFind(pattern=pattern):
                return Listings(rows=(Listing(path=f"/{self.number}/{pattern}", kind="file", mode=0, size_bytes=0, mtime_ns=0),))
            case AskSearch(places=places, search=search, limit=limit):
                return self._search(places.get(f"{self.number:032x}", FIRST), search.name, limit)
            case AskStatus():
                return self.status
            case AskCancel():
                return Done()
            case AskRetry(job=job):
                return JobsStarted(started=(msgspec.structs.replace(self.jobs[job], id=JobId("e" * 32)),))
            case _:
                raise UnknownName("what?")

    def _search(self, after: Place | None, name: str, limit: int) -> FoundHere:
        """Three paths; of the third machine nothing but an error."""
        identity, repository = f"{self.number:032x}", f"r{self.number}"
        if self.number == 3:
            return FoundHere(parts=(FoundIn(id=identity, repository=repository, error=ErrorFacts("store-error", "the disk is gone")),))
        if after is None:
            return FoundHere(parts=())
        found = [Place(f"{name}{letter}".encode(), self.number) for letter in "abc"]
        hits = [Placed(p, Hit(path=f"/{p.name.decode()}", kind="file", mode=0, size_bytes=0, mtime_ns=0)) for p in found if p > after]
        seen = hits[limit - 1].place if len(hits) > limit else None
        return FoundHere(parts=(FoundIn(id=identity, repository=repository, hits=tuple(hits[:limit]), seen=seen),))

    def _start(self, ask: AskTrigger | AskRestore | AskMaintenance | AskDrill) -> JobsStarted:
        identity = JobId(f"{self.number:016x}{len(self.jobs):016x}")
        state = self.ends or State.RUNNING
        self.jobs[identity] = Job(
            id=identity,
            node=self.node.identity.node,
            kind="drill" if isinstance(ask, AskDrill) else "run",
            rule="files1/documents",
            state=state,
            created_at=self.began + timedelta(seconds=len(self.jobs)),
            trigger=ask.trigger,
        )
        return JobsStarted(started=(self.jobs[identity],))

    async def end_all(self, state: State) -> None:
        self.jobs = {key: msgspec.structs.replace(job, state=state) for key, job in self.jobs.items()}
        self.reports += 1
        await self.node.report(self.reports, tuple(self.jobs.values()))


async def _office(running: Running, *online: str, document: str = ONE_TO_TWO) -> dict[str, Machine]:
    await running.connect(*NODES)
    await running.apply(document)
    await running.post("/flows/office/activate")
    for name in sorted(set(NODES) - set(online or NODES)):
        await running.nodes[name].disconnect()
        await running.until_offline(running.nodes[name].identity.node)
    return {name: Machine(running.nodes[name], number) for number, name in enumerate(NODES, start=1)}


async def _finished(running: Running, trigger: str) -> Any:
    while not (view := await running.get(f"/triggers/{trigger}", wait_s=5))["done"]:
        pass
    return view


def asked(machine: Machine, kind: type[Any]) -> list[Any]:
    return [question for question in machine.node.asked if isinstance(question, kind)]


@with_master
async def test_sources_first_then_cascades(running: Running) -> None:
    machines = await _office(running)
    machines["files1"].ends = None
    started = await running.post("/flows/office/trigger", {"policy": "", "operation": "", "accept": True})
    trigger = started["trigger"]
    files1, vault = machines["files1"], machines["vault"]
    await files1.node.until(lambda: bool(files1.jobs))
    assert not vault.jobs
    assert files1.node.asked
    assert asked(files1, AskTrigger)[0].accept
    await files1.node.tell_progress(Progress(job=next(iter(files1.jobs)), phase="sending", done_bytes=9))
    await files1.end_all(State.SUCCEEDED)
    view = await _finished(running, trigger)
    assert view["state"] == "succeeded"
    assert len(view["jobs"]) == 2
    assert asked(vault, AskTrigger)[0].cascades
    assert not asked(machines["dr"], AskTrigger)
    assert set(view) == {"id", "flow", "state", "done", "jobs", "progress", "problems"}


@with_master
async def test_a_failed_or_warned_job_shows_in_the_state(running: Running) -> None:
    machines = await _office(running)
    for ends, state in ((State.WARNINGS, "warnings"), (State.FAILED, "failed"), (State.CANCELLED, "failed")):
        machines["files1"].ends = ends
        started = await running.post("/flows/office/trigger", {})
        assert (await _finished(running, started["trigger"]))["state"] == state


@with_master
async def test_an_offline_node_is_a_problem_and_the_others_go_on(running: Running) -> None:
    machines = await _office(running, "files1", "dr")
    started = await running.post("/flows/office/trigger", {})
    view = await _finished(running, started["trigger"])
    assert view["state"] == "failed"
    assert [(p["node"], p["error"]["code"]) for p in view["problems"]] == [("vault", "not-reachable")]
    assert len(machines["files1"].jobs) == 1


@with_master
async def test_a_job_the_node_forgot_ends_unknown(running: Running) -> None:
    machines = await _office(running)
    files1 = machines["files1"]
    files1.ends = None
    started = await running.post("/flows/office/trigger", {"operation": "replicate"})
    await files1.node.until(lambda: bool(asked(files1, AskJobs)))
    files1.jobs.clear()
    running.clock.offset_s = 10
    while not (view := await running.get(f"/triggers/{started['trigger']}", wait_s=0.02))["done"]:
        running.master.base.news.tell()
    assert view["state"] == "failed"
    assert [job["state"] for job in view["jobs"]] == ["unknown"]


@with_master
async def test_a_selection_narrows_and_nothing_is_an_error(running: Running) -> None:
    machines = await _office(running)
    view = await _finished(running, (await running.post("/flows/office/trigger", {"operation": "replicate"}))["trigger"])
    assert view["state"] == "succeeded"
    assert asked(machines["files1"], AskTrigger)[0].operations == ("replicate",)
    assert not machines["vault"].jobs
    await running.post("/flows/office/trigger", {"policy": "other"}, status=404)
    await running.post("/flows/other/trigger", {}, status=404)
    await running.get("/triggers/nothing", status=404)


def test_a_trigger_outlives_the_master(tmp_path: Path) -> None:
    async def main() -> None:
        async with running_master(tmp_path) as first:
            machines = await _office(first)
            machines["files1"].ends = None
            trigger = (await first.post("/flows/office/trigger", {}))["trigger"]
            await first.nodes["files1"].until(lambda: bool(asked(machines["files1"], AskJobs)))
            nodes = first.nodes
        async with running_master(tmp_path, tmp_path / "master") as second:
            second.nodes = nodes
            await second.connect(*NODES)
            await machines["files1"].end_all(State.SUCCEEDED)
            view = await _finished(second, trigger)
            assert view["state"] == "succeeded"
            assert len(asked(machines["files1"], AskTrigger)) == 1
            assert len(machines["vault"].jobs) == 1

    asyncio.run(main())


def _point(number: int, repository: str, hour: int, dataset_id: str) -> Point:
    return Point(
        id=PointId(f"{number:032x}"[::-1]),
        dataset="files1/documents",
        dataset_id=DatasetId(dataset_id),
        operation="backup",
        repository=repository,
        time=datetime(2026, 1, 1, hour, tzinfo=UTC),
        files=1,
        bytes=2,
    )


async def with_points(running: Running, document: str = ONE_TO_TWO) -> dict[str, Machine]:
    machines = await _office(running, document=document)
    dataset = machines["files1"].node.taken[-1].datasets[0].id
    machines["vault"].points = (_point(1, "main", 1, dataset), _point(2, "main", 3, dataset))
    machines["dr"].points = (_point(1, "offsite", 1, dataset),)
    return machines


@with_master
async def test_a_restore_order_is_signed_for_the_right_reader(running: Running) -> None:
    machines = await with_points(running)
    point = _point(2, "main", 3, "").id
    body = {"point": point[:8], "paths": ["/srv/documents/a%FF"], "to": "/back", "dry_run": True, "limit_bytes_s": 5}
    started = await running.post("/restores", body)
    assert started["point"]["id"] == point
    assert set(started) == {"trigger", "job", "point", "lacks", "refusal"}
    (ask,) = asked(machines["files1"], AskRestore)
    order = msgspec.json.decode(ask.order.body, type=RestoreOrder)
    assert verify_signature(running.master.base.authority.signing_public, signed_bytes_of_order(ask.order.body), ask.order.signature)
    assert (order.reader, order.owner) == (machines["files1"].node.identity.node, machines["vault"].node.identity.node)
    assert order.owner_address == "vault.test:7442"
    assert order.paths == ask.paths == (b"/srv/documents/a\xff",)
    assert order.repository == machines["vault"].node.taken[-1].repositories[0].id
    assert timedelta(minutes=55) < order.expires_at - running.master.base.now() <= timedelta(hours=1)
    assert (ask.request.target, ask.request.dry_run, ask.request.limit_bytes_s) == ("/back", True, 5)
    assert ask.trigger == started["trigger"]
    assert (await _finished(running, started["trigger"]))["state"] == "succeeded"
    second = await running.post("/restores", body)
    assert second["job"] != started["job"]
    orders = [msgspec.json.decode(a.order.body, type=RestoreOrder).id for a in asked(machines["files1"], AskRestore)]
    assert len(set(orders)) == 2


@with_master
async def test_a_mount_gets_lasting_orders_for_each_copy_and_one_reader(running: Running) -> None:
    machines = await with_points(running)
    granted = await running.post("/mounts", (of := {"dataset": "files1/documents", "node": "files1"}) | {"at": "2026-01-01T02:00:00Z"})
    assert granted["point"]["time"] == "2026-01-01T01:00:00Z"
    bodies = [base64.b64decode(each["body"]) for each in granted["orders"]]
    orders = [msgspec.json.decode(body, type=RestoreOrder) for body in bodies]
    assert {order.owner for order in orders} == {machines[name].node.identity.node for name in ("vault", "dr")}
    assert all(order.lasting and order.reader == machines["files1"].node.identity.node and order.paths == () for order in orders)
    signature = base64.b64decode(granted["orders"][0]["signature"])
    assert verify_signature(running.master.base.authority.signing_public, signed_bytes_of_order(bodies[0]), signature)
    assert "2026-01-01T01:00:00Z" in str(await running.post("/mounts", of | {"at": "2025-12-31T00:00:00Z"}, status=404)), "the oldest"
    for wrong, status in (({"node": ""}, 400), ({"node": "nobody"}, 404), ({"point": "abcd"}, 400)):
        await running.post("/mounts", of | wrong, status=status)


@with_master
async def test_a_dataset_at_a_time_is_the_newest_point_before_it(running: Running) -> None:
    machines = await with_points(running)
    wish = {"dataset": "files1/documents", "to": "/back"}
    early = await running.post("/restores", {**wish, "at": "2026-01-01T02:00:00Z"})
    assert early["point"]["time"] == "2026-01-01T01:00:00Z"
    assert (await running.post("/restores", wish))["point"]["time"] == "2026-01-01T03:00:00Z"
    await running.post("/restores", {**wish, "at": "2025-01-01"}, status=404)
    await running.post("/restores", {**wish, "point": "abcd"}, status=400)
    await running.post("/restores", {"to": "/back"}, status=400)
    await running.post("/restores", {**wish, "node": "nobody"}, status=404)
    assert len(asked(machines["files1"], AskRestore)) == 2


@with_master
async def test_an_address_is_what_was_newest_then_and_moments_are_told_once(running: Running) -> None:
    machines = await with_points(running)
    started = await running.post("/restores", {"point": "files1/documents@2026-01-01T02:00:00Z", "to": "/back"})
    assert started["point"]["time"] == "2026-01-01T01:00:00Z"
    await running.post("/restores", {"point": "files1/documents@noon", "to": "/back"}, status=404)
    assert len(asked(machines["files1"], AskRestore)) == 1
    found = await running.get("/moments", dataset="files1/documents", since="2026-01-01", limit=5)
    assert len(found["moments"]) == 1
    assert found["moments"][0]["address"] == "d" * 32 + "@2026-01-02T03:04:05.000000Z"


@with_master
async def test_a_copy_on_the_readers_own_machine_is_preferred(running: Running) -> None:
    machines = await with_points(running)
    point = _point(1, "main", 1, "").id
    await running.post("/restores", {"point": point, "to": "/back", "node": "dr"})
    (ask,) = asked(machines["dr"], AskRestore)
    order = msgspec.json.decode(ask.order.body, type=RestoreOrder)
    assert order.owner == order.reader == machines["dr"].node.identity.node


@with_master
async def test_what_the_reader_refuses_is_the_answer(running: Running) -> None:
    machines = await with_points(running)
    answer = machines["files1"].answer

    def refuse(question: Question) -> Answer:
        if isinstance(question, AskRestore):
            raise OutsideLimits("/etc is outside", hint="limits.toml")
        return answer(question)

    machines["files1"].node.answer = refuse
    said = await running.post("/restores", {"point": _point(1, "main", 1, "").id, "to": "/etc"}, status=403)
    assert (said["error"]["code"], said["error"]["message"]) == ("outside-limits", "files1 refuses: /etc is outside")


@with_master
async def test_a_job_is_known_as_soon_as_its_id_is(running: Running) -> None:
    """Before the node reports it, when it is reported late or out of turn, and when the node has gone."""
    machines = await with_points(running)
    files1 = machines["files1"]
    files1.ends = None
    first, second = [await running.post("/restores", {"dataset": "files1/documents", "to": "/back"}) for _ in range(2)]
    for started in (first, second):
        job = await running.get(f"/jobs/{started['job']}")
        assert (job["state"], job["node_name"], job["trigger"]) == ("running", "files1", started["trigger"])
        assert [known["id"] for known in (await running.get(f"/triggers/{started['trigger']}"))["jobs"]] == [started["job"]]
    await files1.node.disconnect()
    await running.until_offline(files1.node.identity.node)
    assert (await running.get(f"/jobs/{second['job']}"))["state"] == "running"
    await running.post(f"/jobs/{second['job']}/cancel", status=503)
    await running.post("/restores", {"dataset": "files1/documents", "to": "/back"}, status=503)
    await running.connect("files1")
    await files1.end_all(State.FAILED)
    assert (await _finished(running, first["trigger"]))["state"] == "failed"
    assert (await running.get(f"/jobs/{first['job']}"))["state"] == "failed"


@with_master
async def test_the_jobs_of_a_check_and_of_a_flow_are_known_before_they_are_reported(running: Running) -> None:
    machines = await _office(running)
    for machine in machines.values():
        machine.ends = None
    checked = await running.post("/repositories/main/check", {"read_data": False})
    (job,) = (await running.get(f"/triggers/{checked['trigger']}"))["jobs"]
    assert (await running.get(f"/jobs/{job['id']}"))["id"] == job["id"]
    ran = await running.post("/flows/office/trigger", {})
    while not (jobs := (await running.get(f"/triggers/{ran['trigger']}", wait_s=5))["jobs"]):
        pass
    assert (await running.get(f"/jobs/{jobs[0]['id']}"))["state"] == "running"
    assert (await running.get("/jobs", trigger=ran["trigger"]))["jobs"]


@with_master
async def test_points_of_silent_owners_are_named(running: Running) -> None:
    machines = await with_points(running)
    assert [p["repository"] for p in (await running.get("/points"))["points"]] == ["main", "offsite", "main"]
    await machines["dr"].node.disconnect()
    await running.until_offline(machines["dr"].node.identity.node)
    found = await running.get("/points")
    assert len(found["points"]) == 2
    assert [(u["repository"], u["node"], u["error"]["code"]) for u in found["unreachable"]] == [("offsite", "dr", "not-reachable")]
    assert (await running.get("/points", repository="main"))["unreachable"] == []
    await running.get("/points", repository="nothing", status=404)
    assert len((await running.get("/find", pattern="x"))["rows"]) == 1
    searched = await running.get("/search", name="x", match="part")
    assert [(u["repository"], u["node"]) for u in searched["unreachable"]] == [("offsite", "dr")]


@with_master
async def test_a_search_is_merged_page_by_page(running: Running) -> None:
    await with_points(running)
    shown, cursor = [], ""
    for _ in range(10):
        page = await running.get("/search", name="x", limit=2, cursor=cursor)
        shown += [hit["path"] for hit in page["hits"]]
        assert [(each["repository"], each["error"]["code"]) for each in page["unreachable"]] == [("r3", "store-error")]
        cursor = page["cursor"]
        if not cursor:
            break
    assert shown == ["/xa", "/xb", "/xc"]
    assert "place" not in page
    refused = await running.get("/search", name="x(", match="regex", status=400)
    assert (refused["error"]["context"]["place"], refused["error"]["context"]["position"]) == ("name", "2")
    await running.get("/search", status=400)
    await running.get("/search", name="x", cursor="?", status=400)


@with_master
async def test_listings_take_any_bytes(running: Running) -> None:
    await with_points(running)
    point = _point(2, "main", 3, "").id
    rows = (await running.get("/ls", point=point, path="/srv/%FF%2B+ a"))["rows"]
    assert rows[0]["path_raw"] == "L3Nydi//Kysg" + "YQ=="
    await running.get("/ls", point="ffffffff", status=404)


@with_master
async def test_a_dataset_at_a_time_is_listed_where_its_newest_point_is(running: Running) -> None:
    machines = await with_points(running)
    told = {name: sorted(machine.points, key=lambda p: p.time) for name, machine in machines.items()}
    newest = max((points[-1] for points in told.values() if points), key=lambda p: p.time)
    found = await running.get("/ls", dataset=newest.dataset, path="/srv")
    assert (found["point"]["id"], found["point"]["repository"]) == (newest.id, newest.repository)
    oldest = min((points[0] for points in told.values() if points), key=lambda p: p.time)
    assert (await running.get("/ls", dataset=oldest.dataset, at=oldest.time.isoformat()))["point"]["id"] == oldest.id
    await running.get("/ls", dataset=oldest.dataset, at=(oldest.time - timedelta(seconds=1)).isoformat(), status=404)
    for wrong in ({}, {"point": newest.id, "dataset": newest.dataset}):
        await running.get("/ls", **wrong, status=400)
    rows = (await running.get("/history", path="/srv/a%2520b"))["rows"]
    assert [(row["path"], row["points"]) for row in rows] == [("/srv/a%20b", machines[name].number) for name in ("dr", "vault")]
    await machines["dr"].node.disconnect()
    await running.until_offline(machines["dr"].node.identity.node)
    silent = await running.get("/ls", dataset=newest.dataset)
    assert [gap["repository"] for gap in silent["unreachable"]] == ["offsite"]


@with_master
async def test_points_are_compared_where_both_are(running: Running) -> None:
    machines = await with_points(running)
    both = {"a": _point(1, "main", 1, "").id, "b": _point(2, "main", 3, "").id}
    found = await running.get("/diff", **both, path="/srv/%FF", recursive="true")
    assert [row["path"] for row in found["rows"]] == [f"/{machines['vault'].number}"]
    assert (found["a"]["id"], found["b"]["id"], found["unreachable"]) == (both["a"], both["b"], [])
    moments = dict.fromkeys(both, "files1/documents@2026-01-01T04:00:00Z")
    assert (await running.get("/diff", **moments))["b"]["id"] == both["b"]
    await running.get("/diff", **{**both, "b": "f" * 8}, status=404)
    await running.get("/diff", **both, limit=100_000, status=400)
    await machines["dr"].node.disconnect()
    await running.until_offline(machines["dr"].node.identity.node)
    assert (await running.get("/diff", **both))["unreachable"] == []
    assert [gap["repository"] for gap in (await running.get("/diff", **moments))["unreachable"]] == ["offsite"]


@with_master
async def test_status_merges_and_does_not_hide_the_silent(running: Running) -> None:
    machines = await _office(running)
    dataset = machines["files1"].node.taken[-1].datasets[0].id
    good = Protection(
        dataset="files1/documents", dataset_id=dataset, operation="backup", receiver="main", state=State.SUCCEEDED, last_at=MOMENT
    )
    machines["files1"].status = NodeStatus(node="files1", generation=1, protections=(good,))
    repository = machines["vault"].node.taken[-1].repositories[0]
    machines["vault"].status = NodeStatus(
        node="vault",
        generation=1,
        repositories=(RepositoryStatus(id=repository.id, name="main", location="/srv/main"),),
    )
    status = await running.get("/status")
    assert status["ok"]
    assert status["repositories"][0]["node"] == "vault"
    machines["files1"].status = NodeStatus(
        node="files1", generation=1, protections=(msgspec.structs.replace(good, overdue=True, state=State.FAILED),)
    )
    status = await running.get("/status")
    assert (status["ok"], status["datasets"], status["overdue"], status["failed"]) == (False, 1, 0, 1)
    await machines["files1"].node.disconnect()
    await running.until_offline(machines["files1"].node.identity.node)
    status = await running.get("/status")
    backup = next(p for p in status["protections"] if p["operation"] == "backup" and p["dataset"] == "files1/documents")
    assert (status["ok"], backup["state"], backup["last_at"]) == (False, "unknown", "2026-01-02T03:04:05Z")
    assert backup["error"]["code"] == "not-reachable"
    assert {"replicate", "backup"} <= {p["operation"] for p in status["protections"]}
    assert [f["node"] for f in status["findings"] if f["code"] == "node-silent"] == ["files1"]


@with_master
async def test_checks_and_cancels_go_to_the_node(running: Running) -> None:
    machines = await _office(running)
    started = await running.post("/repositories/main/check", {"read_data": True})
    assert (await _finished(running, started["trigger"]))["state"] == "succeeded"
    (ask,) = asked(machines["vault"], AskMaintenance)
    assert ask.task == Check(read_data=True)
    job = next(iter(machines["vault"].jobs))
    assert (await running.post(f"/jobs/{job}/cancel"))["id"] == job
    assert asked(machines["vault"], AskCancel) == [AskCancel(job=job)]
    assert [(each["id"], each["node_name"]) for each in (await running.post(f"/jobs/{job}/retry"))["jobs"]] == [("e" * 32, "vault")]
    await running.post("/repositories/nothing/check", {"read_data": False}, status=404)


def _mirror(running: Running, machines: dict[str, Machine], seq: int, hour: int) -> MirrorState:
    receive = next(r for r in machines["dr"].node.taken[-1].receives if any(isinstance(a, MirrorAction) for a in r.actions))
    action = next(a for a in receive.actions if isinstance(a, MirrorAction))
    stand = Stand(cursor=Cursor(Epoch("e"), seq), captured_at=datetime(2026, 1, 1, hour, tzinfo=UTC), files=3, size_bytes=9)
    return MirrorState(action=action.id, dataset=receive.label, dataset_id=receive.dataset, targets=action.targets, stand=stand)


async def _with_a_mirror(running: Running, seq: int, hour: int) -> dict[str, Machine]:
    machines = await with_points(running)
    stands = [msgspec.structs.replace(p, seq=p.time.hour, epoch=Epoch("e")) for p in machines["vault"].points]
    machines["vault"].points = tuple(stands)
    dr, state = machines["dr"], _mirror(running, machines, seq, hour)
    answer = dr.answer
    dr.points = ()
    dr.node.answer = lambda question: Mirrors(mirrors=(state,)) if isinstance(question, AskMirrors) else answer(question)
    return machines


def _orders(ask: AskRestore) -> list[RestoreOrder]:
    return [msgspec.json.decode(signed.body, type=RestoreOrder) for signed in (ask.order, *ask.spares) if signed is not None]


@with_master
async def test_a_mirror_that_is_equal_to_the_point_is_one_of_its_copies(running: Running) -> None:
    machines = await _with_a_mirror(running, 3, 3)
    wish = {"dataset": "files1/documents", "to": "/back"}
    await running.post("/restores", wish)
    orders = _orders(asked(machines["files1"], AskRestore)[-1])
    assert [(bool(o.mirror), o.stands_at, o.names_only) for o in orders] == [(False, None, False), (True, Cursor(Epoch("e"), 3), False)]
    # Of an older point it is none, but for its own machine.
    await running.post("/restores", {**wish, "at": "2026-01-01T02:00:00Z"})
    assert len(_orders(asked(machines["files1"], AskRestore)[-1])) == 1
    await running.post("/restores", {**wish, "at": "2026-01-01T02:00:00Z", "node": "dr"})
    orders = _orders(asked(machines["dr"], AskRestore)[-1])
    assert [(bool(o.mirror), o.stands_at) for o in orders] == [(True, None), (False, None)]


@with_master
async def test_a_mirror_that_is_named_gives_the_content_and_repositories_the_names(running: Running) -> None:
    machines = await _with_a_mirror(running, 3, 3)
    (row,) = (await running.get("/mirrors"))["mirrors"]
    assert (row["name"], row["dataset"], row["online"], row["stand"]["cursor"]["seq"]) == ("dr:/srv/mirror", "files1/documents", True, 3)
    wish = {"dataset": "files1/documents", "to": "/back", "repository": "dr:/srv/mirror"}
    started = await running.post("/restores", wish)
    assert started["point"]["repository"] == "dr:/srv/mirror"
    orders = _orders(asked(machines["files1"], AskRestore)[-1])
    assert [(bool(o.mirror), o.names_only) for o in orders] == [(True, False), (False, True)]
    await running.post("/restores", {**wish, "at": "2026-01-01T02:00:00Z"}, status=409)
    await running.post("/restores", {**wish, "repository": "vault:/srv/mirror"}, status=404)
    await running.post("/restores", {**wish, "dataset": "", "point": _point(1, "main", 1, "").id}, status=409)
    assert (await running.post("/restores", {**wish, "dataset": "", "point": _point(2, "main", 3, "").id}))["job"]
    explained = await running.get("/explain", path="/srv/documents/a")
    assert [(m["name"], m["path"], m["online"]) for m in explained["mirrors"]] == [("dr:/srv/mirror", "/srv/mirror/a", True)]


@with_master
async def test_where_no_repository_answers_the_newest_mirror_is_taken(running: Running) -> None:
    machines = await _with_a_mirror(running, 9, 9)
    await machines["vault"].node.disconnect()
    await running.until_offline(machines["vault"].node.identity.node)
    wish = {"dataset": "files1/documents", "to": "/back"}
    assert (await running.post("/restores", wish))["point"]["time"] == "2026-01-01T09:00:00Z"
    (order,) = _orders(asked(machines["files1"], AskRestore)[-1])
    assert (bool(order.mirror), order.stands_at) == (True, Cursor(Epoch("e"), 9))
    await running.post("/restores", {**wish, "at": "2026-01-01T08:00:00Z"}, status=503)
    await machines["dr"].node.disconnect()
    await running.until_offline(machines["dr"].node.identity.node)
    (row,) = (await running.get("/mirrors"))["mirrors"]
    assert (row["online"], row["stand"]) == (False, None)
