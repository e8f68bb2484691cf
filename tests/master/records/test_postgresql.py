"""Records in PostgreSQL: one Master at a time, a server that is killed in the middle of anything, migrations up and down."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import event, text

from holdfast.core.errors import Conflict, ErrorFacts, NotReachable, UsageError
from holdfast.master.records import documents
from holdfast.master.records.database import Database
from holdfast.master.rules.deployment import deployment
from holdfast.master.rules.rollout import is_idle
from holdfast.model.jobs import Event, Severity
from holdfast.testing.postgresql import PostgreSql
from tests.master.masters import ONE_TO_TWO, Running, records_in, running_master

NODES = ("files1", "vault", "dr")
NO = (ErrorFacts("outside-limits", "/srv/mirror is outside", "add it to limits.toml"),)


@pytest.fixture
def server(postgresql_server: PostgreSql) -> Iterator[PostgreSql]:
    with records_in(postgresql_server):
        yield postgresql_server
    if not postgresql_server.is_up:
        postgresql_server.start()


def test_one_master_at_a_time_and_a_task_beside_it(server: PostgreSql) -> None:
    url = server.new_database()
    first = Database(url)
    first.migrate()
    with contextlib.closing(Database(url)) as second, pytest.raises(Conflict, match="another Master"):
        second.migrate()
    with contextlib.closing(Database(url, beside=True)) as task:
        assert task.run_now(lambda s: s.scalar(text("SELECT count(*) FROM revisions"))) == 0
    first.close()
    with contextlib.closing(Database(url)) as third:
        third.migrate()


def test_a_server_that_was_restarted_costs_nothing_and_one_that_is_away_is_said(server: PostgreSql) -> None:
    with contextlib.closing(Database(server.new_database())) as database:
        database.migrate()
        server.kill()
        with pytest.raises(NotReachable, match="records cannot be reached"):
            database.run_now(documents.environment)
        server.start()
        assert database.run_now(documents.environment) is None


def test_tables_go_and_come_back(server: PostgreSql) -> None:
    with contextlib.closing(Database(server.new_database())) as database:
        for _ in range(2):
            database.migrate()
            database.downgrade("base")
        count = "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public' AND table_name <> 'alembic_version'"
        assert database.run_now(lambda s: s.scalar(text(count))) == 0


@pytest.mark.parametrize("wrong", ["mysql://me:secret-word@host/db", "not a url secret-word", "postgresql://me:secret-word@host:no/db"])
def test_what_is_no_database_of_ours_is_refused_without_its_password(wrong: str) -> None:
    with pytest.raises(UsageError) as told:
        Database(wrong)
    assert "secret-word" not in f"{told.value.message} {told.value.hint}"


@contextlib.contextmanager
def killed_at(running: Running, server: PostgreSql, step: int) -> Iterator[None]:
    """The server dies as the transaction of that number begins, and is back afterwards."""
    begun, engine = [0], running.master.base.database._engine

    def count(*_: object) -> None:
        begun[0] += 1
        if begun[0] == step:
            server.kill()

    event.listen(engine, "begin", count)
    yield
    event.remove(engine, "begin", count)
    if not server.is_up:
        server.start()


async def activate_while_it_dies(home: Path, server: PostgreSql, step: int, refusing: str) -> tuple[int, bool]:
    """Returns the status, and whether the server died. `home`: of a Master with three machines, and an old flow in force."""
    async with running_master(home.parent, home) as running:
        await running.connect(*NODES)
        await running.apply(ONE_TO_TWO)
        await running.post("/flows/office/activate")
        await running.apply(ONE_TO_TWO.replace("/srv/offsite", "/srv/elsewhere").replace("/srv/documents", "/srv/papers"))
        if refusing:
            running.nodes[refusing].refuses = NO
        with killed_at(running, server, step):
            status = (await running.http.post("/api/v1/flows/office/activate")).status_code
            has_died = not server.is_up
        for node in running.nodes.values():
            node.refuses = ()
        return status, has_died


async def is_whole(home: Path) -> str:
    """Whether after a restart the flows in force and every machine's rules are of one activation; of which."""
    async with running_master(home.parent, home) as running:
        assert await running.master.base.database.run(documents.unsettled_activation) is None
        rules = (await running.master.base.database.run(deployment)).rules
        paths = {root for of_node in rules.values() for dataset in of_node.datasets for root in dataset.classification.paths}
        places = {repository.location for of_node in rules.values() for repository in of_node.repositories}
        assert not any(is_idle(of_node) for of_node in rules.values())
        frozen = await running.master.base.database.run(lambda s: documents.active_flows(s)[0].frozen)
        (root,) = frozen.policies[0].classification.paths
        far = {"/srv/documents": "/srv/offsite", "/srv/papers": "/srv/elsewhere"}[root]
        assert paths == {root}
        # A repository that flows used once stays open for reading, so its old place may be there as well.
        assert far in places
        return "old" if root == "/srv/documents" else "new"


@pytest.mark.big
@pytest.mark.timeout(600)
@pytest.mark.parametrize("refusing", ["", "dr"])
def test_a_server_killed_at_any_step_leaves_no_half_activation(server: PostgreSql, tmp_path: Path, refusing: str) -> None:
    seen, step, was_killed = set(), 0, True
    while was_killed:
        step += 1
        home = tmp_path / f"master{step}"
        status, was_killed = asyncio.run(activate_while_it_dies(home, server, step, refusing))
        seen.add((status, asyncio.run(is_whole(home))))
    assert step > 5
    # What was answered is what holds; where the answer is an error, it may be either.
    assert (200, "old" if refusing else "new") in seen
    assert (200, "new" if refusing else "old") not in seen
    assert {status for status, _ in seen} <= {200, 503}


def test_what_was_acknowledged_to_a_node_is_there_after_a_crash(server: PostgreSql, tmp_path: Path) -> None:
    home = tmp_path / "master"

    async def report_until_it_dies() -> int:
        async with running_master(tmp_path, home) as running:
            await running.connect("files1")
            node = running.nodes["files1"]
            with killed_at(running, server, 7):
                for number in range(1, 30):
                    told = Event(code="x", severity=Severity.INFO, message=str(number), node=node.identity.node, time=datetime.now(UTC))
                    with contextlib.suppress(NotReachable):
                        await node.report(number, events=(told,))
                    try:
                        await node.until(lambda: node.received >= number, 5)  # noqa: B023
                    except TimeoutError:
                        break
            return node.received

    async def there(count: int) -> None:
        async with running_master(tmp_path, home) as running:
            messages = {found["message"] for found in (await running.get("/logs", limit=100))["events"]}
            assert {str(number) for number in range(1, count + 1)} <= messages

    received = asyncio.run(report_until_it_dies())
    assert 0 < received < 29
    asyncio.run(there(received))
