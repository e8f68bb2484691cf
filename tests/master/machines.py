"""Simulated nodes that start the jobs they are asked for, hold points and answer; and an office of three of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from holdfast.core.errors import ErrorFacts, UnknownName
from holdfast.core.ids import DatasetId, JobId, PointId
from holdfast.model.differences import AskDiff, Change, Difference, Differences
from holdfast.model.jobs import Job, State
from holdfast.model.listing_questions import AskFind, AskHistory, AskListing, AskPoints, Listings, Points
from holdfast.model.moments import AskMoment, AskMoments, Moment, Moments, address_of
from holdfast.model.node_status import NodeStatus
from holdfast.model.points import Listing, Point
from holdfast.model.questions import (
    Answer,
    AskCancel,
    AskJobs,
    AskMaintenance,
    AskRetry,
    AskStatus,
    AskTrigger,
    Done,
    Jobs,
    JobsStarted,
    Question,
)
from holdfast.model.restoring import AskRestore
from holdfast.model.searching import FIRST, AskSearch, FoundHere, FoundIn, Hit, Place, Placed
from holdfast.model.trials import AskDrill
from holdfast.testing.simulated_node import SimulatedNode
from tests.master.masters import ONE_TO_TWO, Running

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


async def office(running: Running, *online: str, document: str = ONE_TO_TWO) -> dict[str, Machine]:
    await running.connect(*NODES)
    await running.apply(document)
    await running.post("/flows/office/activate")
    for name in sorted(set(NODES) - set(online or NODES)):
        await running.nodes[name].disconnect()
        await running.until_offline(running.nodes[name].identity.node)
    return {name: Machine(running.nodes[name], number) for number, name in enumerate(NODES, start=1)}


async def finished(running: Running, trigger: str) -> Any:
    while not (view := await running.get(f"/triggers/{trigger}", wait_s=5))["done"]:
        pass
    return view


def asked(machine: Machine, kind: type[Any]) -> list[Any]:
    return [question for question in machine.node.asked if isinstance(question, kind)]


def a_point(number: int, repository: str, hour: int, dataset_id: str) -> Point:
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
    machines = await office(running, document=document)
    dataset = machines["files1"].node.taken[-1].datasets[0].id
    machines["vault"].points = (a_point(1, "main", 1, dataset), a_point(2, "main", 3, dataset))
    machines["dr"].points = (a_point(1, "offsite", 1, dataset),)
    return machines
