"""Reports that are sent by themselves: once for all times that were missed, tried again, and shown while they do not get through."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from holdfast.master.records import report_schedules
from holdfast.model.open_times import triggers_on
from holdfast.model.report_schedules import Times, newest_due, next_time
from holdfast.testing.message_services import web_hook
from tests.master.masters import Running, with_master

AT = datetime(2026, 3, 27, 12, 0, tzinfo=UTC)
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
        progress = report_schedules.report_schedule(session, "weekly").progress
        moved = msgspec.structs.replace(progress, try_at=now) if not missed_days else _set_back(progress, now, missed_days)
        report_schedules.put_progress(session, "weekly", moved)

    running.master.base.database.run_now(work)


def _set_back(progress: report_schedules.Progress, now: datetime, days: int) -> report_schedules.Progress:
    return msgspec.structs.replace(progress, handled_at=now - timedelta(days=days))


@with_master
async def test_a_report_goes_at_its_time_once_and_what_is_left_is_tried_again(running: Running) -> None:
    post = running.master.post
    async with web_hook() as good, web_hook() as bad:
        for name, hook in (("ops", good), ("boss", bad)):
            await running.call("PUT", f"/notifications/channels/{name}", {"secret_url": f"json://127.0.0.1:{hook.port}/"})
        wanted = {"kind": "drills", "at": ["07:00"], "to": ["ops", "boss"], "format": "csv", "folder": True}
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
