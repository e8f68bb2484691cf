"""Restore orders: every condition refuses, and a used one stays used."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from holdfast.core.errors import NotGranted
from holdfast.core.ids import DatasetId, NodeId, PointId, RepositoryId
from holdfast.model.orders import RestoreOrder, SignedOrder
from holdfast.node.orders import OrderBook

READER, OWNER = NodeId("1" * 32), NodeId("2" * 32)
START = datetime(2026, 11, 22, tzinfo=UTC)


class SetClock:
    def __init__(self) -> None:
        self.at = START

    def now_ns(self) -> int:
        return int(self.at.timestamp()) * 1_000_000_000

    def monotonic_s(self) -> float:
        return self.at.timestamp()


KEY = Ed25519PrivateKey.generate()


def public(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()


def order(**changes: object) -> SignedOrder:
    plain = RestoreOrder(
        id="0" * 32,
        reader=READER,
        owner=OWNER,
        owner_address="127.0.0.1:1",
        repository=RepositoryId("3" * 32),
        dataset=DatasetId("4" * 32),
        point=PointId("5" * 32),
        expires_at=START + timedelta(minutes=5),
    )
    body = msgspec.json.encode(msgspec.structs.replace(plain, **changes))
    return SignedOrder(body=body, signature=KEY.sign(body))


def test_a_good_order_is_good_once_even_after_a_restart(tmp_path: Path) -> None:
    clock = SetClock()
    book = OrderBook(tmp_path / "orders.db", clock=clock)
    assert book.accept(order(), signing_key=public(KEY), reader=READER, owner=OWNER).point == "5" * 32
    with pytest.raises(NotGranted, match="used before"):
        book.accept(order(), signing_key=public(KEY), reader=READER, owner=OWNER)
    book.close()
    again = OrderBook(tmp_path / "orders.db", clock=clock)
    with pytest.raises(NotGranted, match="used before"):
        again.accept(order(), signing_key=public(KEY), reader=READER, owner=OWNER)
    assert again.accept(order(id="9" * 32), signing_key=public(KEY), reader=READER, owner=OWNER).id == "9" * 32
    again.close()


def test_every_condition_refuses(tmp_path: Path) -> None:
    clock = SetClock()
    book = OrderBook(tmp_path / "orders.db", clock=clock)
    other = Ed25519PrivateKey.generate()
    with pytest.raises(NotGranted, match="not signed"):
        book.accept(order(), signing_key=public(other), reader=READER, owner=OWNER)
    with pytest.raises(NotGranted, match="another reader"):
        book.accept(order(), signing_key=public(KEY), reader=OWNER, owner=OWNER)
    with pytest.raises(NotGranted, match="another owner"):
        book.accept(order(), signing_key=public(KEY), reader=READER, owner=READER)
    with pytest.raises(NotGranted, match="not a restore order"):
        book.accept(SignedOrder(body=b"{}", signature=KEY.sign(b"{}")), signing_key=public(KEY), reader=READER, owner=OWNER)
    clock.at = START + timedelta(minutes=5)
    with pytest.raises(NotGranted, match="expired"):
        book.accept(order(), signing_key=public(KEY), reader=READER, owner=OWNER)
    book.close()
