"""Checking a restore order that somebody shows: signed by the Master, for this reader and this owner, in time, and never before; of a
mount's lasting order all but the last.

Used orders are remembered durably until they expire, so that a restart does not make one good again.
"""

from __future__ import annotations

import logging
import threading
from pathlib import Path

import msgspec

from holdfast.core.clock import Clock, now
from holdfast.core.errors import NotGranted
from holdfast.core.ids import NodeId
from holdfast.core.local_database import DatabaseErrors, open_or_replace
from holdfast.model.decoding import UNREADABLE
from holdfast.model.orders import ORDER_LIFETIME, RestoreOrder, SignedOrder, signed_bytes_of_order
from holdfast.wire.authority import verify_signature

_logger = logging.getLogger(__name__)
_AGAIN = "start the restore again; each one gets an order of its own"


def open_order(signed: SignedOrder, signing_key: bytes) -> RestoreOrder:
    """The order inside, its signature checked. Raises `NotGranted`."""
    if not verify_signature(signing_key, signed_bytes_of_order(signed.body), signed.signature):
        raise NotGranted("the order is not signed by this environment's Master", hint="log in to the right Master")
    try:
        return msgspec.json.decode(signed.body, type=RestoreOrder)
    except UNREADABLE as error:
        raise NotGranted(f"not a restore order: {error}", hint=_AGAIN) from error


class OrderBook:
    """The orders this node, as the owner of repositories, has honoured. Any thread."""

    def __init__(self, path: Path, *, clock: Clock) -> None:
        self._path, self._clock = path, clock
        self._lock = threading.Lock()
        schema = "CREATE TABLE IF NOT EXISTS used (id TEXT PRIMARY KEY, expires_ns INTEGER NOT NULL) WITHOUT ROWID"
        # Where it is damaged, which orders were used is not known any more: none that was signed before now is honoured.
        horizon = f";INSERT INTO used VALUES ('', {clock.now_ns() + int(ORDER_LIFETIME.total_seconds()) * 1_000_000_000})"
        self._db, replaced = open_or_replace(path, synchronous="FULL", schema=schema, afresh=horizon)
        if replaced is not None:
            facts = {"facts": {"path": str(path), "aside": replaced.aside.name, "error": replaced.error}}
            _logger.error("the record of used restore orders was damaged: those signed before now are refused", extra=facts)

    def accept(self, signed: SignedOrder, *, signing_key: bytes, reader: NodeId, owner: NodeId) -> RestoreOrder:
        """The order, from now on used if it is good once. Raises `NotGranted` and says which condition fails; `NoSpace` or `StoreError`
        where it cannot be written down that it is used."""
        order = open_order(signed, signing_key)
        if order.reader != reader:
            raise NotGranted("the order is for another reader", hint="start the restore on the machine it was ordered for")
        if order.owner != owner:
            raise NotGranted("the order is for another owner", hint=_AGAIN)
        if not order.id:
            raise NotGranted("the order has no id", hint=_AGAIN)
        if order.expires_at <= now(self._clock):
            raise NotGranted(f"the order expired at {order.expires_at.isoformat()}", hint=_AGAIN)
        if not order.lasting and not self._use(order):
            raise NotGranted("the order was used before", hint=_AGAIN)
        return order

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def _use(self, order: RestoreOrder) -> bool:
        """False when it was used, or may have been: it ends no later than one that is forgotten, and only the clock went back."""
        expires_ns = int(order.expires_at.timestamp() * 1_000_000_000)
        with self._lock, DatabaseErrors(self._path, "the record of used restore orders"):
            self._forget_expired()
            (horizon_ns,) = self._db.execute("SELECT coalesce(max(expires_ns), 0) FROM used WHERE id = ''").fetchone()
            if expires_ns <= horizon_ns:
                return False
            return self._db.execute("INSERT OR IGNORE INTO used VALUES (?, ?)", (order.id, expires_ns)).rowcount == 1

    def _forget_expired(self) -> None:
        """Drops what has expired, and keeps under the id '' when the last of it did."""
        self._db.execute(
            "INSERT OR REPLACE INTO used SELECT '', max(expires_ns) FROM used WHERE id = '' OR expires_ns < ?1"
            " HAVING max(expires_ns) NOT NULL",
            (self._clock.now_ns(),),
        )
        self._db.execute("DELETE FROM used WHERE id <> '' AND expires_ns < ?", (self._clock.now_ns(),))
