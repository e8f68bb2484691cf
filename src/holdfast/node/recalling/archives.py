"""Reading back what this node archived, by its own grant: no order, no Master. Its rules say which owners have it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from holdfast.core.errors import HoldfastError, NotReachable
from holdfast.core.ids import DatasetId, NodeId, RepositoryId
from holdfast.delivery.reading import RemoteReader
from holdfast.model.moments import archive_of
from holdfast.model.points import Point
from holdfast.model.reading import PointReader
from holdfast.model.rules import Delivery, Rules
from holdfast.node.workers.dial import data_socket
from holdfast.wire.channel import Channel
from holdfast.wire.data_client import dial
from holdfast.wire.data_messages import OpenRead
from holdfast.wire.identity import load_credentials
from holdfast.wire.local import dial_local

ANSWER_S, CONNECT_S = 10.0, 5.0
"""An owner that says nothing for so long is not reachable, nor is one that takes no session in so long."""
_OPERATION = "archive"


def archiving_deliveries(rules: Rules) -> dict[DatasetId, tuple[Delivery, ...]]:
    """Which of this node's datasets are archived, and the deliveries that lead there: those on this machine first."""
    found: dict[DatasetId, tuple[Delivery, ...]] = {}
    for dataset in rules.datasets:
        names = {operation.name for operation in dataset.operations if operation.kind == _OPERATION}
        ways = [each for each in rules.deliveries if each.dataset == dataset.id and not names.isdisjoint(each.operations)]
        if ways:
            found[dataset.id] = tuple(sorted(ways, key=lambda way: way.receiver != rules.node))
    return found


class Archives:
    """`operations.mount.recall.Lineages` of one node. `configure` puts other rules in force. Any thread."""

    def __init__(self, home: Path, rules: Rules | None = None) -> None:
        self._home = home
        self._rules = rules
        self._ways: Mapping[DatasetId, tuple[Delivery, ...]] = {}
        self._points: Mapping[bytes, Point] = {}
        if rules is not None:
            self.configure(rules)

    def configure(self, rules: Rules) -> None:
        labels = {dataset.id: dataset.label for dataset in rules.datasets}
        self._rules, self._ways = rules, archiving_deliveries(rules)
        self._points = {dataset.encode(): _lineage(dataset, labels[dataset]) for dataset in self._ways}

    def datasets(self) -> Mapping[bytes, Point]:
        return self._points

    def label(self, dataset: DatasetId) -> str:
        point = self._points.get(dataset.encode())
        return point.dataset if point is not None else dataset

    def open(self, dataset: DatasetId) -> PointReader:
        """From the first owner that answers. Raises `NotReachable` within some 15 seconds for each, `UnknownName` where nothing of it is
        archived, and what the owner says."""
        failure: HoldfastError = NotReachable("no repository of this node's rules has archived files of it", hint="activate its flow again")
        for way in self._ways.get(dataset, ()):
            try:
                channel = self._dial(way.receiver)
                try:
                    opening = OpenRead(repository=RepositoryId(""), dataset=dataset, point=archive_of(dataset))
                    return RemoteReader(channel, opening, answer_s=ANSWER_S)
                except BaseException:
                    channel.close()
                    raise
            except HoldfastError as error:
                failure = error
        raise failure

    def _dial(self, owner: NodeId) -> Channel:
        rules = self._rules
        if rules is None or owner == rules.node:
            return dial_local(data_socket(self._home), "Read", owner)
        address = next((peer.address for peer in rules.peers if peer.id == owner), "")
        if not address:
            raise NotReachable("no address is known of the machine that has it", hint="see that its agent runs; activate the flow again")
        return dial(address, load_credentials(self._home / "identity"), owner, "Read", CONNECT_S)


def _lineage(dataset: DatasetId, label: str) -> Point:
    """Of the lineage only the name is known, and no more is needed; its time is that of the folder that stands for it."""
    began = datetime.fromtimestamp(0, UTC)
    return Point(
        id=archive_of(dataset), dataset=label, dataset_id=dataset, operation=_OPERATION, repository="", time=began, files=0, bytes=0
    )
