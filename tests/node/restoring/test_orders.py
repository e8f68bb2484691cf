"""Restore orders: every condition refuses, and a used one stays used."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from holdfast.core.errors import NoSpace, NotGranted, StaleRules
from holdfast.core.ids import DatasetId, NodeId, PointId, RepositoryId
from holdfast.model.orders import ORDER_LIFETIME, RestoreOrder, SignedOrder, signed_bytes_of_order
from holdfast.model.rules import SignedRules, decode_rules, encode_rules, signed_bytes_of_rules
from holdfast.node.membership.rule_store import RuleStore, save_signing_key
from holdfast.node.restoring.orders import OrderBook, open_order
from holdfast.testing.faulty_disk import FaultyDisk, full_from, no_faults
from holdfast.testing.node_rules import ENVIRONMENT, FILES1, source_rules
from holdfast.wire.authority import Authority

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
    return SignedOrder(body=body, signature=KEY.sign(signed_bytes_of_order(body)))


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
    empty = SignedOrder(body=b"{}", signature=KEY.sign(signed_bytes_of_order(b"{}")))
    with pytest.raises(NotGranted, match="not a restore order"):
        book.accept(empty, signing_key=public(KEY), reader=READER, owner=OWNER)
    clock.at = START + timedelta(minutes=5)
    with pytest.raises(NotGranted, match="expired"):
        book.accept(order(), signing_key=public(KEY), reader=READER, owner=OWNER)
    book.close()


def test_an_order_of_which_no_record_can_be_kept_is_not_honoured_and_why_is_said(tmp_path: Path) -> None:
    with FaultyDisk(tmp_path) as disk, closing(OrderBook(tmp_path / "orders.db", clock=SetClock())) as book:
        disk.plan = full_from(0)
        with pytest.raises(NoSpace, match="full"):
            book.accept(order(), signing_key=public(KEY), reader=READER, owner=OWNER)
        disk.plan = no_faults
        assert book.accept(order(), signing_key=public(KEY), reader=READER, owner=OWNER).point == "5" * 32


def test_a_mounts_order_is_good_until_it_ends(tmp_path: Path) -> None:
    clock = SetClock()
    book = OrderBook(tmp_path / "orders.db", clock=clock)
    for _ in range(3):
        assert book.accept(order(lasting=True), signing_key=public(KEY), reader=READER, owner=OWNER).lasting
    clock.at = START + timedelta(minutes=5)
    with pytest.raises(NotGranted, match="expired"):
        book.accept(order(lasting=True), signing_key=public(KEY), reader=READER, owner=OWNER)
    book.close()


def test_an_expired_order_does_not_come_back_with_the_clock(tmp_path: Path) -> None:
    clock = SetClock()
    book = OrderBook(tmp_path / "orders.db", clock=clock)
    book.accept(order(), signing_key=public(KEY), reader=READER, owner=OWNER)
    clock.at = START + timedelta(hours=1)
    later = order(id="9" * 32, expires_at=START + timedelta(hours=2))
    book.accept(later, signing_key=public(KEY), reader=READER, owner=OWNER)
    book.close()
    clock.at = START
    book = OrderBook(tmp_path / "orders.db", clock=clock)
    with pytest.raises(NotGranted, match="used before"):
        book.accept(order(), signing_key=public(KEY), reader=READER, owner=OWNER)
    book.accept(order(id="8" * 32, expires_at=START + timedelta(hours=2)), signing_key=public(KEY), reader=READER, owner=OWNER)
    book.close()


def test_rules_do_not_pass_for_an_order_nor_an_order_for_rules(tmp_path: Path) -> None:
    """One key signs both; a body that is both at once must still be only what it was signed as."""
    authority = Authority.create(clock=SetClock())
    rules = msgspec.json.decode(encode_rules(source_rules()))
    both = msgspec.json.encode({**rules, **msgspec.json.decode(order().body), "reader": READER, "owner": OWNER})
    decode_rules(both)
    msgspec.json.decode(both, type=RestoreOrder)
    as_rules, as_order = (authority.sign(signed(both)) for signed in (signed_bytes_of_rules, signed_bytes_of_order))
    open_order(SignedOrder(body=both, signature=as_order), authority.signing_public)
    for signature in (as_rules, authority.sign(both)):
        with pytest.raises(NotGranted, match="not signed"):
            open_order(SignedOrder(body=both, signature=signature), authority.signing_public)
    save_signing_key(tmp_path, authority.signing_public)
    store = RuleStore(tmp_path, environment=ENVIRONMENT, node=FILES1)
    store.verify(SignedRules(body=both, signature=as_rules, digest=""))
    for signature in (as_order, authority.sign(both)):
        with pytest.raises(StaleRules, match="not signed"):
            store.verify(SignedRules(body=both, signature=signature, digest=""))


def test_a_damaged_record_of_used_orders_makes_none_good_again(tmp_path: Path) -> None:
    clock = SetClock()
    book = OrderBook(tmp_path / "orders.db", clock=clock)
    book.accept(order(), signing_key=public(KEY), reader=READER, owner=OWNER)
    book.close()
    (tmp_path / "orders.db").write_bytes(b"no database" * 1_000)
    book = OrderBook(tmp_path / "orders.db", clock=clock)
    with pytest.raises(NotGranted, match="used before"):
        book.accept(order(), signing_key=public(KEY), reader=READER, owner=OWNER)
    later = order(id="9" * 32, expires_at=START + ORDER_LIFETIME + timedelta(seconds=1))
    assert book.accept(later, signing_key=public(KEY), reader=READER, owner=OWNER).id == "9" * 32
    book.close()
    assert (tmp_path / "orders.db.corrupt-1").exists()
