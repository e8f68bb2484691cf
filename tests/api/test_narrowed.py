"""Two people with a machine each, one repository for both: each sees, finds, restores and is told of what is theirs, and no more."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from holdfast.compiler.identities import repository_id
from holdfast.core.errors import UsageError
from holdfast.core.ids import DatasetId, JobId, NodeId, PointId
from holdfast.model.explanations import AskExplain, Explanation, Explanations
from holdfast.model.jobs import Event, Job, Severity, State
from holdfast.model.listing_questions import AskFind, AskHistory, AskListing, AskPoints, Listings, Points
from holdfast.model.moments import AskMoment, AskMoments, Moments
from holdfast.model.node_status import NodeStatus, Protection
from holdfast.model.point_changes import AskChangePoints, ChangedPoint, PointsChanged
from holdfast.model.points import Listing, Point
from holdfast.model.questions import Answer, AskStatus, JobsStarted, Question
from holdfast.model.repository_status import RepositoryStatus
from holdfast.model.searching import AskSearch, FoundHere, FoundIn, Hit, Place, Placed, decode_cursor
from tests.api.streams import subscribed
from tests.api.test_users_and_grants import As, as_user
from tests.master.masters import Running, with_master

AT = datetime(2026, 1, 2, tzinfo=UTC)
TWO_OF_THEM = """\
environment: office
nodes: {files1: {tags: [left]}, files2: {}, vault: {}}
repositories: {main: {node: vault, location: /srv/main}}
policies:
  documents: {classification: {paths: [/srv/documents]}, operations: {backup: {every: 1h, keep: {last: 50}}}}
flows:
  one:
    vertices: {files: {node: files1, policies: [documents]}, store: {repository: main}}
    movers: [{from: files, to: store, carries: [documents/backup]}]
  two:
    vertices: {files: {node: files2, policies: [documents]}, store: {repository: main}}
    movers: [{from: files, to: store, carries: [documents/backup]}]
"""


@dataclass
class Office:
    """The owner of the repository answers everything of both, as one that knows of no bounds would."""

    running: Running
    datasets: dict[str, DatasetId]
    asked: list[Question]

    def point(self, label: str) -> Point:
        identity = PointId(("a" if label.startswith("files1") else "b") * 32)
        return Point(
            id=identity, dataset=label, dataset_id=self.datasets[label], operation="backup", repository="main", time=AT, files=1, bytes=2
        )

    def answer(self, question: Question) -> Answer:
        self.asked.append(question)
        points = tuple(map(self.point, self.datasets))
        rows = tuple(
            Listing(path=f"/srv/{label}", kind="file", mode=0o644, size_bytes=1, mtime_ns=2, dataset=label, repository="main")
            for label in self.datasets
        )
        match question:
            case AskPoints():
                return Points(points=points)
            case AskMoment():
                return Points(points=tuple(p for p in points if question.dataset in (p.dataset, p.dataset_id)))
            case AskMoments():
                return Moments(moments=())
            case AskListing():
                return Listings(rows=rows[:1], point=next(p for p in points if p.id.startswith(question.point or "a")))
            case AskFind() | AskHistory():
                return Listings(rows=rows)
            case AskSearch():
                hits = tuple(Placed(Place(row.path.encode(), 1), self.hit(row)) for row in rows)
                return FoundHere(parts=(FoundIn(id="e" * 32, repository="main", hits=hits, seen=hits[-1].place),))
            case AskExplain():
                told = (
                    Explanation(
                        repository="main",
                        dataset=p.dataset,
                        dataset_id=p.dataset_id,
                        path="/srv/a",
                        kind="file",
                        size_bytes=1,
                        mtime_ns=1,
                        current=True,
                        keepers=(),
                    )
                    for p in points
                )
                return Explanations(rows=tuple(told))
            case AskChangePoints():
                meant = (p for p in points if any(p.id.startswith(each) for each in question.points))
                return PointsChanged(changes=tuple(ChangedPoint(point=p, outcome="changed") for p in meant))
            case AskStatus():
                protections = tuple(
                    Protection(dataset=p.dataset, dataset_id=p.dataset_id, operation="backup", receiver="vault", state=State.SUCCEEDED)
                    for p in points
                )
                store = RepositoryStatus(
                    id=repository_id(self.running.master.base.environment.id, "main"), name="main", location="/srv/main"
                )
                return NodeStatus(node="vault", generation=1, protections=protections, repositories=(store,))
        return JobsStarted(started=(a_job("c", "files1/documents"),))

    def hit(self, row: Listing) -> Hit:
        return Hit(**{name: getattr(row, name) for name in row.__struct_fields__}, versions=1, seen_at=AT)


def a_job(letter: str, label: str, node: str = "") -> Job:
    return Job(
        id=JobId(letter * 32),
        node=NodeId(node),
        kind="run",
        rule=label,
        state=State.SUCCEEDED,
        created_at=AT,
        datasets=(label,) if "/" in label else (),
    )


async def the_office(running: Running) -> Office:
    await running.connect("files1", "files2", "vault")
    await running.apply(TWO_OF_THEM)
    for flow in ("one", "two"):
        await running.post(f"/flows/{flow}/activate")
    labels = ("files1/documents", "files2/documents")
    known = {each.resource.name: DatasetId(each.id) for each in (await running.master.landscapes.now()).datasets}
    office = Office(running, {label: known[label] for label in labels}, [])
    for node in running.nodes.values():
        node.answer = office.answer
    vault = running.nodes["vault"]
    jobs = (a_job("1", "files1/documents"), a_job("2", "files2/documents"), a_job("3", "check main"))
    events = tuple(Event(code="c", severity=Severity.INFO, message=name, node=NodeId(""), time=AT) for name in ("x",))
    await vault.report(1, jobs, events)
    await vault.until(lambda: vault.received == 1)
    await running.call("PUT", "/resource-groups/left", {"tags": ["left"]})
    await running.call("PUT", "/resource-groups/second", {"flows": ["two"]})
    await running.call("PUT", "/resource-groups/store", {"repositories": ["main"]})
    return office


async def _sees_the_lines_of_the_left_node(running: Running, eva: As) -> None:
    files1 = running.nodes["files1"]
    mine = Event(code="c", severity=Severity.INFO, message="mine", node=files1.identity.node, time=AT)
    await files1.report(1, (), (mine,))
    await files1.until(lambda: files1.received == 1)
    assert [line["message"] for line in (await eva.get("/logs"))["events"]] == ["mine"]
    assert {"x", "mine"} <= {line["message"] for line in (await running.get("/logs"))["events"]}
    await eva.get("/logs", status=404, node="vault")
    await eva.get("/logs", status=404, flow="two")


@with_master
async def test_lists_show_what_is_theirs(running: Running) -> None:
    await the_office(running)
    eva = await as_user(running, "eva", "restorer", "left")
    assert [node["name"] for node in (await eva.get("/nodes"))["nodes"]] == ["files1"]
    assert (await eva.get("/flows"))["flows"] == []
    assert [point["dataset"] for point in (await eva.get("/points"))["points"]] == ["files1/documents"]
    assert [job["id"][0] for job in (await eva.get("/jobs"))["jobs"]] == ["1"]
    await _sees_the_lines_of_the_left_node(running, eva)
    assert (await eva.get("/repositories"))["repositories"] == []
    status = await eva.get("/status")
    assert {each["dataset"] for each in status["protections"]} == {"files1/documents"}
    assert (status["datasets"], [node["name"] for node in status["nodes"]]) == (1, ["files1"])
    assert {each["dataset"] for each in (await eva.get("/status/days"))["datasets"]} == {"files1/documents"}
    assert {row["dataset"] for row in (await eva.get("/find", pattern="*"))["rows"]} == {"files1/documents"}
    assert {row["dataset"] for row in (await eva.get("/history", path="/srv/a"))["rows"]} == {"files1/documents"}
    assert {row["dataset"] for row in (await eva.get("/explain", path="/srv/a"))["rows"]} == {"files1/documents"}
    assert "files2" not in str(await eva.get("/session/access"))
    max_ = await as_user(running, "max", "restorer", "second")
    assert [flow["name"] for flow in (await max_.get("/flows"))["flows"]] == ["two"]
    assert [point["dataset"] for point in (await max_.get("/points"))["points"]] == ["files2/documents"]
    keeper = await as_user(running, "keeper", "restorer", "store")
    assert len((await keeper.get("/points"))["points"]) == 2
    assert {each["name"] for each in (await keeper.get("/repositories"))["repositories"]} == {"main"}
    assert (await keeper.get("/nodes"))["nodes"] == []


@with_master
async def test_a_search_is_asked_within_bounds_and_its_cursor_tells_nothing(running: Running) -> None:
    office = await the_office(running)
    eva = await as_user(running, "eva", "restorer", "left")
    found = await eva.get("/search", name="d", limit=2)
    assert {hit["dataset"] for hit in found["hits"]} == {"files1/documents"}
    asked = next(question for question in office.asked if isinstance(question, AskSearch))
    assert asked.within is not None
    assert set(asked.within.datasets) == {office.datasets["files1/documents"]}
    assert found["cursor"]
    with pytest.raises(UsageError):
        decode_cursor(found["cursor"])
    await eva.get("/search", name="d", cursor=found["cursor"])
    open_cursor = (await running.get("/search", name="d"))["cursor"]
    await eva.get("/search", name="d", cursor=open_cursor, status=400)


@with_master
async def test_what_is_not_theirs_is_not_there(running: Running) -> None:
    await the_office(running)
    eva = await as_user(running, "eva", "admin", "left")
    theirs, others = "a" * 32, "b" * 32
    await eva.get("/ls", point=theirs)
    await eva.get("/ls", status=404, point=others)
    await eva.get("/moments", status=404, dataset="files2/documents")
    await eva.get("/jobs/1111")
    for path in ("/jobs/2222", "/flows/two/monitor", "/nodes/files2/rules", "/repositories/main/growth"):
        await eva.get(path, status=404)
    calls: list[tuple[str, str, object]] = [
        ("POST", "/flows/two/trigger", {}),
        ("POST", "/flows/two/activate", {}),
        ("POST", "/repositories/main/check", {}),
        ("POST", "/nodes/files2/folders", {}),
        ("POST", "/nodes/files2/revoke", {}),
        ("POST", "/nodes/files2/recall", {"paths": ["/srv/a"]}),
        ("POST", "/jobs/2222/cancel", {}),
        ("POST", "/jobs/2222/retry", {}),
        ("POST", "/points/tag", {"points": [others], "add": ["x"]}),
        ("POST", "/points/forget", {"points": [others]}),
        ("POST", "/downloads", {"point": others, "path": "/srv"}),
        ("POST", "/mounts", {"point": others, "node": "files1"}),
        ("POST", "/mounts", {"point": theirs, "node": "files2"}),
        ("POST", "/restores", {"point": others, "to": "/tmp/x", "node": "files1"}),
        ("POST", "/restores", {"point": theirs, "to": "/tmp/x", "node": "files2"}),
        ("POST", "/restores", {"dataset": "files2/documents", "to": "/tmp/x", "node": "files1"}),
        ("POST", "/archive/hold", {"dataset": "files2/documents", "name": "x"}),
    ]
    for method, path, body in calls:
        error = (await eva.call(method, path, body, status=404))["error"]
        assert error["code"] == "unknown-name"
    # The environment as a whole is nobody's who has a part of it, whatever the role says.
    for method, path in (("GET", "/environment"), ("GET", "/audit"), ("GET", "/users"), ("POST", "/nodes/tokens")):
        await eva.refused(method, path, {} if method == "POST" else None)
    await eva.call("POST", "/points/tag", {"points": [theirs], "add": ["x"]})
    await eva.call("POST", "/restores", {"point": theirs, "to": "/tmp/x"})


@with_master
async def test_what_they_see_and_may_not_do_is_refused_with_what_is_missing(running: Running) -> None:
    await the_office(running)
    eva = await as_user(running, "eva", "viewer", "left")
    await running.call("PUT", "/roles/mover", {"activities": ["data.restore", "points.change"]})
    await running.post("/grants", {"user": "eva", "role": "mover", "group": "second"})
    message = await eva.refused("POST", "/points/tag", {"points": ["a" * 32], "add": ["x"]})
    assert "points.change" in message
    assert "files1/documents" in message
    assert "node files1" in await eva.refused("POST", "/restores", {"point": "b" * 32, "to": "/tmp/x", "node": "files1"})


@with_master
async def test_a_token_is_narrowed_to_its_group(running: Running) -> None:
    await the_office(running)
    made = await running.post("/tokens", {"name": "ci", "group": "left"})
    ci = As(running, made["token"])
    assert [node["name"] for node in (await ci.get("/nodes"))["nodes"]] == ["files1"]
    assert [point["dataset"] for point in (await ci.get("/points"))["points"]] == ["files1/documents"]
    await ci.refused("GET", "/environment")


@with_master
async def test_live_events_tell_what_is_theirs_and_end_with_the_grant(running: Running) -> None:
    await the_office(running)
    await as_user(running, "eva", "viewer", "left")
    token = (await running.post("/login", {"user": "eva", "password": "correct horse battery"}))["token"]
    async with subscribed(running.app, {"Authorization": f"Bearer {token}"}) as events:
        first = await events.next("snapshot")
        assert [node["name"] for node in first.data["nodes"]] == ["files1"]
        assert [job["id"][0] for job in first.data["jobs"]] == ["1"]
        assert first.data["flows"] == []
        assert first.data["environment"]["author"] == ""
        vault = running.nodes["vault"]
        await vault.report(2, (a_job("5", "files2/documents"), a_job("6", "files1/documents")))
        told = await events.next("job")
        assert told.data["job"]["id"][0] == "6"
        await running.post("/grants", {"user": "eva", "role": "viewer", "group": "second"})
        again = await events.next("snapshot")
        assert [flow["name"] for flow in again.data["flows"]] == ["two"]
        for group in ("left", "second"):
            await running.call("DELETE", f"/grants/eva/viewer/{group}")
        assert (await events.next("end")).data["code"] == "refused"
        await events.ended()
