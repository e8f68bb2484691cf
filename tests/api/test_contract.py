"""The OpenAPI document: complete, stable in its names, and true of real answers (every test of the Master checks those it gets)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from jsonschema import Draft202012Validator

from holdfast.core.errors import ErrorFacts
from holdfast.core.ids import DatasetId, JobId, NodeId, PointId, RepositoryId
from holdfast.model.anomalies import Anomaly, AnomalyJudged, AnomalyKind, AskJudgeAnomaly, Signal
from holdfast.model.archive_questions import ArchivedDataset, ArchiveTold, AskArchive, AskArchiveHold, HoldView
from holdfast.model.archiving import ArchivedFile
from holdfast.model.differences import AskDiff, Change, Difference, Differences, Fact, Totals
from holdfast.model.doctor import AskDoctor, Examined
from holdfast.model.document import DrillPlan
from holdfast.model.downloads import AskDownloadPort, DownloadPort
from holdfast.model.drills import DrillRecord, DrillStatus
from holdfast.model.explanations import AskExplain, Explanation, Explanations, Keeper
from holdfast.model.following import Following, FollowState
from holdfast.model.gaps import Gap, GapReason
from holdfast.model.jobs import Event, Finding, Job, Severity, State
from holdfast.model.listing_questions import AskFind, AskHistory, AskListing, AskPoints, Listings, Points
from holdfast.model.moments import AskMoment, AskMoments, Moment, Moments
from holdfast.model.node_status import NodeStatus, Protection
from holdfast.model.pausing import AskPause, Pause, PauseTold
from holdfast.model.point_changes import AskChangePoints, ChangedPoint, PointsChanged
from holdfast.model.points import Listing, LostListing, Point
from holdfast.model.questions import Answer, AskCancel, AskLimits, AskStatus, Done, JobsStarted, LimitsTold, Question
from holdfast.model.repository_status import RepositoryStatus
from holdfast.model.restoring import AskOrders, AskPauseJob, AskResumeJob, OrdersTold
from holdfast.model.sampling import AskFolders, AskSample, Folder, Folders, Sample
from holdfast.model.searching import AskSearch, FoundHere, FoundIn, Hit, Place, Placed
from holdfast.model.tail import AskTail, Doer, Tailed, TailEvent, TailKind
from holdfast.testing.message_services import web_hook
from holdfast.wire.identity import make_csr, new_key
from tests.master.masters import ONE_TO_TWO, Running, with_master

AT = datetime(2026, 1, 2, tzinfo=UTC)
DRILL = DrillStatus(
    dataset="files1/documents",
    dataset_id=DatasetId("d" * 32),
    plan=DrillPlan(check="books"),
    last=DrillRecord(dataset=DatasetId("d" * 32), label="files1/documents", at=AT, problem="the books do not balance"),
    due_at=AT,
)
ANOMALY = Anomaly(
    id="f" * 32,
    dataset="files1/documents",
    dataset_id=DatasetId("d" * 32),
    repository="main",
    found_at=AT,
    clean_at=AT,
    since=AT,
    signals=(Signal(kind=AnomalyKind.ENCRYPTED, count=9, usual=3, windows=1),),
)
JOB = "c" * 32
# Answered in tests of their own: a proof by a node's key, a stream, a cookie, a second person, a directory, texts.
OF_TWO = {("GET", "/approvals/{approval}"), ("POST", "/approvals/{approval}/approve"), ("POST", "/approvals/{approval}/refuse")}
OF_DIRECTORIES = {("POST", "/session/directory"), ("POST", "/session/directory/return"), ("POST", "/directories/{directory}/check")}
TEXTS = {("GET", "/metrics"), ("GET", "/logs/export"), ("GET", "/reports/{kind}/file")}
ELSEWHERE = {("POST", "/renew"), ("GET", "/events"), ("POST", "/session"), ("DELETE", "/session")} | OF_TWO | OF_DIRECTORIES | TEXTS


def an_owner(question: Question) -> Answer:
    """What a node says that owns the repository main and has run one job."""
    point = Point(
        id=PointId("a" * 32),
        dataset="files1/documents",
        dataset_id=DatasetId("d" * 32),
        operation="backup",
        repository="main",
        time=AT,
        files=1,
        bytes=2,
    )
    row = Listing(path="a", kind="file", mode=0o644, size_bytes=1, mtime_ns=2, path_raw=b"\xff")
    protection = Protection(
        dataset="files1/documents", dataset_id=DatasetId("d" * 32), operation="backup", receiver="vault", state=State.SUCCEEDED
    )
    match question:
        case AskPoints() | AskMoment():
            return Points(points=(point,))
        case AskChangePoints():
            return PointsChanged(changes=(ChangedPoint(point=point, outcome="changed"),))
        case AskExplain():
            keeper = Keeper(point=point.id, operation="backup", time=AT, reasons=("daily",))
            told = Explanation(
                repository="main",
                dataset="files1/documents",
                dataset_id=point.dataset_id,
                path="/srv/a",
                path_raw=b"\xff",
                kind="file",
                size_bytes=1,
                mtime_ns=1,
                current=True,
                keepers=(keeper,),
            )
            return Explanations(rows=(told,))
        case AskDownloadPort():
            return DownloadPort(port=7443)
        case AskArchive() | AskArchiveHold():
            hold = HoldView(name="case 7", since=AT, path="/srv", path_raw=b"\xff")
            kept = ArchivedDataset(
                dataset="files1/documents", dataset_id=point.dataset_id, repository="main", files=1, size_bytes=2, keep_s=1.0, holds=(hold,)
            )
            file = ArchivedFile(path="/srv/a", archived_at=AT, size_bytes=1, modified_at=AT, until=AT, holds=("case 7",), path_raw=b"\xff")
            return ArchiveTold(datasets=(kept,), files=(file,))
        case AskMoments():
            moment = Moment(address=PointId("d" * 32 + "@2026-01-02T00:00:00.000000Z"), time=AT, seq=1, files=1, size_bytes=2)
            gap = Gap(path=b"/srv", since=AT, until=AT, reason=GapReason.RESTART)
            return Moments(moments=(moment,), gaps=(gap,), oldest_at=AT)
        case AskDiff():
            difference = Difference(
                path="/srv/a", path_raw=b"\xff", change=Change.MOVED, facts=(Fact.MODE,), before=row, inside=Totals(added=1)
            )
            return Differences(rows=(difference,), a=point, b=point, totals=Totals(), lost=(LostListing(path="/srv", reason="damaged"),))
        case AskListing() | AskFind() | AskHistory():
            return Listings(rows=(row,), point=point if isinstance(question, AskListing) else None)
        case AskSearch():
            hit = Hit(path="/srv/a", path_raw=b"\xff", kind="file", mode=0o644, size_bytes=1, mtime_ns=2, versions=3, seen_at=AT)
            part = FoundIn(id="e" * 32, repository="main", hits=(Placed(Place(b"a", 1), hit),), seen=Place(b"a", 1))
            return FoundHere(parts=(part, FoundIn(id="f" * 32, repository="other", error=ErrorFacts("store-error", "the disk is gone"))))
        case AskStatus():
            repository = RepositoryStatus(
                id=RepositoryId("e" * 32), name="main", location="/srv/main", drills=(DRILL,), anomalies=(ANOMALY,)
            )
            return NodeStatus(node="vault", generation=1, protections=(protection,), repositories=(repository,))
        case AskJudgeAnomaly():
            return AnomalyJudged(anomalies=(ANOMALY,))
        case AskPause():
            return PauseTold(repository="main", pause=Pause(since=AT, by="root") if question.paused else None, changed=True)
        case AskFolders():
            return Folders(path="/srv", folders=(Folder(name="a", path="/srv/a", path_raw=b"\xff", mode=0o755),))
        case AskTail():
            event = TailEvent(
                number=1, time=AT, dataset="files1/documents", dataset_id=DatasetId("d" * 32), kind=TailKind.MOVED, who=Doer(pid=1)
            )
            following = Following(dataset="files1/documents", dataset_id=DatasetId("d" * 32), state=FollowState.FOLLOWING)
            return Tailed(events=(event,), life="a", last=1, following=(following,))
        case AskLimits():
            return LimitsTold(read=("/srv",))
        case AskSample():
            return Sample()
        case AskDoctor():
            return Examined(node="files1", version="1.0.0", findings=(Finding(code="clock", severity=Severity.WARNING, message="off"),))
        case AskCancel() | AskPauseJob() | AskResumeJob():
            return Done()
        case AskOrders():
            return OrdersTold()
    return JobsStarted(started=(a_job(State.QUEUED),))


def a_job(state: State, trigger: str = "") -> Job:
    return Job(id=JobId(JOB), node=NodeId(""), kind="run", rule="files1/documents", state=state, created_at=AT, trigger=trigger)


async def _read_everything(running: Running, trigger: str) -> None:
    for path in ("/health", "/ca", "/session", "/sessions", "/tokens", "/flows", "/jobs", f"/jobs/{JOB}", "/logs", "/nodes", "/points"):
        await running.get(path)
    for path in ("/environment", "/environment/revisions", "/environment/revisions/1", "/environment/document", "/status", "/repositories"):
        await running.get(path)
    for path in ("/flows/office/monitor", "/flows/office/tail", "/status/days", "/audit", "/audit/lines", "/audit/verification"):
        await running.get(path)
    await running.get(f"/triggers/{trigger}")
    await running.get("/approvals")
    await running.get("/approvals/rules")
    await running.get("/ls", point="a" * 32)
    await running.get("/ls", dataset="files1/documents", at="2h ago")
    await running.get("/find", pattern="*", ignore_case="true")
    page = await running.get("/search", name="a", match="regex", case="ignore", size=">0", state="deleted")
    await running.get("/search", ending="pdf", cursor=page["cursor"])
    await running.get("/history", path="/srv/documents/a")
    await running.get("/moments", dataset="files1/documents")
    await running.get("/mirrors")
    await running.get("/moments/before-deletion", dataset="files1/documents", path="/srv/a")
    await running.get("/diff", a="a" * 8, b="a" * 8)
    await running.get("/explain", path="/srv/a")
    await running.get("/repositories/main/growth")


async def _give_access(running: Running) -> None:
    await running.post("/users", {"name": "eva", "password": "correct horse"})
    await running.call("PUT", "/roles/clerk", {"activities": ["status.read"]})
    await running.call("PUT", "/resource-groups/files", {"nodes": ["files1"], "tags": ["linux"]})
    await running.post("/grants", {"user": "eva", "role": "clerk", "group": "files"})
    for path in ("/users", "/roles", "/resource-groups", "/grants", "/activities", "/session/access", "/access/of/eva"):
        await running.get(path)
    await running.get("/access/to", kind="node", name="files1")
    for path in ("/grants/eva/clerk/files", "/roles/clerk", "/resource-groups/files"):
        await running.call("DELETE", path)
    await running.post("/users/eva/password", {"password": "another horse"})
    for verb in ("disable", "enable"):
        await running.post(f"/users/eva/{verb}")
    await running.call("DELETE", "/users/eva")
    own = {"old_password": running.made.admin_password, "password": running.made.admin_password}
    await running.post("/session/password", own)


async def _log_in_from_a_browser(running: Running) -> None:
    for path in ("/session/ways", "/directories"):
        await running.get(path)
    for verb in ("refuse", "allow"):
        asked = await running.post("/login/requests")
        await running.get(f"/login/requests/{asked['code']}")
        await running.post(f"/login/requests/{asked['code']}/{verb}")
    await running.post("/login/requests/take", {"secret": asked["secret"]})


async def _bring_back(running: Running) -> None:
    await running.call("PUT", "/approvals/rules", {"acts": []})
    await running.get("/nodes/files1/doctor")
    await running.post("/nodes/files1/recall", {"paths": ["/srv/documents/old"], "dry_run": True})
    await running.post("/mounts", {"point": "a" * 32, "node": "files1"})


async def _foresee(running: Running) -> None:
    await running.post("/environment/plan", {"text": ONE_TO_TWO})
    await running.post("/environment/simulate", {"text": ONE_TO_TWO})
    await running.post("/schedules/paint", {"schedule": {"at": ["22:00"]}})
    await running.get("/schedules")


async def _pause(running: Running) -> None:
    await running.post("/repositories/main/pause", {"duration": "2h"})
    await running.get("/repositories/main/pause")
    await running.post("/repositories/main/resume")


async def _do_everything(running: Running, node: Any) -> str:
    await running.post("/login", {"user": "admin", "password": running.made.admin_password})
    await running.post("/tokens", {"name": "x"})
    await running.call("DELETE", "/tokens/x")
    page = {"X-Holdfast-Page": "1", "Sec-Fetch-Site": "same-origin"}
    body = {"user": "admin", "password": running.made.admin_password}
    opened = await running.anonymous.post("/api/v1/session", json=body, headers=page)
    await running.call("DELETE", f"/sessions/{opened.json()['id']}")
    await running.post("/session/links")
    await running.call("DELETE", f"/nodes/tokens/{(await running.post('/nodes/tokens', {}))['id']}")
    token = (await running.post("/nodes/tokens", {"name": "new", "hold": True}))["token"]
    await running.get("/nodes/tokens")
    await running.post("/join", {"token": token, "name": "new", "csr_pem": make_csr(new_key()).decode()})
    await running.post("/nodes/new/authorise")
    await _foresee(running)
    await running.post("/environment/merge", {"base_revision": 1, "text": "environment: bureau"})
    followed = ONE_TO_TWO.replace("carries: [documents/replicate]", "carries: [documents/replicate], mode: continuous")
    revision = (await running.apply(followed))["revision"]
    await running.post("/environment/edit", {"base_revision": revision, "operations": [{"op": "set", "path": ["nodes", "x"], "value": {}}]})
    for verb in ("compile", "activate"):
        await running.post(f"/flows/office/{verb}")
    trigger = (await running.post("/flows/office/trigger", {}))["trigger"]
    await node.report(
        1, (a_job(State.SUCCEEDED, trigger),), (Event(code="c", severity=Severity.INFO, message="m", node=NodeId(""), time=AT),)
    )
    await node.until(lambda: node.received == 1)
    for verb in ("cancel", "pause", "resume", "undo", "retry"):
        await running.post(f"/jobs/{JOB}/{verb}")
    await running.post("/repositories/main/check", {})
    await running.post("/repositories/main/prune", {"dry_run": True})
    await running.post("/repositories/main/repair", {"dry_run": True})
    await running.post("/repositories/main/scrub", {"ratio": 0.1})
    await running.post("/repositories/main/drill", {"dataset": "files1/documents", "sample": "1%"})
    await running.get("/drills")
    await running.get("/anomalies")
    await running.get("/archive", dataset="files1/documents")
    await running.get("/archive/plan")
    for change in ("hold", "release"):
        await running.post(f"/archive/{change}", {"dataset": "files1/documents", "name": "case 7"})
    await running.post("/anomalies/ffff/judge", {"confirmed": False})
    await running.post("/repositories/main/rebuild")
    await _pause(running)
    named = {"points": ["a" * 8]}
    await running.post("/points/tag", {**named, "add": ["x"]})
    await running.post("/points/lock", {**named, "duration": "30d"})
    await running.post("/points/expire", named)
    await running.post("/points/forget", {**named, "newest": True, "dry_run": True})
    await running.post("/datasets/forget", {"dataset": "files1/documents", "repository": "main"})
    await running.post("/restores", {"point": "a" * 32, "to": "/tmp/x", "repository": "main"})
    await running.post("/downloads", {"point": "a" * 32, "path": "/srv"})
    await _bring_back(running)
    await running.post("/nodes/vault/sample", {"classification": {"paths": ["/srv"]}})
    await running.post("/nodes/vault/folders", {})
    await running.get("/nodes/vault/rules")
    await running.post("/keep/preview", {"keep": {"daily": 7}, "every": "1h"})
    return trigger


async def _notify(running: Running) -> None:
    async with web_hook() as hook:
        await running.call("PUT", "/notifications/channels/ops", {"secret_url": f"json://127.0.0.1:{hook.port}/"})
        await running.post("/notifications/channels/ops/test")
        await running.call("PUT", "/notifications/rules/all", {"to": ["ops"], "after_s": 60})
        await running.get("/notifications")
        await running.get("/notifications/now")
        await running.call("PUT", "/report-schedules/weekly", {"kind": "drills", "at": ["mon 07:00"], "to": ["ops"]})
        await running.post("/report-schedules/weekly/send")
        await running.get("/report-schedules")
        await running.call("DELETE", "/report-schedules/weekly")
        await running.call("DELETE", "/notifications/rules/all")
        await running.call("DELETE", "/notifications/channels/ops")


@with_master
async def test_real_answers_of_every_route_keep_to_their_schema(running: Running) -> None:
    await running.connect("files1", "vault", "dr")
    for node in running.nodes.values():
        node.answer = an_owner
    trigger = await _do_everything(running, running.nodes["vault"])
    await _notify(running)
    await running.get("/reports/rpo")
    numbers = [line["number"] for line in (await running.get("/logs"))["events"]]
    await running.post("/logs/acknowledge", {"numbers": numbers, "comment": "seen"})
    await _read_everything(running, trigger)
    await _give_access(running)
    await _log_in_from_a_browser(running)
    await running.post("/flows/office/deactivate")
    await running.post("/protect", {"path": "/srv/x", "location": "/srv/y", "node": "vault"})
    await running.post("/master/backup/flow", {"node": "vault", "repository": "offsite"})
    await running.post("/master/backup/export")
    await running.get("/master/backup")
    await running.get("/nodes/upgrades")
    await running.post("/nodes/dr/move", {"dry_run": True})
    await running.post("/nodes/dr/rename", {"name": "far", "dry_run": True})
    await running.post("/nodes/dr/revoke")
    document = running.app.openapi()
    routes = {(method.upper(), path.removeprefix("/api/v1")) for path, item in document["paths"].items() for method in item}
    assert routes - running.answers.checked == ELSEWHERE


@with_master
async def test_the_document_is_complete_and_its_names_are_plain(running: Running) -> None:
    document = running.app.openapi()
    schemas = document["components"]["schemas"]
    assert all(re.fullmatch("[A-Z][A-Za-z]+", name) for name in schemas)
    for schema in schemas.values():
        Draft202012Validator.check_schema(schema)
    references = set(re.findall(r'"#/components/schemas/(\w+)"', str(document).replace("'", '"')))
    assert references <= set(schemas)
    operations = [operation for item in document["paths"].values() for operation in item.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names)
    assert all(set(operation["responses"]) - {"202"} == {"200", "default"} for operation in operations)
    assert all("422" not in operation["responses"] for operation in operations)
    assert all(set(schemas[name]["required"]) == set(schemas[name]["properties"]) for name in ("Job", "NodeView", "StatusView", "Snapshot"))
    assert "type" not in schemas["RepositoryRow"]["properties"]
