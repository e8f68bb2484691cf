"""A source that has fallen into wrong hands: its genuine certificate and grant, and a client of its own on the data channel."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from holdfast.core.errors import HoldfastError
from holdfast.core.ids import ActionId, DatasetId, Epoch, PointId
from holdfast.model.change import Begin, Change, Commit, Mark, Part, Payload, Put, Segment
from holdfast.model.entry import ChunkRef, Entry, Kind
from holdfast.node.workers.messages import EventNews
from holdfast.testing.deliveries import chunk_ref
from holdfast.testing.memory_action import payload_of
from holdfast.wire.channel import Channel
from holdfast.wire.data_client import Method, dial
from holdfast.wire.data_messages import Carried, Closed, Closing, DataMessage, Open, Opened, Segmented, Started, Stopped
from holdfast.wire.identity import load_credentials
from tests.dataflow.machines import Machine

WAIT_S = 60.0
EPOCH = Epoch("e" * 32)
ROOT = b"/srv/own"
Sent = DataMessage | bytes


def changed(value: Any, **changes: object) -> Any:
    """A message or value with fields that no constructor of ours would give it."""
    return msgspec.structs.replace(value, **changes)


class Rogue:
    """`machine` is the source, `vault` whom it attacks, `dataset` and `actions` what it has a grant for."""

    def __init__(self, machine: Machine, vault: Machine, dataset: DatasetId, actions: Sequence[ActionId]) -> None:
        self.machine = machine
        self.vault = vault
        self.dataset = dataset
        self.actions = tuple(actions)

    @property
    def opening(self) -> Open:
        return Open(dataset=self.dataset, actions=self.actions, generation=1)

    def begin(self, **changes: object) -> Started:
        begin = Begin(dataset=self.dataset, label="own", epoch=EPOCH, seq=1, base=None, roots=(ROOT,), hostname="rogue")
        return Started(begin=changed(begin, **changes), actions=self.actions)

    def closing(self, **changes: object) -> Closing:
        mark = Mark(operation="backup", kind="backup", point=PointId("9" * 32))
        commit = Commit(dataset=self.dataset, epoch=EPOCH, seq=1, captured_at=datetime(2026, 1, 1, tzinfo=UTC), marks=(mark,))
        return Closing(commit=changed(commit, **changes))

    def heard(self) -> list[EventNews]:
        """What the vault has recorded of this source, and an administrator sees."""
        return [news for news in self.vault.store_heard.of(EventNews) if news.event.facts.get("name") == self.machine.name]

    def channel(self, method: Method = "Deliver") -> Channel:
        return dial(f"127.0.0.1:{self.vault.port}", load_credentials(self.machine.home / "identity"), self.vault.id, method)

    def deliver(self, messages: Sequence[Sent], *, opens: bool = True) -> Stopped | Closed:
        """Send all of it, whatever is answered; how the receiver ended it."""
        channel = self.channel()
        try:
            if opens:
                channel.send(self.opening)
                assert isinstance(channel.receive(WAIT_S), Opened)
            for message in messages:
                self._send(channel, message)
            while not isinstance(answer := channel.receive(WAIT_S), Stopped | Closed):
                assert answer is not None, "the session ended without a word"
            return answer
        finally:
            channel.close()

    @staticmethod
    def _send(channel: Any, message: Sent) -> None:
        try:
            if isinstance(message, bytes):
                channel.outbox.put(message, len(message))
            else:
                channel.send(message)
        except HoldfastError:
            # It has ended the session already: why is what is received next.
            return


def folders() -> tuple[Change, ...]:
    return tuple(Put(Entry(path=path, kind=Kind.DIRECTORY, mode=0o755)) for path in (b"/srv", ROOT))


def file_put(path: bytes, *pieces: bytes, **changes: object) -> Put:
    refs = tuple(map(chunk_ref, pieces))
    entry = Entry(path=path, kind=Kind.FILE, mode=0o644, size_bytes=sum(map(len, pieces)), chunks=refs)
    return Put(changed(entry, **changes))


def segment(*changes: Change, number: int = 0, offered: Sequence[ChunkRef] = (), parts: Sequence[Part] = ()) -> Segmented:
    before = folders() if number == 0 else ()
    return Segmented(segment=Segment(number=number, changes=(*before, *changes), offered=tuple(offered), parts=tuple(parts)))


def carried(*payloads: Payload, number: int = 0, last: bool = True, withdrawn: Sequence[bytes] = ()) -> Carried:
    return Carried(number=number, payloads=payloads, withdrawn=tuple(withdrawn), last=last)


def framed(plain: bytes, spoil: Callable[[bytes], bytes], *, size: int | None = None) -> Payload:
    """A payload whose frame was tampered with; its id is the right one of `plain`."""
    frame = payload_of(plain, compressed=True).data
    return Payload(hashlib.sha256(plain).digest(), len(plain) if size is None else size, True, spoil(frame))
