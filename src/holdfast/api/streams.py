"""Live events as Server-Sent Events: a snapshot, then deltas with rising numbers, each encoded once however many listen.

`id:` is EPOCH-SEQ. Who comes back with it goes on where it was; who cannot (another life of the Master, or too long away) gets a new
snapshot. See https://html.spec.whatwg.org/multipage/server-sent-events.html.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import cast

import msgspec
from fastapi import Response
from starlette.types import Receive, Scope, Send

from holdfast.api.callers import Caller
from holdfast.api.replies import plain
from holdfast.core.errors import Refused, Throttled
from holdfast.master.feed import RING_SIZE, Feed, Numbered
from holdfast.master.live.deltas import Delta, Snapshot
from holdfast.master.live.narrowing import Narrowing
from holdfast.master.master import Master
from holdfast.model.access import Activity, may_somewhere
from holdfast.model.sight import REFUSED_HINT

HEARTBEAT_S = 15.0
SEND_TIMEOUT_S = 10.0
MOST_STREAMS = 1_000
_RETRY_MS = 2_000
_HEARTBEAT = b": alive\n\n"


class Frames:
    """Encoded deltas, by value. Bounded by the ring they come from."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, int], bytes] = OrderedDict()
        self.encoded = 0

    def of(self, epoch: str, deltas: Iterable[Numbered]) -> bytes:
        return b"".join(self._frame(epoch, delta) for delta in deltas)

    def _frame(self, epoch: str, delta: Numbered) -> bytes:
        key = (f"{type(delta).__name__}", delta.seq)
        kept = self._kept.get(key)
        if kept is None:
            kept = self._kept[key] = _encode(epoch, delta)
            self.encoded += 1
            if len(self._kept) > RING_SIZE:
                self._kept.popitem(last=False)
        return kept


class LiveEvents(Response):
    """One subscriber's stream. Ends when the caller's session or token does, when the Master stops, and when the caller takes nothing
    for `SEND_TIMEOUT_S`."""

    media_type = "text/event-stream"

    def __init__(self, master: Master, frames: Frames, caller: Caller, last_event_id: str) -> None:
        """Raises `Throttled` when too many listen."""
        if master.base.feed.readers >= MOST_STREAMS:
            raise Throttled(f"{MOST_STREAMS} browsers follow this Master already", hint="close some, or ask `GET /status` now and then")
        super().__init__(status_code=200, headers={"X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._master = master
        self._frames = frames
        self._caller = caller
        self._rights = caller.rights
        self._narrowing: Narrowing | None = None
        self._last_event_id = last_event_id

    @property
    def _feed(self) -> Feed:
        return self._master.base.feed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._feed.reading():
            tasks = (asyncio.create_task(self._write(send)), asyncio.create_task(_until_gone(receive)))
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in tasks:
                    task.cancel()
                ended = await asyncio.gather(*tasks, return_exceptions=True)
        fault = next((each for each in ended if isinstance(each, Exception) and not isinstance(each, TimeoutError | OSError)), None)
        if fault is not None:
            raise fault

    async def _write(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await _send(send, b"retry: %d\n\n" % _RETRY_MS)
        try:
            await self._follow(send)
        except Refused as error:
            facts = msgspec.json.encode(plain(error.facts()))
            await _send(send, b"event: end\ndata: " + facts + b"\n\n")
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _follow(self, send: Send) -> None:
        feed, clock, seq = self._feed, self._master.base.clock, self._resumed()
        nudges, checked_s = feed.nudges, clock.monotonic_s()
        while not feed.closed:
            if await self._has_other_sight():
                seq = None
            deltas = None if seq is None else feed.after(seq)
            if deltas is None:
                snapshot = await self._master.newsroom.snapshot()
                seq = snapshot.seq
                await _send(send, self._told((snapshot,)))
                continue
            if deltas:
                seq = deltas[-1].seq
                await _send(send, self._told(deltas))
                continue
            assert seq is not None
            is_news = await feed.wait(seq, nudges, HEARTBEAT_S)
            # Now and then also while there is always news: nobody nudges for a session that expires, or is ended by `master password`.
            if not is_news or feed.nudges != nudges or clock.monotonic_s() - checked_s >= HEARTBEAT_S:
                nudges, checked_s = feed.nudges, clock.monotonic_s()
                self._rights = await self._caller.recheck()
            if not is_news:
                await _send(send, _HEARTBEAT)

    async def _has_other_sight(self) -> bool:
        """Whether what the caller may see has changed since the last look: then they get a new snapshot. Raises `Refused` when nothing is
        left of it."""
        if not may_somewhere(self._rights, Activity.STATUS_READ):
            raise Refused("nothing of this may be seen any more", hint=REFUSED_HINT)
        sight = await self._master.landscapes.sight(self._rights, Activity.STATUS_READ)
        before, narrowing = self._narrowing, None if sight.everything else Narrowing(sight)
        is_other = before is not None and (narrowing is None or narrowing.sight != before.sight)
        if self._narrowing is None or is_other:
            # Who comes back to a stream goes on without a snapshot, but which jobs are theirs only a snapshot tells.
            is_other = is_other or narrowing is not None
            self._narrowing = narrowing
        return is_other

    def _told(self, deltas: Sequence[Numbered]) -> bytes:
        """Frames that all share, or this caller's own; a comment when there is nothing for them, so that the line is seen to live."""
        epoch, narrowing = self._feed.epoch, self._narrowing
        if narrowing is None:
            return self._frames.of(epoch, deltas)
        own = (narrowing.of(cast("Snapshot | Delta", delta)) for delta in deltas)
        return b"".join(_encode(epoch, delta) for delta in own if delta is not None) or _HEARTBEAT

    def _resumed(self) -> int | None:
        """The delta the caller had last; None when that is not of this life of the Master."""
        epoch, _, number = self._last_event_id.partition("-")
        return int(number) if epoch == self._feed.epoch and number.isdecimal() and len(number) < 16 else None


async def _send(send: Send, body: bytes) -> None:
    """Raises `TimeoutError` when the caller does not take it."""
    async with asyncio.timeout(SEND_TIMEOUT_S):
        await send({"type": "http.response.body", "body": body, "more_body": True})


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _encode(epoch: str, delta: Numbered) -> bytes:
    kind = getattr(delta, "kind", "")
    return b"id: %s-%d\nevent: %s\ndata: %s\n\n" % (epoch.encode(), delta.seq, str(kind).encode(), msgspec.json.encode(plain(delta)))
