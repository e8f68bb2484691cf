"""Reports that are sent by themselves: once for all times that were missed, tried again, and shown while they do not get through."""

from __future__ import annotations

import asyncio
import base64
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from holdfast.master.records import report_schedules
from holdfast.master.rules.compiling import current_situation
from holdfast.model.access import Activity, Scope
from holdfast.model.open_times import triggers_on
from holdfast.model.report_schedules import LONGEST_S, ReportSchedule, Times, newest_due, next_time
from holdfast.testing.message_services import WebHook, web_hook
from tests.master.masters import Running, with_master

AT = datetime(2026, 3, 27, 12, 0, tzinfo=UTC)
WEEKLY = {"kind": "drills", "at": ["07:00"], "to": ["ops", "boss"]}
TIMES = (("07:00",), ("mon 07:00", "wed,fri 02:30"), ("day last 23:30",))


@given(st.sampled_from(TIMES), st.integers(0, 60 * 24 * 40), st.integers(0, 60 * 24 * 40))
def test_the_newest_missed_time_is_made_up_for_and_the_next_follows(at: tuple[str, ...], missed_min: int, later_min: int) -> None:
    times, after = Times(at, "Europe/Berlin"), AT + timedelta(minutes=later_min)
    now = after + timedelta(minutes=missed_min)
    days = ((after - timedelta(days=2)).date() + timedelta(days=n) for n in range(120))
    every = [moment for day in days for moment in triggers_on(at, "Europe/Berlin", day)]
    assert newest_due(times, after, now) == max((m for m in every if after < m <= now), default=None)
    assert next_time(times, now) == min(m for m in every if m > now)


def _later(running: Running, *, missed_days: int = 0) -> None:
    """As if it had been set up so long ago, or the time to try again had come."""
    now = running.master.base.now()

    def work(session: Session) -> None:
        schedule, progress = _stored(session)
        moved = msgspec.structs.replace(progress, try_at=now) if not missed_days else _set_back(progress, now, missed_days)
        assert report_schedules.put_progress(session, schedule, moved)

    running.master.base.database.run_now(work)


def _stored(session: Session) -> tuple[ReportSchedule, report_schedules.Progress]:
    stored = report_schedules.report_schedule(session, "weekly")
    return stored.schedule, stored.progress


def _set_back(progress: report_schedules.Progress, now: datetime, days: int) -> report_schedules.Progress:
    return msgspec.structs.replace(progress, handled_at=now - timedelta(days=days))


@with_master
async def test_a_report_goes_at_its_time_once_and_what_is_left_is_tried_again(running: Running) -> None:
    post = running.master.post
    async with web_hook() as good, web_hook() as bad:
        for name, hook in (("ops", good), ("boss", bad)):
            await running.call("PUT", f"/notifications/channels/{name}", {"secret_url": f"json://127.0.0.1:{hook.port}/"})
        wanted = {"kind": "drills", "at": ["07:00"], "to": ["ops", "boss", "ops"], "format": "csv", "folder": True, "since_s": LONGEST_S}
        (made,) = (await running.call("PUT", "/report-schedules/weekly", wanted))["schedules"]
        assert made["next_at"] is not None
        await post.work()
        assert good.taken == []

        bad.status = 500
        _later(running, missed_days=5)
        await post.work()
        (message,) = good.taken
        assert message["title"].endswith("Drills (weekly)")
        (attached,) = message["attachments"]
        assert attached["filename"].startswith("holdfast-drills-")
        (shown,) = (await running.get("/report-schedules"))["schedules"]
        assert (shown["left"], shown["sent_at"]) == (["boss"], None)
        assert "channel boss" in shown["error"]
        assert Path(shown["file"]).read_bytes() == base64.b64decode(attached["base64"])
        assert "report-not-sent" in [found["code"] for found in (await running.get("/status"))["findings"]]
        await post.work()
        assert bad.refused == 1, "not again before its time"
        await running.call("DELETE", "/notifications/channels/boss", status=409)

        bad.status = 200
        _later(running)
        await post.work()
        assert (len(good.taken), len(bad.taken)) == (1, 1), "only who had not got it"
        (shown,) = (await running.get("/report-schedules"))["schedules"]
        assert (shown["left"], shown["error"], shown["due_at"]) == ([], "", None)
        assert shown["sent_at"] is not None
        assert "report-not-sent" not in [found["code"] for found in (await running.get("/status"))["findings"]]
        await running.post("/report-schedules/weekly/send")
        assert (len(good.taken), len(bad.taken)) == (2, 2)
    for wrong in ({"at": []}, {"at": ["soon"]}, {"to": ["nobody"]}, {"schedule": "nights"}, {"to": [], "folder": False}, {"zone": "Mars"}):
        await running.call("PUT", "/report-schedules/weekly", {**wanted, **wrong}, status=400)
    await running.call("DELETE", "/report-schedules/weekly")
    await running.call("DELETE", "/report-schedules/weekly", status=404)
    # To set or send one is to read it, too.
    scope = Scope(activities=frozenset({Activity.NOTIFICATIONS_MANAGE}))
    headers = {"Authorization": f"Bearer {(await running.master.access.create_token('admin', 'narrow', None, scope)).token}"}
    for method, path in (("PUT", "weekly"), ("POST", "weekly/send")):
        refused = await running.anonymous.request(method, f"/api/v1/report-schedules/{path}", json=WEEKLY, headers=headers)
        assert (refused.status_code, "metrics.read" in refused.text) == (403, True)


async def _hang_at_boss(running: Running, boss: WebHook) -> asyncio.Task[None]:
    """`weekly` is on its way: `ops` has it, `boss` does not answer."""
    await running.call("PUT", "/report-schedules/weekly", WEEKLY)
    _later(running, missed_days=5)
    boss.answers.clear()
    boss.asked.clear()
    working = asyncio.create_task(running.master.post.work())
    await boss.asked.wait()
    while (await running.get("/report-schedules"))["schedules"][-1]["left"] != ["boss"]:
        pass
    return working


@with_master
async def test_while_a_channel_hangs_reports_are_changed_and_sent_and_the_master_dies(running: Running) -> None:
    async with web_hook() as ops, web_hook() as boss, asyncio.timeout(120):
        for name, hook in (("ops", ops), ("boss", boss)):
            await running.call("PUT", f"/notifications/channels/{name}", {"secret_url": f"json://127.0.0.1:{hook.port}/"})
        working = await _hang_at_boss(running, boss)
        await running.call("PUT", "/report-schedules/another", {**WEEKLY, "to": ["ops"]})
        assert (await running.post("/report-schedules/another/send"))["error"] == ""
        await running.call("PUT", "/report-schedules/weekly", {**WEEKLY, "to": ["ops"]})
        boss.status = 500
        boss.answers.set()
        await working
        for shown in (await running.get("/report-schedules"))["schedules"]:
            assert (shown["schedule"]["to"], shown["left"], shown["failing_since"], shown["due_at"]) == (["ops"], [], None, None)
        assert len(ops.taken) == 2

        boss.status = 200
        working = await _hang_at_boss(running, boss)
        working.cancel()
        await asyncio.wait([working])
        boss.answers.set()
        await running.master.post.work()
        assert len(ops.taken) == 3, "not again to whom it had got"
        assert (await running.get("/report-schedules"))["schedules"][-1]["due_at"] is None


@with_master
async def test_what_goes_wrong_with_one_report_concerns_no_other_and_what_never_comes_is_said(running: Running) -> None:
    async def findings() -> list[str]:
        found = (await running.get("/status"))["findings"]
        return [f"{each['code']}: {each['message']}" for each in found if each["code"].startswith("report-")]

    # Before there were bounds: so far back that there is no such day.
    odd = ReportSchedule(name="odd", kind="drills", at=("07:00",), since_s=1e13, folder=True)
    long_ago = running.master.base.now() - timedelta(days=2)
    running.master.base.database.run_now(lambda s: report_schedules.set_report_schedule(s, odd, long_ago))
    named = {"kind": "drills", "schedule": "months", "folder": True}
    await running.call("PUT", "/report-schedules/weekly", named, status=400)
    await running.apply("environment: office\nschedules: {months: {windows: ['22:00-06:00']}}\n")
    await running.call("PUT", "/report-schedules/weekly", named, status=400)
    await running.apply("environment: office\nschedules: {months: {at: ['day 1 07:00']}}\n")
    await running.call("PUT", "/report-schedules/weekly", named)
    base = running.master.base
    assert base.database.run_now(lambda s: current_situation(s, base)).inventory.schedules_of_reports == {"months"}
    _later(running, missed_days=40)
    await running.master.post.work()
    broken, sent = (await running.get("/report-schedules"))["schedules"]
    assert broken["error"].startswith("OverflowError")
    assert (sent["failing_since"], bool(sent["sent_at"])) == (None, True)
    assert [each.partition(":")[0] for each in await findings()] == ["report-not-sent"]

    await running.apply("environment: office\n")
    assert "report-never-due: report weekly is not made by itself: the document has no schedule 'months' any more" in await findings()
    await running.call("PUT", "/report-schedules/weekly", {**named, "enabled": False})
    await running.call("PUT", "/report-schedules/odd", {"kind": "drills", "at": ["07:00"], "to": ["ops"]}, status=400)
    off = msgspec.structs.replace(odd, enabled=False)
    running.master.base.database.run_now(lambda s: report_schedules.set_report_schedule(s, off, long_ago))
    assert (await running.post("/report-schedules/odd/send"))["failing_since"] is not None
    assert await findings() == [], "nothing is tried again of what is disabled"
