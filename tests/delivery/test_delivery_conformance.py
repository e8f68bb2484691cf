"""The fake and the relay keep the contract of an action; readers in memory and across a wire that of a reader: the shared suites."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path

from holdfast.core.ids import ActionId, NodeId, RepositoryId
from holdfast.delivery.forward import ForwardAction
from holdfast.delivery.ports import Action
from holdfast.delivery.reading import RemoteReader, serve_read
from holdfast.model.change import Cursor
from holdfast.model.entry import Entry, Kind
from holdfast.model.reading import PointReader
from holdfast.testing.action_suite import DATASET, ActionSuite, Held
from holdfast.testing.deliveries import EPOCH, RECEIVER, SOURCE, ServedDelivery, opening_of
from holdfast.testing.memory_action import MemoryAction, MemoryReader
from holdfast.testing.memory_channel import memory_pair
from holdfast.testing.reader_suite import ReaderSuite
from holdfast.wire.channel import Channel
from holdfast.wire.data_messages import OpenRead


def held_by(action: MemoryAction) -> Held | None:
    if action.position is None:
        return None
    return {path: action.content(path) if entry.kind is Kind.FILE else None for path, entry in action.entries.items()}


class MemoryBench:
    def __init__(self) -> None:
        self._action = MemoryAction()

    def open(self) -> Action:
        self._action.abort()
        return self._action

    def held(self) -> Held | None:
        return held_by(self._action)


class TestMemoryAction(ActionSuite):
    def make_bench(self, place: Path) -> MemoryBench:
        return MemoryBench()


class RelayBench:
    """A relay before a node that holds the dataset in memory; every dial is a new session with it."""

    def __init__(self) -> None:
        self._last = MemoryAction("last")
        self._served: list[ServedDelivery] = []

    def open(self) -> Action:
        return ForwardAction(ActionId("relay"), opening_of("last", dataset=DATASET), self._dial)

    def held(self) -> Held | None:
        return held_by(self._last)

    def _dial(self) -> Channel:
        for served in self._served:
            served.wait()
        here, there = memory_pair(SOURCE, RECEIVER)
        self._served.append(ServedDelivery(there, [self._last]))
        return here


class TestForwardAction(ActionSuite):
    tells_recorded = False

    def make_bench(self, place: Path) -> RelayBench:
        return RelayBench()


class MemoryReaderBench:
    def __init__(self, entries: Mapping[bytes, Entry], chunks: Mapping[bytes, bytes]) -> None:
        self._action = MemoryAction()
        self._action.entries.update(entries)
        self._action.chunks.update(chunks)

    def reader(self) -> PointReader:
        return MemoryReader(self._action)

    def lose(self, chunk: bytes) -> None:
        del self._action.chunks[chunk]


class TestMemoryReader(ReaderSuite):
    def make_bench(self, place: Path, entries: Mapping[bytes, Entry], chunks: Mapping[bytes, bytes]) -> MemoryReaderBench:
        return MemoryReaderBench(entries, chunks)


class RemoteReaderBench(MemoryReaderBench):
    def reader(self) -> PointReader:
        here, there = memory_pair(SOURCE, RECEIVER)

        def open_reader(peer: NodeId, opening: OpenRead) -> tuple[Cursor | None, PointReader | None]:
            return Cursor(EPOCH, 1), MemoryReader(self._action)

        threading.Thread(target=lambda: serve_read(there, open_reader=open_reader), daemon=True).start()
        return RemoteReader(here, OpenRead(repository=RepositoryId("a" * 32), dataset=DATASET))


class TestRemoteReader(ReaderSuite):
    def make_bench(self, place: Path, entries: Mapping[bytes, Entry], chunks: Mapping[bytes, bytes]) -> RemoteReaderBench:
        return RemoteReaderBench(entries, chunks)
