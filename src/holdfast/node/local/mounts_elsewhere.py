"""Points for a mount, from repositories of other machines: the Master signs who may read what until when, the owner gives the bytes.

An order is good for an hour and for any number of sessions: one that breaks is opened anew by the same order, with the
Master away too. A new one is asked for well before the end; what was opened by the old one is then opened anew by it.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

import msgspec

from holdfast.core.clock import Clock, now
from holdfast.core.errors import HoldfastError, NotReachable
from holdfast.core.ids import DatasetId, NodeId, PointId
from holdfast.delivery.narrowing import OnlyWhile
from holdfast.delivery.reading import RemoteReader
from holdfast.model.orders import ORDER_LIFETIME, RestoreOrder, SignedOrder
from holdfast.model.points import Point
from holdfast.model.reading import PointReader
from holdfast.node.workers.dial import data_socket
from holdfast.wire.channel import Channel
from holdfast.wire.data_client import dial
from holdfast.wire.data_messages import OpenRead
from holdfast.wire.identity import load_credentials
from holdfast.wire.local import dial_local

ANSWER_S = 10.0
"""An owner that says nothing for so long is not reachable."""
_RENEW_AFTER = ORDER_LIFETIME / 2


class Granted(msgspec.Struct, frozen=True, kw_only=True):
    """A point and orders for its copies, the nearest first."""

    point: Point
    orders: tuple[SignedOrder, ...]
    expires_at: datetime


class Granting(Protocol):
    """The Master, asked by somebody who may restore. Raises `NotReachable` while it is away, and what it answers."""

    def points(self) -> Sequence[Point]: ...

    def grant(self, *, point: str = "", dataset: str = "", at: datetime | None = None) -> Granted: ...


@dataclass(frozen=True)
class _Kept:
    granted: Granted
    renew_at: datetime


class PointsElsewhere:
    """`operations.mount.shelf.Owner` over the wire; `node` is this machine. Any thread. Every call ends within about half a minute."""

    def __init__(self, home: Path, node: NodeId, master: Granting, clock: Clock) -> None:
        self._home = home
        self._node = node
        self._master = master
        self._clock = clock
        self._guard = threading.Lock()
        self._kept: dict[PointId, _Kept] = {}
        self._known: Sequence[Point] = ()

    def points(self) -> Sequence[Point]:
        """While the Master is away those it told last."""
        try:
            self._known = tuple(self._master.points())
        except NotReachable:
            if not self._known:
                raise
        return self._known

    def at(self, dataset: DatasetId, time: datetime) -> Point:
        return self._keep(self._master.grant(dataset=dataset, at=time)).point

    def named(self, point: str) -> Point:
        """By its id or the beginning of it. Raises `UnknownName`."""
        return self._keep(self._master.grant(point=point)).point

    def open(self, point: Point) -> PointReader:
        """The copies are tried one after the other."""
        kept = self._granted(point)
        failure: HoldfastError = NotReachable("there is no copy of this point", hint="`holdfast points` lists what there is")
        for signed in kept.granted.orders:
            try:
                return self._opened(signed, kept.renew_at)
            except HoldfastError as error:
                failure = error
        raise failure

    def _granted(self, point: Point) -> _Kept:
        """As it is kept while it is young; where the Master is away the old one to its end."""
        moment = now(self._clock)
        with self._guard:
            kept = self._kept.get(point.id)
        if kept is not None and moment < kept.renew_at:
            return kept
        try:
            granted = self._master.grant(point=point.id)
        except NotReachable:
            if kept is None or kept.granted.expires_at <= moment:
                raise
            return _Kept(kept.granted, kept.granted.expires_at)
        self._keep(granted)
        return _Kept(granted, moment + _RENEW_AFTER)

    def _keep(self, granted: Granted) -> Granted:
        moment = now(self._clock)
        with self._guard:
            # What has ended is of no use to anybody.
            self._kept = {id_: kept for id_, kept in self._kept.items() if kept.granted.expires_at > moment}
            self._kept[granted.point.id] = _Kept(granted, moment + _RENEW_AFTER)
        return granted

    def _opened(self, signed: SignedOrder, renew_at: datetime) -> PointReader:
        order = msgspec.json.decode(signed.body, type=RestoreOrder)
        channel = self._dial(order)
        try:
            opening = OpenRead(repository=order.repository, dataset=order.dataset, order=signed, point=order.point)
            reader = RemoteReader(channel, opening, answer_s=ANSWER_S)
        except BaseException:
            channel.close()
            raise
        end = NotReachable("the order is to be renewed", hint="it is opened anew by itself")
        return OnlyWhile(reader, lambda: end if now(self._clock) >= min(renew_at, order.expires_at) else None)

    def _dial(self, order: RestoreOrder) -> Channel:
        if order.owner == self._node:
            return dial_local(data_socket(self._home), "Read", self._node)
        return dial(order.owner_address, load_credentials(self._home / "identity"), order.owner, "Read")
