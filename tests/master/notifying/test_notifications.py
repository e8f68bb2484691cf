"""Notifications reach real services, survive restarts, and keep their addresses to themselves."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import msgspec

from holdfast.core.errors import ErrorFacts
from holdfast.core.ids import JobId
from holdfast.model.jobs import Event, Finding, Job, Severity, State
from holdfast.model.keys import KitState, kit_findings
from holdfast.testing.message_services import WebHook, mail_server, web_hook
from tests.master.machines import Machine
from tests.master.masters import Running, running_master, with_master
from tests.master.monitor.test_monitor import office, tell

BROKEN = ErrorFacts("no-space", "the disk is full", "free some")


async def hook_channel(running: Running, hook: WebHook, name: str = "ops") -> None:
    await running.call("PUT", f"/notifications/channels/{name}", {"secret_url": f"json://anna:hush-hush@127.0.0.1:{hook.port}/s3cr3t-path"})


async def rule(running: Running, name: str = "all", **more: Any) -> None:
    await running.call("PUT", f"/notifications/rules/{name}", {"to": ["ops"], "nodes": ["files1"], **more})


async def work(running: Running, minutes: float = 2) -> None:
    """As the Master's own task does, after so long."""
    running.clock.offset_s += minutes * 60
    await running.master.notifications.work()


def breaks(machine: Machine) -> None:
    tell(machine, backup={"state": State.FAILED, "error": BROKEN})


@with_master
async def test_a_dataset_that_fails_and_works_again_is_told_twice(running: Running) -> None:
    machines = await office(running)
    async with web_hook() as hook:
        await hook_channel(running, hook)
        await rule(running)
        await work(running)
        assert hook.taken == []
        breaks(machines["files1"])
        await work(running)
        await work(running)
        (message,) = hook.taken
        assert message["type"] == "failure"
        assert "files1/documents" in message["title"]
        assert "the disk is full" in message["message"]
        assert "(free some)" in message["message"]
        (standing,) = (await running.get("/notifications/now"))["notices"]
        assert (standing["notice"]["code"], standing["notice"]["dataset"]) == ("dataset-failed", "files1/documents")
        assert [(each["rule"], each["to"], each["due_at"]) for each in standing["rules"]] == [("all", ["ops"], None)]
        assert standing["rules"][0]["told_at"] is not None
        tell(machines["files1"])
        await work(running)
        assert hook.taken[1]["type"] == "success"
        assert "works again" in hook.taken[1]["title"]
        view = await running.get("/notifications")
        assert view["channels"][0]["sent_at"] is not None
        assert view["channels"][0]["waiting"] == 0


@with_master
async def test_mail_arrives_with_title_and_text(running: Running) -> None:
    machines = await office(running)
    async with mail_server() as mail:
        url = f"mailto://127.0.0.1:{mail.port}?from=holdfast@example.test&to=ops@example.test&mode=insecure"
        await running.call("PUT", "/notifications/channels/ops", {"secret_url": url})
        await rule(running)
        breaks(machines["files1"])
        await work(running)
        (message,) = mail.taken
        assert message["To"] == "ops@example.test"
        assert message["Subject"].startswith("Holdfast office: files1/documents: backup to")
        assert "the disk is full" in message.get_content()


@with_master
async def test_a_channel_that_fails_is_tried_again_and_shown_meanwhile(running: Running) -> None:
    machines = await office(running)
    async with web_hook() as hook:
        await hook_channel(running, hook)
        await rule(running)
        hook.status = 503
        breaks(machines["files1"])
        await work(running)
        await work(running, minutes=0)
        assert hook.refused == 1
        found = [finding for finding in (await running.get("/status"))["findings"] if finding["code"] == "notify-failing"]
        assert "channel ops" in found[0]["message"]
        assert "error=503" in found[0]["message"]
        await work(running)
        assert hook.refused == 2
        hook.status = 200
        await work(running, minutes=0.1)
        assert hook.taken == []
        await work(running)
        assert len(hook.taken) == 1
        assert not [finding for finding in (await running.get("/status"))["findings"] if finding["code"] == "notify-failing"]


@with_master
async def test_what_waits_is_sent_when_the_clock_is_set_back_and_then_tried_by_the_right_time(running: Running) -> None:
    machines = await office(running)
    async with web_hook() as hook:
        await hook_channel(running, hook)
        await rule(running)
        hook.status = 503
        breaks(machines["files1"])
        await work(running, minutes=600)
        before = hook.refused
        await work(running, minutes=-600)
        assert hook.refused == before + 1
        await work(running, minutes=0)
        assert hook.refused == before + 1
        hook.status = 200
        await work(running, minutes=60)
        assert len(hook.taken) == 1


def test_what_waits_and_what_was_told_survive_a_restart(tmp_path: Path) -> None:
    async def main() -> None:
        async with web_hook() as hook:
            async with running_master(tmp_path) as running:
                machines = await office(running)
                await hook_channel(running, hook)
                await rule(running, kinds=["dataset-*"])
                hook.status = 500
                breaks(machines["files1"])
                await work(running)
            hook.status = 200
            async with running_master(tmp_path, home=running.home) as again:
                again.clock.offset_s = running.clock.offset_s
                await work(again)
                assert len(hook.taken) == 1
                # Its node has not said anything yet: nothing is over, and nothing is told anew.
                await work(again)
                assert len(hook.taken) == 1

    asyncio.run(main())


@with_master
async def test_a_digest_is_one_message_and_quiet_hours_hold_it(running: Running) -> None:
    machines = await office(running)
    async with web_hook() as hook:
        await hook_channel(running, hook)
        await rule(running, nodes=[], digest_s=600)
        breaks(machines["files1"])
        await work(running)
        tell(machines["dr"])
        finding = Finding(code="drill-overdue", severity=Severity.WARNING, message="nothing was proven")
        status = machines["dr"].status
        assert status is not None
        machines["dr"].status = msgspec.structs.replace(status, findings=(finding,))
        await work(running)
        assert hook.taken == []
        await work(running, minutes=12)
        (message,) = hook.taken
        assert "2 notices" in message["title"]
        assert "drill-overdue" in message["message"]
        assert "the disk is full" in message["message"]


@with_master
async def test_each_repository_without_a_kit_is_told(running: Running) -> None:
    machines = await office(running)
    async with web_hook() as hook:
        await hook_channel(running, hook)
        await rule(running, nodes=[], digest_s=600)
        tell(machines["dr"])
        found = kit_findings([("far", KitState.NEVER), ("near", KitState.NEVER)])
        machines["dr"].status = msgspec.structs.replace(machines["dr"].status, findings=found)
        await work(running)
        await work(running, minutes=12)
        (message,) = hook.taken
        assert "2 notices" in message["title"]
        assert all(f"recovery kit of {name}" in message["message"] for name in ("far", "near"))


@with_master
async def test_lines_of_the_log_and_failed_restores_are_told(running: Running) -> None:
    await office(running)
    async with web_hook() as hook:
        await hook_channel(running, hook)
        await rule(running)
        await work(running)
        node = running.nodes["files1"]
        now = running.master.base.now()
        line = Event(code="rules-refused", severity=Severity.ERROR, message="no such hook", node=node.identity.node, time=now)
        quiet = Event(code="rules-in-force", severity=Severity.INFO, message="fine", node=node.identity.node, time=now)
        job = Job(
            id=JobId("b" * 32),
            node=node.identity.node,
            kind="restore",
            rule="restore of documents",
            state=State.FAILED,
            created_at=now,
            ended_at=now,
            error=BROKEN,
        )
        await node.report(1, jobs=(job,), events=(line, quiet))
        await node.until(lambda: node.received >= 1)
        await work(running)
        (message,) = hook.taken
        assert "no such hook" in message["message"]
        assert "restore of documents" in message["message"]
        assert "fine" not in message["message"]
        await work(running)
        assert len(hook.taken) == 1


@with_master
async def test_a_node_that_is_away_is_told_after_its_time(running: Running) -> None:
    await office(running)
    async with web_hook() as hook:
        await hook_channel(running, hook)
        await rule(running, kinds=["node-away"], after_s=900)
        node = running.nodes["files1"]
        await node.disconnect()
        await running.until_offline(node.identity.node)
        await work(running, minutes=10)
        assert hook.taken == []
        await work(running, minutes=6)
        assert "files1: the node is not connected" in hook.taken[0]["title"]
        await running.connect("files1")
        await work(running)
        assert "files1 is connected again" in hook.taken[1]["title"]


@with_master
async def test_a_test_message_says_whether_it_was_taken(running: Running) -> None:
    async with web_hook() as hook:
        await hook_channel(running, hook)
        assert await running.post("/notifications/channels/ops/test") == {"channel": "ops", "sent": True}
        assert "a test" in hook.taken[0]["title"]
        assert hook.paths == ["/s3cr3t-path"]
        hook.status = 403
        refused = await running.post("/notifications/channels/ops/test", status=503)
        assert "error=403" in refused["error"]["message"]
        await running.post("/notifications/channels/nobody/test", status=404)


@with_master
async def test_the_address_is_nowhere(running: Running) -> None:
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        async with web_hook() as hook:
            await hook_channel(running, hook)
            hook.status = 401
            refused = await running.post("/notifications/channels/ops/test", status=503)
            await running.call("PUT", "/notifications/channels/ops", {"secret_url": "nonsense://hush-hush/s3cr3t-path"}, status=400)
            shown = str(await running.get("/notifications")) + str(refused) + str(await running.get("/audit", limit=100))
    finally:
        root.removeHandler(handler)
        root.setLevel(before)
    for secret in ("hush-hush", "s3cr3t-path"):
        assert secret not in shown
        assert secret.encode() not in running.records_as_stored()
        assert not [line for line in lines if secret in line]


@with_master
async def test_rules_keep_their_order_and_channels_in_use_stay(running: Running) -> None:
    async with web_hook() as hook:
        await hook_channel(running, hook)
        for name in ("a", "b", "c"):
            await rule(running, name)
        await rule(running, "c", place=0, stop=True)
        await rule(running, "a", severity="error")
        rules = (await running.get("/notifications"))["rules"]
        assert [each["name"] for each in rules] == ["c", "a", "b"]
        assert rules[0]["stop"]
        assert rules[1]["severity"] == "error"
        await running.call("DELETE", "/notifications/channels/ops", status=409)
        for name in ("a", "b", "c"):
            await running.call("DELETE", f"/notifications/rules/{name}")
        await running.call("DELETE", "/notifications/rules/a", status=404)
        await running.call("DELETE", "/notifications/channels/ops")
        await running.call("PUT", "/notifications/rules/a", {"to": ["ops"]}, status=400)
