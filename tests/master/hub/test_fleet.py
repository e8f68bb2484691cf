"""A Master with many nodes at once: the shape of `python -m bench.fleet`, small enough for every day."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import delete, func, select
from sqlalchemy.event import listen
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from holdfast.core.entropy import SystemEntropy
from holdfast.core.errors import UnknownName
from holdfast.master.records import inventory
from holdfast.master.records.database import Database, sqlite_url
from holdfast.master.records.tables import EventRow, JobRow
from holdfast.model.jobs import State
from holdfast.testing.fleet import EVENT_CODE, Fleet, enrol
from tests.master.masters import Running, running_master

SOURCES = [f"n{n:03}" for n in range(149)]
DOCUMENT = "\n".join(
    [
        "environment: office",
        "nodes:",
        "  vault: {}",
        *(f"  {name}: {{tags: [source]}}" for name in SOURCES),
        "groups: {sources: {tags: [source]}}",
        "repositories: {main: {node: vault, location: /srv/main}}",
        "policies: {papers: {classification: {paths: [/srv/papers]}, operations: {backup: {every: 1h, keep: {last: 5}}}}}",
        "flows:",
        "  all:",
        "    vertices: {from: {group: sources, policies: [papers]}, to: {repository: main}}",
        "    movers: [{from: from, to: to, carries: [papers/backup]}]",
        "",
    ]
)


async def _until(running: Running, reached: Callable[[], bool], timeout_s: float = 120) -> None:
    async with asyncio.timeout(timeout_s):
        while not reached():
            await running.master.base.news.wait(running.master.base.news.count, 0.2)


def test_all_come_back_nothing_told_is_lost_and_an_activation_reaches_everybody(tmp_path: Path) -> None:
    async def main() -> None:
        async with running_master(tmp_path) as running:
            home, address = running.home, running.hub_address
            muster = enrol(running.master.base, ["vault", *SOURCES])
            fleet = Fleet(muster, address, clock=running.clock, entropy=SystemEntropy())
            fleet.start()
            await _until(running, lambda: len(running.master.hub.online()) == len(fleet.nodes))
            await running.apply(DOCUMENT)
            report = await running.post("/flows/all/activate")
            assert {node["state"] for node in report["nodes"]} == {"confirmed"}
            assert len(report["nodes"]) == len(fleet.nodes)
            assert fleet.confirmed("all") == len(SOURCES)
            stop = asyncio.Event()
            working = asyncio.create_task(fleet.work(200, stop))
            await _until(running, lambda: fleet.jobs_told > 50)
        # The Master is gone in the midst of it; its nodes go on telling, and dial until another life of it is there.
        async with running_master(tmp_path, home, int(address.rpartition(":")[2])) as again:
            await _until(again, lambda: len(again.master.hub.online()) == len(fleet.nodes))
            stop.set()
            await working
            await _until(again, lambda: fleet.waiting == 0)
            events, jobs = await again.master.base.database.run(_counted)
            assert (events, jobs) == (fleet.events_told, fleet.jobs_told)
            await fleet.close()

    asyncio.run(main())


def _counted(session: Session) -> tuple[int | None, int | None]:
    events = select(func.count()).select_from(EventRow).where(EventRow.code == EVENT_CODE)
    jobs = select(func.count()).select_from(JobRow).where(JobRow.state == State.SUCCEEDED.value)
    return session.scalar(events), session.scalar(jobs)


def test_writes_share_a_transaction_and_not_their_faults(tmp_path: Path) -> None:
    database = Database(sqlite_url(tmp_path / "records.db"))
    database.migrate()
    begun: list[object] = []
    listen(database._engine, "begin", begun.append)

    def good(session: Session, name: str) -> str:
        session.add(EventRow(node="n", time=datetime.now(UTC), digest=name, code="", record=b""))
        session.flush()
        return name

    def refused(session: Session, name: str) -> None:
        good(session, name)
        raise UnknownName("nobody is called so")

    def impossible(session: Session, name: str) -> None:
        good(session, name)
        session.add(EventRow(node="n", time=datetime.now(UTC), digest=name, code="", record=b""))
        session.flush()

    async def together(*works: Callable[[Session, str], object]) -> list[object]:
        named = (partial(work, name=f"{n}") for n, work in enumerate(works))
        return await asyncio.gather(*(database.run_together(work) for work in named), return_exceptions=True)

    def kept() -> list[str]:
        return database.run_now(lambda s: list(s.scalars(select(EventRow.digest).order_by(EventRow.number))))

    first = asyncio.run(together(good, good, good, good))
    assert (len(begun), kept()) == (1, first)
    database.run_now(lambda s: s.execute(delete(EventRow)))
    first = asyncio.run(together(good, refused, good, good))
    assert isinstance(first.pop(1), UnknownName)
    assert first == kept() == ["0", "2", "3"]
    database.run_now(lambda s: s.execute(delete(EventRow)))
    second = asyncio.run(together(good, refused, impossible, good))
    assert isinstance(second.pop(2), IntegrityError)
    assert isinstance(second.pop(1), UnknownName)
    assert second == kept() == ["0", "3"]
    database.close()


def test_reports_are_written_together_and_one_that_no_record_can_hold_fails_alone(tmp_path: Path) -> None:
    database = Database(sqlite_url(tmp_path / "records.db"))
    database.migrate()
    begun: list[object] = []
    listen(database._engine, "begin", begun.append)
    tries: list[list[str]] = []

    def write(session: Session, names: Sequence[str]) -> None:
        tries.append(list(names))
        session.add_all(EventRow(node="n", time=datetime.now(UTC), digest=name, code="", record=b"") for name in names)
        session.flush()

    async def together(*names: str) -> list[object]:
        return await asyncio.gather(*(database.run_with_others(write, name) for name in names), return_exceptions=True)

    assert asyncio.run(together("0", "1", "2")) == [None] * 3
    assert (len(begun), tries) == (1, [["0", "1", "2"]])
    outcome = asyncio.run(together("3", "4", "1", "5"))
    assert isinstance(outcome.pop(2), IntegrityError)
    assert outcome == [None] * 3
    assert database.run_now(lambda s: list(s.scalars(select(EventRow.digest).order_by(EventRow.number)))) == ["0", "1", "2", "3", "4", "5"]
    database.close()


@pytest.mark.parametrize("only", [None, ["vault"], []])
def test_some_of_the_nodes_are_read_as_all_of_them_are(tmp_path: Path, only: list[str] | None) -> None:
    async def main() -> None:
        async with running_master(tmp_path) as running:
            await running.connect("files1", "vault")
            ids = None if only is None else [running.nodes[name].identity.node for name in only]
            found = await running.master.base.database.run(lambda s: inventory.nodes(s, ids))
            assert [node.name for node in found] == (["files1", "vault"] if only is None else only)

    asyncio.run(main())
