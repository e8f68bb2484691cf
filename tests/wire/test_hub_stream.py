"""The hub session: messages both ways, who is let in, what each end hears when the other goes."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime

import pytest

from holdfast.core.clock import SystemClock
from holdfast.core.errors import Conflict, NotReachable, Refused
from holdfast.core.ids import EnvironmentId, JobId, NodeId
from holdfast.model.jobs import Event, Job, Severity, State
from holdfast.model.questions import AskStatus
from holdfast.testing.identities import credentials_for
from holdfast.wire import hub as wire_hub
from holdfast.wire.authority import Authority
from holdfast.wire.grpc_options import Keepalive
from holdfast.wire.hub import HubServer, HubStream, dial_hub
from holdfast.wire.hub_messages import Asked, Farewell, Hello, HubMessage, Received, Report, Welcome
from holdfast.wire.identity import key_id_of

NODE = NodeId("c" * 32)
CLOCK = SystemClock()
LARGE = Report(
    number=1,
    events=(Event(code="large", severity=Severity.INFO, message="m" * 6_000_000, node=NODE, time=datetime(2026, 1, 2, tzinfo=UTC)),),
)
HELLO = Hello(environment=EnvironmentId("e" * 32), node=NODE, generation=3, version="1", time_ns=5)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.create(clock=CLOCK)


@asynccontextmanager
async def hub(
    authority: Authority, on_session: Callable[[HubStream], Awaitable[None]], revoked: Callable[[str], bool] = lambda key: False
) -> AsyncIterator[tuple[HubServer, str]]:
    server = HubServer("127.0.0.1:0", authority.issue_master(clock=CLOCK), on_session, revoked)
    port = await server.start()
    try:
        yield server, f"127.0.0.1:{port}"
    finally:
        await server.stop(0.2)


class SilentLine:
    """Carries connections to a port on this machine until it `is_cut`: then it takes everything, hands on nothing and ends nothing."""

    def __init__(self, port: int) -> None:
        self.is_cut = False
        self.address = ""
        self._port = port
        self._writers: list[asyncio.StreamWriter] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> SilentLine:
        self._server = await asyncio.start_server(self._join, "127.0.0.1", 0)
        self.address = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self.end()
        self._server.close()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def end(self) -> None:
        for writer in self._writers:
            writer.close()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._writers += [writer, far_writer]
        for source, target in ((reader, far_writer), (far_reader, writer)):
            task = asyncio.ensure_future(self._carry(source, target))
            self._tasks.add(task)

    async def _carry(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await source.read(65_536):
                if not self.is_cut:
                    target.write(data)


async def flood(stream: HubStream) -> None:
    while True:
        await stream.send(LARGE)


async def echo(stream: HubStream) -> None:
    while (message := await stream.receive()) is not None:
        await stream.send(message)


def test_messages_go_both_ways_and_the_peer_is_known(authority: Authority) -> None:
    peers: list[NodeId] = []

    async def serve(stream: HubStream) -> None:
        peers.append(stream.peer)
        assert await stream.receive() == HELLO
        await asyncio.gather(stream.send(Welcome(time_ns=1)), stream.send(Asked(number=1, question=AskStatus())))
        report = await stream.receive()
        assert isinstance(report, Report)
        await stream.send(Received(number=report.number))

    async def scenario() -> list[HubMessage | None]:
        async with hub(authority, serve) as (_, address):
            stream = await dial_hub(address, credentials_for(authority, NODE))
            await stream.send(HELLO)
            got = [await stream.receive(), await stream.receive()]
            job = Job(
                id=JobId("f" * 32), node=NODE, kind="run", rule="a/b", state=State.QUEUED, created_at=datetime(2026, 1, 2, tzinfo=UTC)
            )
            await stream.send(Report(number=9, jobs=(job,)))
            got += [await stream.receive(), await stream.receive()]
            await stream.close()
            return got

    assert asyncio.run(scenario()) == [Welcome(time_ns=1), Asked(number=1, question=AskStatus()), Received(number=9), None]
    assert peers == [NODE]


def test_the_server_sees_an_orderly_close_as_none(authority: Authority) -> None:
    ended = asyncio.Event()

    async def serve(stream: HubStream) -> None:
        while await stream.receive() is not None:
            pass
        ended.set()

    async def scenario() -> None:
        async with hub(authority, serve) as (_, address):
            stream = await dial_hub(address, credentials_for(authority, NODE))
            await stream.send(HELLO)
            await stream.close()
            await stream.close()
            await asyncio.wait_for(ended.wait(), 90)
            with pytest.raises(NotReachable):
                await stream.send(HELLO)
            assert await stream.receive() is None

    asyncio.run(scenario())


@pytest.mark.parametrize("reads_on", [True, False])
def test_a_close_behind_a_message_that_is_under_way_is_seen(authority: Authority, monkeypatch: pytest.MonkeyPatch, reads_on: bool) -> None:
    """In order where the Master reads on; where it does not, as a node that has gone."""
    monkeypatch.setattr(wire_hub, "CLOSE_GRACE_S", 30.0 if reads_on else 0.2)

    async def scenario() -> None:
        begun, going_on, left = asyncio.Event(), asyncio.Event(), asyncio.Event()
        heard: list[HubMessage | None] = []

        async def serve(stream: HubStream) -> None:
            try:
                begun.set()
                await going_on.wait()
                while (message := await stream.receive()) is not None:
                    heard.append(message)
                heard.append(None)
            finally:
                left.set()

        async with hub(authority, serve) as (_, address):
            stream = await dial_hub(address, credentials_for(authority, NODE))
            await begun.wait()
            sending = asyncio.ensure_future(stream.send(LARGE) if reads_on else flood(stream))
            await asyncio.sleep(0)
            assert not sending.done()
            closing = asyncio.ensure_future(stream.close())
            if reads_on:
                await asyncio.sleep(0)
                going_on.set()
            await asyncio.wait_for(closing, 90)
            await asyncio.wait_for(left.wait(), 90)
            if reads_on:
                await sending
            else:
                # Not as if who sends were cancelled: that would end more than this session.
                with pytest.raises(NotReachable):
                    await sending
            assert ([type(message) for message in heard]) == ([Report, type(None)] if reads_on else [])

    asyncio.run(scenario())


def test_who_sends_to_a_node_that_goes_meanwhile_is_told_that_it_is_not_reachable(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire_hub, "CLOSE_GRACE_S", 0.2)

    async def scenario() -> None:
        sending: asyncio.Future[asyncio.Task[None]] = asyncio.get_running_loop().create_future()

        async def serve(stream: HubStream) -> None:
            sending.set_result(asyncio.create_task(flood(stream)))
            await asyncio.Event().wait()

        async with hub(authority, serve) as (_, address):
            stream = await dial_hub(address, credentials_for(authority, NODE))
            under_way = await sending
            await stream.close()
            with pytest.raises(NotReachable, match="is gone"):
                await asyncio.wait_for(under_way, 90)

    asyncio.run(scenario())


def test_an_error_in_the_handler_becomes_a_farewell(authority: Authority) -> None:
    async def serve(stream: HubStream) -> None:
        await stream.receive()
        raise Conflict("another node bears this name", hint="choose another")

    async def scenario() -> HubMessage | None:
        async with hub(authority, serve) as (_, address):
            stream = await dial_hub(address, credentials_for(authority, NODE))
            await stream.send(HELLO)
            answer = await stream.receive()
            assert await stream.receive() is None
            await stream.close()
            return answer

    answer = asyncio.run(scenario())
    assert isinstance(answer, Farewell)
    assert answer.error.code == "conflict"


def test_strangers_are_refused(authority: Authority) -> None:
    async def scenario() -> None:
        revoked_credentials = credentials_for(authority, NODE)
        revoked_key = key_id_of(revoked_credentials.cert_pem)
        async with hub(authority, echo, lambda key: key == revoked_key) as (_, address):
            foreign = credentials_for(Authority.create(clock=CLOCK), NODE)
            with pytest.raises(Refused, match="not who it should be"):
                await dial_hub(address, foreign)
            with pytest.raises(Refused, match="not who it should be"):
                await dial_hub(address, credentials_for(authority, NODE), master_name="another-master")
            with pytest.raises(Refused, match="revoked"):
                await dial_hub(address, revoked_credentials)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            with pytest.raises(NotReachable, match="nothing listens"):
                await dial_hub(f"127.0.0.1:{free.getsockname()[1]}", credentials_for(authority, NODE))

    asyncio.run(scenario())


def test_a_server_that_stops_ends_its_sessions(authority: Authority) -> None:
    async def scenario() -> None:
        async with hub(authority, echo) as (_, address):
            stream = await dial_hub(address, credentials_for(authority, NODE))
            receiving = asyncio.ensure_future(stream.receive())
            await asyncio.sleep(0)
        # The end, or that the server cut it: which of the two arrives first is the network's.
        with suppress(NotReachable):
            assert await asyncio.wait_for(receiving, 90) is None
        await stream.close()

    asyncio.run(scenario())


def test_close_wakes_the_receiver(authority: Authority) -> None:
    async def scenario() -> None:
        async with hub(authority, echo) as (_, address):
            stream = await dial_hub(address, credentials_for(authority, NODE))
            receiving = asyncio.ensure_future(stream.receive())
            await asyncio.sleep(0)
            await stream.close()
            assert await asyncio.wait_for(receiving, 90) is None

    asyncio.run(scenario())


def test_a_node_that_falls_silent_without_a_word_is_gone_after_the_keepalive(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    """As one that stands still, or lost its power behind something that holds its connection open: nothing ends that."""
    assert wire_hub.HUB_KEEPALIVE.time_s + wire_hub.HUB_KEEPALIVE.answer_s <= 30
    monkeypatch.setattr(wire_hub, "HUB_KEEPALIVE", Keepalive(time_s=0.5, timeout_s=0.5, answer_s=0.5))

    async def scenario() -> None:
        begun, left = asyncio.Event(), asyncio.Event()

        async def serve(stream: HubStream) -> None:
            begun.set()
            try:
                await stream.receive()
            finally:
                left.set()

        server = HubServer("127.0.0.1:0", authority.issue_master(clock=CLOCK), serve, lambda key: False)
        async with SilentLine(await server.start()) as line:
            stream = await dial_hub(line.address, credentials_for(authority, NODE))
            await begun.wait()
            line.is_cut = True
            await asyncio.wait_for(left.wait(), 30)
            line.end()
            await stream.close()
            await server.stop(0)

    asyncio.run(scenario())


def test_a_hundred_sessions_at_once(authority: Authority) -> None:
    async def talk(address: str, index: int) -> None:
        stream = await dial_hub(address, credentials)
        await stream.send(Received(number=index))
        assert await stream.receive() == Received(number=index)
        await stream.close()

    credentials = credentials_for(authority, NODE)

    async def scenario() -> None:
        async with hub(authority, echo) as (_, address):
            await asyncio.gather(*(talk(address, index) for index in range(100)))

    asyncio.run(scenario())
