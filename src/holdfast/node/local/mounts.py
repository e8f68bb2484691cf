"""Points for a mount, from this machine's own repositories: the agent lists them, the store worker gives them, the Master has no part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from holdfast.core.errors import NotReachable, ProtocolError, error_from
from holdfast.core.ids import DatasetId, RepositoryId
from holdfast.delivery.reading import RemoteReader
from holdfast.model.jobs import Finding
from holdfast.model.listing_questions import AskListing, AskPoints, Listings, Points
from holdfast.model.moments import AskMoment
from holdfast.model.node_status import NodeStatus
from holdfast.model.points import Point, newest_of
from holdfast.model.questions import Answer, AskStatus, Failed, Question
from holdfast.model.reading import PointReader
from holdfast.node.config import load_config
from holdfast.node.local.client import ask
from holdfast.node.workers.dial import data_socket
from holdfast.wire.data_messages import OpenRead
from holdfast.wire.local import dial_local

_ANSWER_S = 30.0


@dataclass(frozen=True, kw_only=True)
class PointsHere:
    """`operations.mount.shelf.Owner` over this machine's agent; `repository` and `dataset` (name, label or id) empty = all. Every call ends
    within about half a minute, with `NotReachable` where nobody answers."""

    home: Path
    repository: str = ""
    dataset: str = ""

    def points(self) -> Sequence[Point]:
        return _points_of(self._ask(AskPoints(repository=self.repository, dataset=self.dataset)))

    def at(self, dataset: DatasetId, time: datetime | None) -> Point:
        """None = the newest."""
        found = _points_of(self._ask(AskMoment(dataset=dataset, at=time, repository=self.repository)))
        return newest_of(found) if time is None else max(found, key=lambda point: (point.time, point.seq))

    def partly(self, point: Point) -> Sequence[Finding]:
        """What is to be said of a point whose repository has, or may have, a part of it."""
        answer = self._ask(AskListing(point=point.id, repository=point.repository, limit=1))
        return answer.partly if isinstance(answer, Listings) else ()

    def open(self, point: Point) -> PointReader:
        channel = dial_local(data_socket(self.home), "Read", load_config(self.home).node)
        try:
            opening = OpenRead(repository=self._id_of(point.repository), dataset=point.dataset_id, point=point.id)
            return RemoteReader(channel, opening, answer_s=_ANSWER_S)
        except BaseException:
            channel.close()
            raise

    def _id_of(self, repository: str) -> RepositoryId:
        status = self._ask(AskStatus())
        if not isinstance(status, NodeStatus):
            raise ProtocolError(f"unexpected answer: {type(status).__name__}")
        for each in status.repositories:
            if each.name == repository:
                return each.id
        raise NotReachable(f"repository {repository} is not on this machine any more", hint="mount it on the machine that owns it")

    def _ask(self, question: Question) -> Answer:
        answer = ask(self.home, question, _ANSWER_S)
        if isinstance(answer, Failed):
            raise error_from(answer.error)
        return answer


def _points_of(answer: Answer) -> Sequence[Point]:
    if not isinstance(answer, Points):
        raise ProtocolError(f"unexpected answer: {type(answer).__name__}")
    return answer.points
