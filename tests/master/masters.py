"""A Master in the test's own event loop: real records, real hub on loopback, the API by ASGI; and machines that join it."""

from __future__ import annotations

import asyncio
import functools
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import msgspec
from fastapi import FastAPI
from sqlalchemy import select

from holdfast.api.app import create_app
from holdfast.core.clock import SystemClock
from holdfast.core.entropy import SystemEntropy
from holdfast.core.ids import NodeId
from holdfast.master.config import MasterConfig, load_config, save_config
from holdfast.master.directory_settings import Directory
from holdfast.master.initialising import InitResult, init_master
from holdfast.master.master import Master, build_master
from holdfast.master.membership.enrolment import Joined, JoinRequest
from holdfast.master.membership.join_tokens import TokenWish
from holdfast.master.records.tables import Table
from holdfast.master.server import open_foundation
from holdfast.testing.postgresql import PostgreSql
from holdfast.testing.simulated_node import SimulatedIdentity, SimulatedNode
from holdfast.wire.hub import HubServer
from holdfast.wire.identity import Credentials, make_csr, new_key
from tests.api.schemas import AnswerChecker

LOCAL = ("127.0.0.1",)


class SettableClock(SystemClock):
    """The machine's clock, moved by `offset_s`."""

    def __init__(self) -> None:
        self.offset_s = 0.0

    def now_ns(self) -> int:
        return super().now_ns() + int(self.offset_s * 1e9)

    def monotonic_s(self) -> float:
        return super().monotonic_s() + self.offset_s


@dataclass
class Running:
    """`http` is logged in as the administrator; `anonymous` is not. `answers` holds what `call` gets against the OpenAPI document."""

    home: Path
    master: Master
    clock: SettableClock
    http: httpx.AsyncClient
    anonymous: httpx.AsyncClient
    hub_address: str
    made: InitResult
    app: FastAPI
    answers: AnswerChecker
    nodes: dict[str, SimulatedNode] = field(default_factory=dict)

    def records_as_stored(self) -> bytes:
        """Every value in every row."""
        tables = Table.metadata.sorted_tables
        rows = self.master.base.database.run_now(lambda s: [tuple(row) for table in tables for row in s.execute(select(table))])
        return b"\0".join(value if isinstance(value, bytes) else str(value).encode() for row in rows for value in row)

    async def call(self, method: str, path: str, /, body: object = None, status: int = 200, **query: Any) -> Any:
        """One request as the administrator; the status must be the expected one."""
        answer = await self.http.request(method, f"/api/v1{path}", json=body, params=query or None)
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text}"
        self.answers.check(method, f"/api/v1{path}", status, answer.json())
        return answer.json()

    async def get(self, path: str, /, status: int = 200, **query: Any) -> Any:
        return await self.call("GET", path, status=status, **query)

    async def post(self, path: str, body: object = None, status: int = 200) -> Any:
        return await self.call("POST", path, body if body is not None else {}, status=status)

    async def apply(self, text: str, status: int = 200, **more: Any) -> Any:
        return await self.call("PUT", "/environment", {"text": text, "accept_removals": True, **more}, status=status)

    async def token(self, name: str = "", ttl_s: float = 60, replace: bool = False, hold: bool = False) -> str:
        wish = TokenWish(name=name, ttl_s=ttl_s, replace=replace, hold=hold, url="https://master.test:7440")
        return (await self.master.join_tokens.create(wish)).token

    async def join(self, name: str, *, replace: bool = False, hold: bool = False, key_pem: bytes | None = None) -> SimulatedNode:
        """A machine that has joined and is not connected yet."""
        key = key_pem or new_key()
        token = await self.token(name, replace=replace, hold=hold)
        request = JoinRequest(token=token, name=name, csr_pem=make_csr(key).decode(), replace=replace)
        joined = await self.master.enrolment.join(request, self.hub_address)
        node = SimulatedNode(identity=identity_of(joined, key), address=f"{name}.test:7442")
        self.nodes[name] = node
        return node

    async def connect(self, *names: str) -> None:
        """Join (unless done) and connect; returns when the Master has worked off the moves."""
        for name in names:
            node = self.nodes.get(name) or await self.join(name)
            await node.connect(self.hub_address)
        await self.settle()

    async def until_offline(self, node: NodeId) -> None:
        while True:
            seen = self.master.base.news.count
            if node not in self.master.hub.online():
                return
            await self.master.base.news.wait(seen, 10)

    async def settle(self) -> None:
        """Until the refresh that a join or move asks for is over."""
        self.master.hub.moved.clear()
        await self.master.activation.refresh()


def identity_of(joined: Joined, key_pem: bytes) -> SimulatedIdentity:
    credentials = Credentials(key_pem, joined.certificate_pem.encode(), joined.ca_pem.encode())
    return SimulatedIdentity(joined.node_id, joined.environment_id, credentials, joined.signing_key)


_server: list[PostgreSql] = []


@contextmanager
def records_in(server: PostgreSql) -> Iterator[None]:
    """Meanwhile Masters keep their records there."""
    before = _server[:]
    _server[:] = [server]
    yield
    _server[:] = before


@functools.cache
def _made(folder: Path, server: PostgreSql | None) -> tuple[MasterConfig, InitResult]:
    """One Master made per test session and kind of database; tests work on copies."""
    url = server.new_database() if server else ""
    config = MasterConfig(home=folder / ("template-postgresql" if server else "template"), database_url=url)
    return config, init_master(config, "office", clock=SystemClock(), entropy=SystemEntropy())


def _copy_of(template: MasterConfig, home: Path) -> None:
    shutil.copytree(template.home, home)
    if template.database_url:
        of_its_own = _server[0].new_database(template.database_url.rpartition("/")[2])
        save_config(msgspec.structs.replace(template, home=home, database_url=of_its_own))


@asynccontextmanager
async def running_master(
    tmp_path: Path, home: Path | None = None, hub_port: int = 0, directories: tuple[Directory, ...] = ()
) -> AsyncIterator[Running]:
    """`home`: of a Master that was stopped, to go on with; `hub_port`: where its hub was; `directories`: by which people sign in."""
    template, made = _made(tmp_path.parent, _server[0] if _server else None)
    here = home or tmp_path / "master"
    if not here.exists():
        _copy_of(template, here)
    if directories:
        save_config(msgspec.structs.replace(load_config(here), directories=directories))
    clock = SettableClock()
    base = open_foundation(load_config(here), clock=clock, entropy=SystemEntropy())
    master: Master | None = None

    async def serve(stream: Any) -> None:
        assert master is not None
        await master.hub.serve(stream, "127.0.0.1")

    credentials = base.authority.issue_master(clock=clock, hosts=LOCAL)
    hub = HubServer(f"127.0.0.1:{hub_port}", credentials, serve, lambda key: master is not None and master.hub.is_barred(key))
    port = await hub.start()
    master = build_master(base, port)
    await master.start()
    app = create_app(master)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    bearer = {"Authorization": f"Bearer {made.api_token}"}
    async with (
        httpx.AsyncClient(transport=transport, base_url="https://master.test:7440", headers=bearer, timeout=60) as http,
        httpx.AsyncClient(transport=transport, base_url="https://master.test:7440", timeout=60) as anonymous,
    ):
        running = Running(here, master, clock, http, anonymous, f"127.0.0.1:{port}", made, app, AnswerChecker(app))
        try:
            yield running
        finally:
            for node in running.nodes.values():
                await node.disconnect()
            await master.say_farewell()
            await hub.stop(0)
            base.database.close()


Scenario = Callable[[Running], Awaitable[None]]


def with_master(scenario: Scenario) -> Callable[[Path], None]:
    """A test of a running Master: `async def test_x(running)`."""

    def test(tmp_path: Path) -> None:
        async def main() -> None:
            async with running_master(tmp_path) as running:
                await scenario(running)

        asyncio.run(main())

    test.__name__ = getattr(scenario, "__name__", "test")
    test.__doc__ = scenario.__doc__
    return test


ONE_TO_TWO = """\
# our office
environment: office
nodes: {files1: {}, vault: {}, dr: {}}
repositories:
  main: {node: vault, location: /srv/main}
  offsite: {node: dr, location: /srv/offsite}
policies:
  documents:
    classification: {paths: [/srv/documents]}
    operations:
      backup: {every: 1h, keep: {last: 50}}
      replicate: {removed: follow}
flows:
  office:
    vertices:
      files: {node: files1, policies: [documents]}
      store: {repository: main}
      copy: {mirror: dr, path: /srv/mirror}
      far: {repository: offsite}
    movers:
      - {from: files, to: store, carries: [documents/backup]}
      - {from: files, to: copy, carries: [documents/replicate]}
      - {from: store, to: far, carries: [documents/backup], after: documents/backup}
"""
