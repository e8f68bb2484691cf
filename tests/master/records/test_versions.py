"""What is read once until it is written to: on both databases, through rollbacks and savepoints too."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text, update
from sqlalchemy.orm import Session

from holdfast.core.errors import UnknownName
from holdfast.core.ids import NodeId
from holdfast.master.records import inventory
from holdfast.master.records.database import Database, sqlite_url
from holdfast.master.records.inventory import JOINED, REVOKED
from holdfast.master.records.tables import NodeRow, RevisionRow
from holdfast.testing.postgresql import PostgreSql
from tests.master.records.test_records import MOMENT


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    url = sqlite_url(tmp_path / "records.db")
    if request.param == "postgresql":
        server: PostgreSql = request.getfixturevalue("postgresql_server")
        url = server.new_database()
    with closing(Database(url)) as made:
        made.migrate()
        yield made


def add(session: Session, name: str) -> None:
    node = inventory.new_node(NodeId(name), name, name)
    inventory.add_node(session, node, serial="1", at=MOMENT)


def names(session: Session) -> list[str]:
    return [node.name for node in inventory.nodes(session)]


def test_what_nobody_wrote_to_is_the_same_object(database: Database) -> None:
    database.run_now(lambda s: add(s, "a"))
    first = database.run_now(inventory.nodes)
    database.run_now(lambda s: s.add(RevisionRow(number=7, text="", author="", created_at=MOMENT, comment="")))
    assert database.run_now(inventory.nodes) is first
    database.run_now(lambda s: inventory.record_seen(s, NodeId("a"), MOMENT))
    again = database.run_now(inventory.nodes)
    assert [node.last_seen for node in again] == [MOMENT]


def test_every_way_of_writing_counts(database: Database) -> None:
    database.run_now(lambda s: add(s, "a"))

    def states(session: Session) -> list[str]:
        return [node.state for node in inventory.nodes(session)]

    assert database.run_now(states) == [JOINED]
    database.run_now(lambda s: s.execute(update(NodeRow).values(state=REVOKED)))
    assert database.run_now(states) == [REVOKED]
    database.run_now(lambda s: s.connection().execute(NodeRow.__table__.update().values(state=JOINED)))
    assert database.run_now(states) == [JOINED]
    database.run_now(lambda s: s.execute(text("UPDATE nodes SET state = 'revoked'")))
    assert database.run_now(states) == [REVOKED]
    assert database.run_now(inventory.node_states) == {"a": ("a", REVOKED)}
    database.run_now(lambda s: s.execute(NodeRow.__table__.delete()))
    assert database.run_now(states) == []


def test_a_write_is_seen_in_its_own_transaction_before_it_is_flushed(database: Database) -> None:
    def change(session: Session) -> list[str]:
        inventory.nodes(session)
        inventory.set_state(session, NodeId("a"), REVOKED)
        return [node.state for node in inventory.nodes(session)]

    database.run_now(lambda s: add(s, "a"))
    assert database.run_now(change) == [REVOKED]


def test_what_was_read_of_a_transaction_that_is_taken_back_is_void(database: Database) -> None:
    def taken_back(session: Session) -> None:
        add(session, "ghost")
        assert names(session) == ["a", "ghost"]
        raise UnknownName("no")

    def within(session: Session) -> None:
        nested = session.begin_nested()
        add(session, "ghost")
        assert names(session) == ["a", "ghost"]
        nested.rollback()
        assert names(session) == ["a"]

    async def together() -> None:
        found = await asyncio.gather(
            database.run_together(taken_back), database.run_together(names), database.run_together(taken_back), return_exceptions=True
        )
        assert found[1] == ["a"]

    database.run_now(lambda s: add(s, "a"))
    with pytest.raises(UnknownName):
        database.run_now(taken_back)
    assert database.run_now(names) == ["a"]
    database.run_now(within)
    assert database.run_now(names) == ["a"]
    asyncio.run(together())
    assert database.run_now(names) == ["a"]


def test_a_task_beside_a_master_keeps_nothing(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path / "records.db")
    with closing(Database(url)) as master, closing(Database(url, beside=True)) as task:
        master.migrate()
        assert task.run_now(names) == []
        master.run_now(lambda s: add(s, "a"))
        assert task.run_now(names) == ["a"]
