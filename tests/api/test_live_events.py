"""Live events: a snapshot, then every change; resumable; never in the Master's way."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import msgspec

from holdfast.api import streams
from holdfast.api.callers import COOKIE
from holdfast.core.ids import JobId, NodeId
from holdfast.master.documents.environment import EnvironmentView
from holdfast.master.feed import MOST_AT_ONCE, RING_SIZE, Feed
from holdfast.master.live.deltas import EnvironmentDelta
from holdfast.master.records import browser_sessions
from holdfast.model.jobs import Event, Job, Progress, Severity, State
from tests.api.streams import Subscriber, subscribed
from tests.master.masters import ONE_TO_TWO, Running, running_master, with_master

AT = datetime(2026, 1, 2, tzinfo=UTC)


def bearer(running: Running) -> dict[str, str]:
    return {"Authorization": f"Bearer {running.made.api_token}"}


def a_job(name: str, state: State, node: str = "n" * 32) -> Job:
    made = Job(id=JobId(name * 32), node=NodeId(node), kind="run", rule="files1/documents", state=state, created_at=AT)
    return msgspec.structs.replace(made, operations=("backup",))


def an_environment(seq: int) -> EnvironmentDelta:
    return EnvironmentDelta(seq=seq, environment=EnvironmentView(revision=seq, author="a", comment="", created_at=AT))


async def wait_for_readers(running: Running, count: int) -> None:
    async with asyncio.timeout(90):
        while running.master.base.feed.readers != count:
            await asyncio.sleep(0)


@with_master
async def test_it_begins_with_a_snapshot_and_tells_every_change(running: Running) -> None:
    await running.connect("files1", "vault")
    async with subscribed(running.app, bearer(running)) as events:
        first = await events.next()
        assert first.event == "snapshot"
        assert events.headers["content-type"].startswith("text/event-stream")
        assert events.headers["cache-control"] == "no-store"
        assert {node["name"]: node["state"] for node in first.data["nodes"]} == {"files1": "online", "vault": "online"}
        applied = await running.apply(ONE_TO_TWO)
        # What was told just before we came may come once more.
        while (await events.next("environment")).data["environment"]["revision"] != applied["revision"]:
            pass
        assert (await events.next("flows")).data["flows"][0]["state"] == "draft"
        await running.post("/flows/office/activate")
        while (await events.next("flows")).data["flows"][0]["state"] != "active":
            pass
        node = running.nodes["files1"]
        await node.report(1, (a_job("a", State.RUNNING),))
        told = (await events.next("job")).data["job"]
        assert (told["id"], told["state"], told["node_name"]) == ("a" * 32, "running", "files1")
        await node.tell_progress(Progress(job=JobId("a" * 32), phase="capture", done_bytes=5))
        assert (await events.next("progress")).data["progress"][0]["done_bytes"] == 5
        line = Event(code="low-disk", severity=Severity.WARNING, message="low", node=NodeId(""), time=AT)
        await node.report(2, (a_job("a", State.SUCCEEDED),), (line,))
        assert (await events.next("points")).data["operations"] == ["backup"]
        assert (await events.next("log")).data["events"][0]["node_name"] == "files1"
        await node.disconnect()
        assert (await events.next("node")).data["node"]["state"] == "offline"


@with_master
async def test_every_event_keeps_to_its_schema(running: Running) -> None:
    schema = running.app.openapi()["paths"]["/api/v1/events"]["get"]["responses"]["200"]["content"]["text/event-stream"]["schema"]
    validator = running.answers.validator(schema)
    async with subscribed(running.app, bearer(running)) as events:
        await running.connect("files1", "vault", "dr")
        await running.apply(ONE_TO_TWO)
        await running.post("/flows/office/activate")
        await running.post("/flows/office/trigger", {})
        seen = set()
        while not {"snapshot", "node", "environment", "flows", "trigger"} <= seen:
            event = await events.next()
            validator.validate(event.data)
            assert (event.data["kind"], event.id.rpartition("-")[2]) == (event.event, str(event.data["seq"]))
            seen.add(event.event)


@with_master
async def test_who_comes_back_goes_on_where_it_was(running: Running) -> None:
    async with subscribed(running.app, bearer(running)) as staying:
        await staying.next("snapshot")
        async with subscribed(running.app, bearer(running)) as leaving:
            seen = (await leaving.next("snapshot")).id
        for _ in range(3):
            running.master.base.feed.publish(an_environment)
        numbers = [(await staying.next()).data["seq"] for _ in range(3)]
        for headers, query in ({"Last-Event-ID": seen}, ""), ({}, f"after={seen}"):
            async with subscribed(running.app, {**bearer(running), **headers}, query) as back:
                assert [(await back.next()).data["seq"] for _ in range(3)] == numbers


@with_master
async def test_a_gap_is_a_fresh_snapshot(running: Running) -> None:
    feed = running.master.base.feed
    async with subscribed(running.app, bearer(running)) as events:
        first = await events.next("snapshot")
        for _ in range(RING_SIZE + 1):
            feed.publish(an_environment)
        feed.skip()
        assert (await events.next("snapshot")).data["seq"] == feed.seq
    for old in (first.id, "other-3", "nonsense", f"{feed.epoch}-", f"{feed.epoch}-{feed.seq + 1}", f"{feed.epoch}-{'9' * 40}"):
        async with subscribed(running.app, {**bearer(running), "Last-Event-ID": old}) as back:
            assert (await back.next()).event == "snapshot"


@with_master
async def test_each_delta_is_encoded_once_for_all(running: Running) -> None:
    async with asyncio.timeout(90):
        async with asyncio.TaskGroup() as group:
            release = asyncio.Event()
            everybody: list[Subscriber] = []

            async def follow() -> None:
                async with subscribed(running.app, bearer(running)) as events:
                    await events.next("snapshot")
                    everybody.append(events)
                    await events.next("environment")
                    await release.wait()

            for _ in range(100):
                group.create_task(follow())
            while len(everybody) < 100:
                await asyncio.sleep(0)
            before = running.app.state.frames.encoded
            running.master.base.feed.publish(an_environment)
            release.set()
    assert running.app.state.frames.encoded == before + 1
    assert len({events.body.split(b"event: environment")[1] for events in everybody}) == 1


@with_master
async def test_a_subscriber_that_takes_nothing_is_cut_off(running: Running) -> None:
    original, streams.SEND_TIMEOUT_S = streams.SEND_TIMEOUT_S, 0.05
    try:
        async with subscribed(running.app, bearer(running)) as slow, subscribed(running.app, bearer(running)) as quick:
            await slow.next("snapshot")
            await quick.next("snapshot")
            slow.takes.clear()
            running.master.base.feed.publish(an_environment)
            await slow.ended()
            assert (await quick.next()).event == "environment"
            assert running.master.base.feed.readers == 1
    finally:
        streams.SEND_TIMEOUT_S = original


@with_master
async def test_quiet_streams_say_that_they_are_alive(running: Running) -> None:
    original, streams.HEARTBEAT_S = streams.HEARTBEAT_S, 0.01
    try:
        async with subscribed(running.app, bearer(running)) as events:
            assert (await events.next(":")).data == ": alive"
    finally:
        streams.HEARTBEAT_S = original


@with_master
async def test_it_ends_with_the_token(running: Running) -> None:
    made = await running.post("/tokens", {"name": "page", "ttl_s": None})
    theirs = {"Authorization": f"Bearer {made['token']}"}
    async with (
        subscribed(running.app, theirs) as events,
        subscribed(running.app, bearer(running)) as other,
    ):
        await events.next("snapshot")
        await other.next("snapshot")
        await running.call("DELETE", "/tokens/page")
        assert (await events.next("end")).data["code"] == "not-authenticated"
        await events.ended()
        running.master.base.feed.publish(an_environment)
        assert (await other.next()).event == "environment"


@with_master
async def test_it_ends_with_the_session(running: Running) -> None:
    page = {"X-Holdfast-Page": "1", "Origin": "https://master.test:7440"}
    body = {"user": "admin", "password": running.made.admin_password}
    opened = await running.anonymous.post("/api/v1/session", json=body, headers=page)
    cookie = f"{COOKIE}={opened.cookies[COOKIE]}"
    async with subscribed(running.app, {}, cookie=cookie) as events:
        await events.next("snapshot")
        await running.call("DELETE", f"/sessions/{opened.json()['id']}")
        await events.next("end")
        await events.ended()
    async with subscribed(running.app, {}, cookie=cookie) as late:
        await late.ended()
        assert late.status == 401


@with_master
async def test_it_ends_when_the_master_stops(running: Running) -> None:
    async with subscribed(running.app, bearer(running)) as events:
        await events.next("snapshot")
        await running.master.say_farewell()
        await events.ended()
        assert b"event: end" not in events.body


@with_master
async def test_there_are_only_so_many_streams(running: Running) -> None:
    original, streams.MOST_STREAMS = streams.MOST_STREAMS, 1
    try:
        async with subscribed(running.app, bearer(running)) as first:
            await first.next("snapshot")
            async with subscribed(running.app, bearer(running)) as second:
                await second.ended()
                assert second.status == 429
    finally:
        streams.MOST_STREAMS = original
    await wait_for_readers(running, 0)


@with_master
async def test_with_nobody_listening_nothing_is_looked_up(running: Running) -> None:
    feed = running.master.base.feed
    await running.master.newsroom.publish()
    await running.apply(ONE_TO_TWO)
    before = feed.seq
    await running.master.newsroom.publish()
    assert feed.seq <= before + 1
    async with subscribed(running.app, bearer(running)) as events:
        assert (await events.next("snapshot")).data["environment"]["revision"] == 2


def test_a_new_life_of_the_master_is_another_epoch(tmp_path: object) -> None:
    async def main() -> None:
        from pathlib import Path

        assert isinstance(tmp_path, Path)
        async with running_master(tmp_path) as running:
            async with subscribed(running.app, bearer(running)) as events:
                old = (await events.next("snapshot")).id
            home = tmp_path / "master"
        async with running_master(tmp_path, home) as again, subscribed(again.app, {**bearer(again), "Last-Event-ID": old}) as events:
            assert (await events.next()).event == "snapshot"

    asyncio.run(main())


def test_the_ring_gives_what_follows_in_order() -> None:
    feed = Feed("e", size=5)
    assert feed.after(0) == ()
    for _ in range(7):
        feed.publish(an_environment)
    assert feed.after(1) is None
    assert [delta.seq for delta in feed.after(2) or ()] == [3, 4, 5, 6, 7]
    assert feed.after(7) == ()
    assert feed.after(8) is None
    feed.skip()
    assert feed.after(7) is None
    large = Feed("e")
    for _ in range(MOST_AT_ONCE + 10):
        large.publish(an_environment)
    assert [delta.seq for delta in large.after(0) or ()] == list(range(1, MOST_AT_ONCE + 1))


@with_master
async def test_it_ends_with_the_session_however_much_news_there_is(running: Running) -> None:
    page = {"X-Holdfast-Page": "1", "Origin": "https://master.test:7440"}
    body = {"user": "admin", "password": running.made.admin_password}
    opened = await running.anonymous.post("/api/v1/session", json=body, headers=page)
    async with subscribed(running.app, {}, cookie=f"{COOKIE}={opened.cookies[COOKIE]}") as events:
        await events.next("snapshot")
        # As `holdfast master password` does, from another process.
        await running.master.base.database.run(lambda s: browser_sessions.drop_of(s, "admin"))
        running.clock.offset_s += streams.HEARTBEAT_S + 1
        running.master.base.feed.publish(an_environment)
        await events.next("end")
        await events.ended()
